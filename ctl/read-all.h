/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A descriptor's whole content, bounded in size and time. */
#ifndef NR_CTL_READ_ALL_H
#define NR_CTL_READ_ALL_H

#include <glib.h>

/*
 * Reads to the end. What is beyond limit is read too, so that the writer of a pipe is not cut off,
 * and then it is -EFBIG. -ETIMEDOUT when the end has not come within timeout_ms (-1: never).
 */
int nr_read_all(int fd, gsize limit, int timeout_ms, GByteArray **ret);
/* A file's, or for "-" standard input's, however long that takes. */
int nr_read_named(const char *file, gsize limit, GByteArray **ret);

#endif
