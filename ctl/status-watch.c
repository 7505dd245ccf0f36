/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netrelayctl status --watch: drawn again when the manager tells that something has happened, and
 * every few seconds for the counters. With --json a document in a line for each change.
 */
#include <errno.h>
#include <glib-unix.h>
#include <stdio.h>
#include <unistd.h>
#include "ctl/json.h"
#include "ctl/manager-events.h"
#include "daemon/row.h"
#include "ctl/screen.h"
#include "ctl/seconds.h"
#include "ctl/status.h"
#include "ctl/table.h"

#define INTERVAL_MS 2000 /* for the counters */
#define SECONDS_MIN 0.1
#define SOON_MS     100 /* events come in flocks */

enum { KEY_END = 4, KEY_REDRAW = 12, KEY_SUSPEND = 26 }; /* Ctrl and D, L, Z */

typedef struct {
    const NrCall *call;
    GMainLoop *loop;
    NrManagerEvents *manager;
    NrScreen *screen; /* NULL: --json */
    GVariant *reply;  /* the last answer; NULL: none yet */
    char *shown;      /* --json: what of it is told by itself */
    gint64 lost_at;   /* when the manager went, since the epoch; 0: it is there */
    gboolean asking, ask_again, due;
    guint soon;
    NrExit code;
} Watch;

static void watch_end(Watch *watch, NrExit code)
{
    watch->code = code;
    g_main_loop_quit(watch->loop);
}

/* Showing */

static char *head_line(const Watch *watch)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    g_autoptr(GDateTime) then =
        watch->lost_at ? g_date_time_new_from_unix_local(watch->lost_at) : NULL;
    g_autofree char *time = g_date_time_format(now, "%T");
    g_autofree char *since = then ? g_date_time_format(then, "%T") : NULL;

    return since ? g_strdup_printf("netrelayd does not answer since %s, and is waited for; this is "
                                   "what was there then",
                                   since)
                 : g_strdup_printf("%s, until q is pressed", time);
}

static void draw(const Watch *watch)
{
    g_autofree char *head = head_line(watch);
    g_autofree char *body = watch->reply ? nr_status_text(watch->reply, watch->call) : NULL;
    g_autofree char *text = g_strdup_printf("%s\n\n%s", head, body ? body : "");

    nr_screen_draw(watch->screen, text);
}

/* All of a row but its counters, which change without an end. */
static char *lasting_text(GVariant *reply)
{
    static const char *const keys[] = { "network", "guest",   "guest_state", "nic",
                                        "kind",    "address", "peer",        "state",
                                        "reason",  "link",    "options",     "endpoint" };
    g_autoptr(GVariant) rows = g_variant_get_child_value(reply, 0);
    g_autoptr(GVariant) summary = g_variant_get_child_value(reply, 1);
    GString *text = g_string_new(NULL);
    g_autofree char *summed = g_variant_print(summary, FALSE);

    for (gsize i = 0; i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);

        for (guint k = 0; k < G_N_ELEMENTS(keys); k++)
            g_string_append_printf(text, "%s\n", nr_row_text(row, keys[k]));
        g_string_append_printf(text, "%" G_GUINT64_FORMAT "\n", nr_row_number(row, "port"));
    }
    g_string_append(text, summed);
    return g_string_free(text, FALSE);
}

static void print_document(Watch *watch)
{
    g_autoptr(GVariant) chosen = nr_status_document(watch->reply, watch->call);
    g_autoptr(GVariant) tuple = g_variant_ref_sink(
        g_variant_new("(@aa{sv}@a{sv})", g_variant_lookup_value(chosen, "rows", NULL),
                      g_variant_lookup_value(chosen, "summary", NULL)));
    g_autofree char *text = lasting_text(tuple);

    if (!watch->due && g_strcmp0(text, watch->shown) == 0)
        return;
    watch->due = FALSE;
    g_free(watch->shown);
    watch->shown = g_steal_pointer(&text);
    nr_json_print_line(chosen);
    if (fflush(stdout) != 0)
        watch_end(watch, errno == EPIPE ? NR_EXIT_DONE : NR_EXIT_FAILED);
}

/* Asking */

static void ask(Watch *watch);

static void on_status(GObject *source, GAsyncResult *result, gpointer data)
{
    GVariant *reply = g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, NULL);
    Watch *watch = data;

    watch->asking = FALSE;
    if (reply) {
        g_clear_pointer(&watch->reply, g_variant_unref);
        watch->reply = reply;
        if (watch->screen)
            draw(watch);
        else
            print_document(watch);
    }
    if (watch->ask_again)
        ask(watch);
}

static void ask(Watch *watch)
{
    GDBusConnection *connection = nr_manager_events_connection(watch->manager);

    watch->ask_again = watch->asking;
    if (watch->asking || !connection)
        return;
    watch->asking = TRUE;
    g_dbus_connection_call(connection, NULL, NR_MANAGER_PATH, NR_MANAGER_INTERFACE, "Status", NULL,
                           G_VARIANT_TYPE("(aa{sv}a{sv})"), G_DBUS_CALL_FLAGS_NONE,
                           NR_STATUS_TIMEOUT_MS, NULL, on_status, watch);
}

static gboolean on_soon(gpointer data)
{
    Watch *watch = data;

    watch->soon = 0;
    ask(watch);
    return G_SOURCE_REMOVE;
}

static gboolean on_tick(gpointer data)
{
    Watch *watch = data;

    watch->due = watch->call->watch != NULL;
    ask(watch);
    return G_SOURCE_CONTINUE;
}

/* What the manager says */

static void on_events(GVariant *events, guint64 missed, gpointer data)
{
    Watch *watch = data;

    if (!watch->soon)
        watch->soon = g_timeout_add(SOON_MS, on_soon, watch);
}

static void on_lost(gpointer data)
{
    Watch *watch = data;

    watch->lost_at = g_get_real_time() / G_USEC_PER_SEC;
    if (watch->screen)
        draw(watch);
}

static void on_back(gpointer data)
{
    Watch *watch = data;

    watch->lost_at = 0;
    ask(watch);
}

static void on_failed(const NrSilence *silence, gpointer data)
{
    Watch *watch = data;

    g_clear_pointer(&watch->screen, nr_screen_free);
    nr_silence_say(silence);
    watch_end(watch, silence->code);
}

static const NrManagerHandlers handlers = {
    .events = on_events,
    .lost = on_lost,
    .back = on_back,
    .failed = on_failed,
};

/* What the person says */

static gboolean on_end(gpointer data)
{
    watch_end(data, NR_EXIT_DONE);
    return G_SOURCE_CONTINUE;
}

/* The table keeps to the width that there is. */
static gboolean on_resized(gpointer data)
{
    draw(data);
    return G_SOURCE_CONTINUE;
}

static void suspend(Watch *watch)
{
    nr_screen_suspend(watch->screen);
    draw(watch);
}

static gboolean on_key(gint fd, GIOCondition condition, gpointer data)
{
    Watch *watch = data;
    char key;

    if (read(fd, &key, 1) != 1)
        return G_SOURCE_REMOVE;
    if (key == 'q' || key == KEY_END)
        watch_end(watch, NR_EXIT_DONE);
    else if (key == KEY_REDRAW)
        nr_screen_redraw(watch->screen);
    else if (key == KEY_SUSPEND)
        suspend(watch);
    return G_SOURCE_CONTINUE;
}

static gboolean on_reader_gone(gint fd, GIOCondition condition, gpointer data)
{
    watch_end(data, NR_EXIT_DONE);
    return G_SOURCE_REMOVE;
}

static gboolean read_interval(const NrCall *call, guint *ret_ms)
{
    double seconds = 0;

    *ret_ms = INTERVAL_MS;
    if (!call->watch)
        return TRUE;
    if (!nr_seconds_read(call->watch, &seconds) || seconds < SECONDS_MIN) {
        nr_complain("--watch '%s': expected seconds from 0.1, up to a year", call->watch);
        return FALSE;
    }
    *ret_ms = (guint)MIN(seconds * 1000, G_MAXUINT);
    return TRUE;
}

/* The screen is taken last: what goes wrong before is said where people read on. */
static gboolean open_screen(Watch *watch)
{
    if (watch->call->options & NR_OPTION_JSON) {
        g_unix_fd_add(STDOUT_FILENO, G_IO_ERR, on_reader_gone, watch);
        return TRUE;
    }
    watch->screen = nr_screen_new();
    if (!watch->screen) {
        nr_complain("--watch draws on a terminal, and standard output is none that it could draw "
                    "on; with --json it prints a document for each change");
        return FALSE;
    }
    g_unix_signal_add(SIGWINCH, on_resized, watch);
    if (isatty(STDIN_FILENO))
        g_unix_fd_add(STDIN_FILENO, G_IO_IN | G_IO_HUP, on_key, watch);
    return TRUE;
}

NrExit nr_status_watch(const NrCall *call)
{
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    Watch watch = { .call = call, .loop = loop };
    g_auto(NrSilence) silence = { 0 };
    guint interval_ms;

    if (!read_interval(call, &interval_ms))
        return NR_EXIT_USAGE;
    watch.manager = nr_manager_events_new(call, &handlers, &watch, &silence);
    if (!watch.manager) {
        nr_silence_say(&silence);
        return silence.code;
    }
    if (open_screen(&watch)) {
        g_unix_signal_add(SIGINT, on_end, &watch);
        g_unix_signal_add(SIGTERM, on_end, &watch);
        g_unix_signal_add(SIGHUP, on_end, &watch);
        g_timeout_add(interval_ms, on_tick, &watch);
        ask(&watch);
        g_main_loop_run(loop);
    } else {
        watch.code = NR_EXIT_USAGE;
    }
    nr_screen_free(watch.screen);
    nr_manager_events_free(watch.manager);
    g_clear_pointer(&watch.reply, g_variant_unref);
    g_free(watch.shown);
    return watch.code;
}
