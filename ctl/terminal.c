/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/terminal.h"

#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

void nr_terminal_size(guint *ret_rows, guint *ret_columns)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row == 0 || size.ws_col == 0)
        size = (struct winsize){ .ws_row = 24, .ws_col = 80 };
    *ret_rows = size.ws_row;
    *ret_columns = size.ws_col;
}

guint nr_terminal_room(void)
{
    guint rows, columns = 0;

    if (isatty(STDOUT_FILENO))
        nr_terminal_size(&rows, &columns);
    return columns;
}

gboolean nr_terminal_wants_colour(void)
{
    const char *term = g_getenv("TERM");
    const char *no = g_getenv("NO_COLOR");

    return isatty(STDOUT_FILENO) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}
