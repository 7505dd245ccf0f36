/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The terminal, for a command that draws it again and again: its alternate screen, without cursor
 * and echo. What was there before comes back when the screen is freed. */
#ifndef NR_CTL_SCREEN_H
#define NR_CTL_SCREEN_H

#include <glib.h>

typedef struct NrScreen NrScreen;

/* NULL: standard output is no terminal that can be drawn on. */
NrScreen *nr_screen_new(void);
void nr_screen_free(NrScreen *screen);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NrScreen, nr_screen_free)
/* Draws this in place of what is there, and remembers it. The text may have colours, as tables
 * have, and is printable otherwise. */
void nr_screen_draw(NrScreen *screen, const char *text);
/* The same again: somebody has written into it. */
void nr_screen_redraw(NrScreen *screen);
/* Ctrl-Z: gives the terminal back and stops. It has to be drawn when that is over: the window may
 * have another size by then. */
void nr_screen_suspend(NrScreen *screen);

/* What a terminal of this size is sent for a text: each line is cut where the window ends, and the
 * last one says how many did not fit. Pure; new string. */
char *nr_screen_frame(const char *text, guint rows, guint columns);

#endif
