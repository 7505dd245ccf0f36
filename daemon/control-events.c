/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A listener that has `asked` is sent one message, as soon as there is something for it, and the
 * next one only when it has asked again. So of each listener at most one message waits to be read,
 * and how far behind it is costs nobody anything: see news.h.
 */
#include "daemon/control-events.h"

#include "daemon/events.h"
#include "daemon/news.h"

typedef struct {
    GDBusConnection *connection;
    guint64 position;
    gboolean asked;
} Listener;

struct NrControlEvents {
    NrNews *news;
    const NrControlEventsParts *parts;
    NrView *view; /* what the listeners know; NULL while there are none */
    GPtrArray *listeners;
    guint idle, again;
};

/* Sending */

static void serve(NrControlEvents *events, Listener *listener)
{
    g_autoptr(GVariant) list = NULL;
    guint64 missed;

    if (!listener->asked || listener->position == nr_news_end(events->news))
        return;
    listener->asked = FALSE;
    list = g_variant_ref_sink(nr_news_read(events->news, &listener->position, &missed));
    events->parts->send(listener->connection, list, missed, events->parts->data);
}

static gboolean on_idle(gpointer data)
{
    NrControlEvents *events = data;

    events->idle = 0;
    for (guint i = 0; i < events->listeners->len; i++)
        serve(events, events->listeners->pdata[i]);
    return G_SOURCE_REMOVE;
}

/* What comes at once goes in one message. */
static void on_added(gpointer data)
{
    NrControlEvents *events = data;

    if (!events->idle)
        events->idle = g_idle_add_full(G_PRIORITY_DEFAULT, on_idle, events, NULL);
}

/* Looking */

static gboolean on_again(gpointer data)
{
    NrControlEvents *events = data;

    events->again = 0;
    nr_control_events_look(events);
    return G_SOURCE_REMOVE;
}

void nr_control_events_look(NrControlEvents *events)
{
    g_autoptr(GPtrArray) found = NULL;
    NrView *view;

    if (events->listeners->len == 0)
        return;
    view = events->parts->look(events->view, events->parts->data);
    if (!view)
        return;
    if (events->view)
        found = nr_events_between(events->view, view);
    for (guint i = 0; found && i < found->len; i++)
        nr_news_add(events->news, found->pdata[i]);
    nr_view_free(events->view);
    events->view = view;
    if (view->pending && !events->again)
        events->again = g_timeout_add(NR_VIEW_DEAF_MS, on_again, events);
}

void nr_control_events_relay_died(NrControlEvents *events, const char *network, const char *text)
{
    if (events->view)
        nr_view_forget_relay(events->view, network);
    nr_news_tell(events->news, "relay-died", network, NULL, "network %s: its relay is gone: %s",
                 network, text);
}

/* Listeners */

static Listener *listener_find(const NrControlEvents *events, const GDBusConnection *connection)
{
    for (guint i = 0; i < events->listeners->len; i++) {
        Listener *listener = events->listeners->pdata[i];

        if (listener->connection == connection)
            return listener;
    }
    return NULL;
}

static Listener *listener_new(NrControlEvents *events, GDBusConnection *connection)
{
    Listener *listener = g_new0(Listener, 1);

    if (events->listeners->len == 0)
        nr_news_read_by(events->news, on_added, events);
    g_ptr_array_add(events->listeners, listener);
    listener->connection = connection;
    nr_control_events_look(events); /* what has happened until now is not for this one */
    listener->position = nr_news_end(events->news);
    return listener;
}

void nr_control_events_ask(NrControlEvents *events, GDBusConnection *connection)
{
    Listener *listener = listener_find(events, connection);

    if (!listener)
        listener = listener_new(events, connection);
    listener->asked = TRUE;
    serve(events, listener);
}

void nr_control_events_forget(NrControlEvents *events, GDBusConnection *connection)
{
    Listener *listener = listener_find(events, connection);

    if (!listener)
        return;
    g_ptr_array_remove(events->listeners, listener);
    if (events->listeners->len > 0)
        return;
    nr_news_read_by(events->news, NULL, NULL);
    g_clear_pointer(&events->view, nr_view_free);
}

NrControlEvents *nr_control_events_new(NrNews *news, const NrControlEventsParts *parts)
{
    NrControlEvents *events = g_new0(NrControlEvents, 1);

    events->news = news;
    events->parts = parts;
    events->listeners = g_ptr_array_new_with_free_func(g_free);
    return events;
}

void nr_control_events_free(NrControlEvents *events)
{
    if (!events)
        return;
    if (events->idle)
        g_source_remove(events->idle);
    if (events->again)
        g_source_remove(events->again);
    nr_news_read_by(events->news, NULL, NULL);
    nr_view_free(events->view);
    g_ptr_array_unref(events->listeners);
    g_free(events);
}
