/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What standard output is, for who writes to it: a terminal with a size, or something else. */
#ifndef NR_CTL_TERMINAL_H
#define NR_CTL_TERMINAL_H

#include <glib.h>

/* A terminal that does not know its size, as a serial console, has the usual one. */
void nr_terminal_size(guint *ret_rows, guint *ret_columns);
/* How wide a line may be; 0: it is no terminal, and takes any. */
guint nr_terminal_room(void);
gboolean nr_terminal_wants_colour(void);

#endif
