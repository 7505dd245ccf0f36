/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file of the runtime directory, in a folder of the target's own. */
#ifndef NR_TESTS_STATE_FILE_H
#define NR_TESTS_STATE_FILE_H

#include <stddef.h>
#include <stdint.h>

/* The folder, with this file in it alone: the bytes as they are, or, where the first of them is
 * even, those behind it with the version and this boot's id in front. Borrowed. */
int state_file_write(const char *name, const char *version, const uint8_t *data, size_t size);

#endif
