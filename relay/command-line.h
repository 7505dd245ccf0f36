/* SPDX-License-Identifier: GPL-2.0-or-later */
/* argv -> the keeper's configuration. */
#ifndef NR_RELAY_COMMAND_LINE_H
#define NR_RELAY_COMMAND_LINE_H

#include <stdbool.h>
#include <stdint.h>

struct keeper_config;

/* config: all zero; most of it stays as it is, and untouched memory costs nothing, in each relay.
 * Returns 0; or an exit status, after one line on standard error that names the argument and what
 * was expected. Texts are borrowed from argv. --help and --version end the program. */
int command_line_read(struct keeper_config *config, int argc, char **argv);
/* Digits only, from min to max. */
bool command_line_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret);

#endif
