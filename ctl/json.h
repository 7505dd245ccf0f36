/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A GVariant as JSON text, for programs. */
#ifndef NR_CTL_JSON_H
#define NR_CTL_JSON_H

#include <glib.h>

/* Prints it to standard output, indented, and a newline. Takes a floating reference. */
void nr_json_print(GVariant *value);
/* The same in one line. */
void nr_json_print_line(GVariant *value);
/* New string. It may be a terminal that shows it: what is not printable is escaped. */
char *nr_json_text(GVariant *value, gboolean pretty);

#endif
