/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netrelayctl events: what happens, a line each, on its way at once. */
#include <errno.h>
#include <glib-unix.h>
#include <stdio.h>
#include <unistd.h>
#include "ctl/json.h"
#include "ctl/manager-events.h"
#include "daemon/row.h"
#include "ctl/seconds.h"
#include "xml/guest.h"

#define EVENT_WIDTH 17 /* of the longest word: libvirt-connected */

typedef struct {
    const NrCall *call;
    GMainLoop *loop;
    NrExit code;
} Events;

/* A reader that has gone has what it wanted. */
static void check_output(Events *events)
{
    if (fflush(stdout) == 0)
        return;
    events->code = errno == EPIPE ? NR_EXIT_DONE : NR_EXIT_FAILED;
    g_main_loop_quit(events->loop);
}

/* What is about no network and no guest (libvirt, a file) is about all of them. */
static gboolean is_wanted(const NrCall *call, GVariant *event)
{
    const char *network = nr_row_text(event, "network"), *guest = nr_row_text(event, "guest");

    for (guint i = 0; i < call->operand_count; i++)
        if (g_str_equal(network, call->operands[i]) || g_str_equal(guest, call->operands[i]))
            return TRUE;
    return call->operand_count == 0 || (!*network && !*guest);
}

static void print_line(GVariant *event)
{
    g_autofree char *name = nr_printable(nr_row_text(event, "event"));
    g_autofree char *text = nr_printable(nr_row_text(event, "text"));
    g_autoptr(GDateTime) time = NULL;
    g_autofree char *when = NULL;
    guint64 count = nr_row_number(event, "count");
    double seconds = 0;

    g_variant_lookup(event, "time", "d", &seconds);
    time = g_date_time_new_from_unix_local((gint64)seconds);
    when = time ? g_date_time_format(time, "%F %T") : g_strdup("?");
    printf("%s.%03d  %-*s  %s", when, (int)((seconds - (double)(gint64)seconds) * 1000),
           EVENT_WIDTH, name, text);
    if (count > 1)
        printf(" (%" G_GUINT64_FORMAT " times)", count);
    putchar('\n');
}

static void print_event(const Events *events, GVariant *event)
{
    if (events->call->options & NR_OPTION_JSON)
        nr_json_print_line(event);
    else
        print_line(event);
}

/* What the manager itself cannot tell: of everything, whatever was asked for. */
static void print_own(Events *events, const char *event, const char *text, guint64 count)
{
    g_autoptr(GVariant) row = NULL;
    GVariantDict dict;

    g_variant_dict_init(&dict, NULL);
    g_variant_dict_insert(&dict, "time", "d", (double)g_get_real_time() / G_USEC_PER_SEC);
    g_variant_dict_insert(&dict, "event", "s", event);
    g_variant_dict_insert(&dict, "text", "s", text);
    if (count > 0)
        g_variant_dict_insert(&dict, "count", "t", count);
    row = g_variant_ref_sink(g_variant_dict_end(&dict));
    print_event(events, row);
    check_output(events);
}

static void on_events(GVariant *list, guint64 missed, gpointer data)
{
    Events *events = data;

    if (missed > 0)
        print_own(events, "missed", "what happened here came too fast to be told", missed);
    for (gsize i = 0; i < g_variant_n_children(list); i++) {
        g_autoptr(GVariant) event = g_variant_get_child_value(list, i);

        if (is_wanted(events->call, event))
            print_event(events, event);
    }
    check_output(events);
}

static void on_lost(gpointer data)
{
    print_own(data, "manager-lost", "netrelayd has ended, or does not answer; waiting for it", 0);
}

static void on_back(gpointer data)
{
    print_own(data, "manager-back", "netrelayd is there; what happened before is not told", 0);
}

static void on_failed(const NrSilence *silence, gpointer data)
{
    Events *events = data;

    nr_silence_say(silence);
    events->code = silence->code;
    g_main_loop_quit(events->loop);
}

static const NrManagerHandlers handlers = {
    .events = on_events,
    .lost = on_lost,
    .back = on_back,
    .failed = on_failed,
};

static gboolean on_end(gpointer data)
{
    g_main_loop_quit(((Events *)data)->loop);
    return G_SOURCE_CONTINUE;
}

static gboolean on_reader_gone(gint fd, GIOCondition condition, gpointer data)
{
    g_main_loop_quit(((Events *)data)->loop);
    return G_SOURCE_REMOVE;
}

NrExit nr_events_run(const NrCall *call)
{
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    Events events = { .call = call, .loop = loop };
    g_auto(NrSilence) silence = { 0 };
    g_autoptr(NrManagerEvents) source = NULL;
    double seconds = 0;

    if (call->seconds && !nr_seconds_read(call->seconds, &seconds)) {
        nr_complain("--seconds '%s': expected " NR_SECONDS_EXPECTED, call->seconds);
        return NR_EXIT_USAGE;
    }
    source = nr_manager_events_new(call, &handlers, &events, &silence);
    if (!source) {
        nr_silence_say(&silence);
        return silence.code;
    }
    g_unix_signal_add(SIGINT, on_end, &events);
    g_unix_signal_add(SIGTERM, on_end, &events);
    g_unix_fd_add(STDOUT_FILENO, G_IO_ERR, on_reader_gone, &events);
    if (call->seconds)
        g_timeout_add((guint)MIN(seconds * 1000, G_MAXUINT), on_end, &events);
    g_main_loop_run(loop);
    return events.code;
}
