/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/screen.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include "ctl/table.h"
#include "ctl/terminal.h"

#define ENTER      "\033[?1049h\033[?25l"
#define LEAVE      "\033[?25h\033[?1049l"
#define HOME       "\033[H"
#define CLEAR_LINE "\033[K"
#define CLEAR_REST "\033[J"
#define PLAIN      "\033[0m"

struct NrScreen {
    char *text;
    struct termios before;
    gboolean has_keys; /* standard input is the terminal, and `before` how it was */
};

/* Frames */

/* The length of a colour at p, or 0. */
static gsize colour_length(const char *p)
{
    gsize digits;

    if (p[0] != '\033' || p[1] != '[')
        return 0;
    digits = strspn(p + 2, "0123456789;");
    return p[2 + digits] == 'm' ? digits + 3 : 0;
}

/* So much of a line as there is room for. */
static void append_cut(GString *frame, const char *line, gsize length, guint columns)
{
    const char *end = line + length;
    gboolean coloured = FALSE;
    guint used = 0;

    while (line < end) {
        gsize colour = colour_length(line), size;
        guint width;

        if (colour) {
            coloured = TRUE;
            g_string_append_len(frame, line, (gssize)colour);
            line += colour;
            continue;
        }
        width = nr_text_width_of(g_utf8_get_char(line));
        size = (gsize)(g_utf8_next_char(line) - line);
        if (used + width > columns)
            break;
        used += width;
        g_string_append_len(frame, line, (gssize)size);
        line += size;
    }
    if (coloured && line < end)
        g_string_append(frame, PLAIN);
}

char *nr_screen_frame(const char *text, guint rows, guint columns)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    guint count = g_strv_length(lines);
    GString *frame = g_string_new(HOME);

    if (count > 0 && !*lines[count - 1])
        count--;
    for (guint i = 0; i < MIN(count, rows); i++) {
        g_autofree char *rest =
            i + 1 == rows && count > rows ? g_strdup_printf("... %u more lines", count - i) : NULL;
        const char *line = rest ? rest : lines[i];

        g_string_append(frame, i ? "\r\n" : "");
        append_cut(frame, line, strlen(line), columns);
        g_string_append(frame, CLEAR_LINE);
    }
    g_string_append(frame, CLEAR_REST);
    return g_string_free(frame, FALSE);
}

/* The terminal */

static void put(const char *text)
{
    fputs(text, stdout);
    fflush(stdout);
}

/* Ctrl-C is a signal as ever; Ctrl-Z is a key here, since the terminal has to be given back first.
 */
static void enter(NrScreen *screen)
{
    struct termios keys;

    screen->has_keys = tcgetattr(STDIN_FILENO, &screen->before) == 0;
    if (screen->has_keys) {
        keys = screen->before;
        keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        keys.c_cc[VSUSP] = _POSIX_VDISABLE;
        keys.c_cc[VMIN] = 1;
        keys.c_cc[VTIME] = 0;
        tcsetattr(STDIN_FILENO, TCSANOW, &keys);
    }
    put(ENTER);
}

static void leave(NrScreen *screen)
{
    put(LEAVE);
    if (screen->has_keys)
        tcsetattr(STDIN_FILENO, TCSANOW, &screen->before);
}

NrScreen *nr_screen_new(void)
{
    const char *term = g_getenv("TERM");
    NrScreen *screen;

    if (!isatty(STDOUT_FILENO) || !term || !*term || g_str_equal(term, "dumb"))
        return NULL;
    screen = g_new0(NrScreen, 1);
    screen->text = g_strdup("");
    enter(screen);
    return screen;
}

void nr_screen_free(NrScreen *screen)
{
    if (!screen)
        return;
    leave(screen);
    g_free(screen->text);
    g_free(screen);
}

void nr_screen_redraw(NrScreen *screen)
{
    g_autofree char *frame = NULL;
    guint rows, columns;

    nr_terminal_size(&rows, &columns);
    frame = nr_screen_frame(screen->text, rows, columns);
    put(frame);
}

void nr_screen_draw(NrScreen *screen, const char *text)
{
    g_free(screen->text);
    screen->text = g_strdup(text);
    nr_screen_redraw(screen);
}

void nr_screen_suspend(NrScreen *screen)
{
    leave(screen);
    raise(SIGTSTP);
    enter(screen);
}
