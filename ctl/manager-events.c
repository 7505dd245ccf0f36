/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Either `connection` is there, or `retry` runs, or an attempt is under way (`cancellable`), which
 * holds a reference of its own: it may end after we have.
 */
#include "ctl/manager-events.h"

#include <unistd.h>
#include "common/scope.h"

#define ANSWER_MS 10000
#define RETRY_MS  500

struct NrManagerEvents {
    const NrCall *call;
    const NrManagerHandlers *handlers; /* NULL: freed */
    gpointer data;
    GDBusConnection *connection;
    gulong closed;
    guint signal, retry, late;
    GCancellable *cancellable;
    int dir_fd; /* of the attempt's address */
};

static void manager_lose(NrManagerEvents *manager);

static void manager_unref(NrManagerEvents *manager)
{
    g_rc_box_release(manager);
}

static NrManagerEvents *manager_ref(NrManagerEvents *manager)
{
    return g_rc_box_acquire(manager);
}

/* A manager that we are through to */

static gboolean is_final(const GError *error)
{
    return g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_METHOD) ||
           g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED);
}

static void on_listening(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply =
        g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error);
    NrManagerEvents *manager = data;

    if (!reply && manager->handlers && manager->connection == (GDBusConnection *)source) {
        if (is_final(error)) {
            g_auto(NrSilence) silence = { 0 };

            nr_manager_explain(manager->call, error, &silence);
            manager->handlers->failed(&silence, manager->data);
        } else {
            manager_lose(manager);
        }
    }
    manager_unref(manager);
}

static void listen(NrManagerEvents *manager)
{
    g_dbus_connection_call(manager->connection, NULL, NR_MANAGER_PATH, NR_MANAGER_INTERFACE,
                           "Listen", NULL, G_VARIANT_TYPE_UNIT, G_DBUS_CALL_FLAGS_NONE, ANSWER_MS,
                           NULL, on_listening, manager_ref(manager));
}

static void on_events(GDBusConnection *connection, const char *sender, const char *path,
                      const char *interface, const char *signal, GVariant *parameters,
                      gpointer data)
{
    NrManagerEvents *manager = data;
    g_autoptr(GVariant) events = NULL;
    guint64 missed;

    if (!g_variant_is_of_type(parameters, G_VARIANT_TYPE("(aa{sv}t)")))
        return;
    g_variant_get(parameters, "(@aa{sv}t)", &events, &missed);
    manager->handlers->events(events, missed, manager->data);
    if (manager->connection) /* it is still wanted */
        listen(manager);
}

static void on_closed(GDBusConnection *connection, gboolean by_peer, GError *error, gpointer data)
{
    manager_lose(data);
}

static void manager_begin(NrManagerEvents *manager, GDBusConnection *connection)
{
    manager->connection = connection;
    manager->closed = g_signal_connect(connection, "closed", G_CALLBACK(on_closed), manager);
    manager->signal = g_dbus_connection_signal_subscribe(
        connection, NULL, NR_MANAGER_INTERFACE, "Events", NR_MANAGER_PATH, NULL,
        G_DBUS_SIGNAL_FLAGS_NONE, on_events, manager, NULL);
    listen(manager);
}

static void manager_drop(NrManagerEvents *manager)
{
    if (!manager->connection)
        return;
    g_signal_handler_disconnect(manager->connection, manager->closed);
    g_dbus_connection_signal_unsubscribe(manager->connection, manager->signal);
    g_dbus_connection_close(manager->connection, NULL, NULL, NULL);
    g_clear_object(&manager->connection);
}

/* Waiting for one */

static gboolean on_retry(gpointer data);

static void attempt_end(NrManagerEvents *manager)
{
    if (manager->late)
        g_source_remove(manager->late);
    manager->late = 0;
    g_clear_object(&manager->cancellable);
    closep(&manager->dir_fd);
    manager->dir_fd = -1;
}

static void on_connected(GObject *source, GAsyncResult *result, gpointer data)
{
    NrManagerEvents *manager = data;
    GDBusConnection *connection = g_dbus_connection_new_for_address_finish(result, NULL);

    if (!manager->handlers) {
        g_clear_object(&connection);
    } else {
        attempt_end(manager);
        if (connection) {
            manager_begin(manager, connection);
            manager->handlers->back(manager->data);
        } else {
            manager->retry = g_timeout_add(RETRY_MS, on_retry, manager);
        }
    }
    manager_unref(manager);
}

static gboolean on_late(gpointer data)
{
    NrManagerEvents *manager = data;

    manager->late = 0;
    g_cancellable_cancel(manager->cancellable);
    return G_SOURCE_REMOVE;
}

static gboolean on_retry(gpointer data)
{
    NrManagerEvents *manager = data;
    g_autofree char *address = nr_manager_address(manager->call, &manager->dir_fd, NULL);

    if (!address)
        return G_SOURCE_CONTINUE;
    manager->retry = 0;
    manager->cancellable = g_cancellable_new();
    manager->late = g_timeout_add(ANSWER_MS, on_late, manager);
    g_dbus_connection_new_for_address(address, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, NULL,
                                      manager->cancellable, on_connected, manager_ref(manager));
    return G_SOURCE_REMOVE;
}

static void manager_lose(NrManagerEvents *manager)
{
    if (!manager->connection)
        return;
    manager_drop(manager);
    manager->retry = g_timeout_add(RETRY_MS, on_retry, manager);
    manager->handlers->lost(manager->data);
}

/* Life */

NrManagerEvents *nr_manager_events_new(const NrCall *call, const NrManagerHandlers *handlers,
                                       gpointer data, NrSilence *ret_silence)
{
    GDBusConnection *connection = nr_manager_connect(call, ret_silence);
    NrManagerEvents *manager;

    if (!connection)
        return NULL;
    manager = g_rc_box_new0(NrManagerEvents);
    manager->call = call;
    manager->handlers = handlers;
    manager->data = data;
    manager->dir_fd = -1;
    manager_begin(manager, connection);
    return manager;
}

void nr_manager_events_free(NrManagerEvents *manager)
{
    if (!manager)
        return;
    manager->handlers = NULL;
    if (manager->retry)
        g_source_remove(manager->retry);
    if (manager->cancellable)
        g_cancellable_cancel(manager->cancellable);
    manager_drop(manager);
    attempt_end(manager);
    manager_unref(manager);
}

GDBusConnection *nr_manager_events_connection(const NrManagerEvents *manager)
{
    return manager->connection;
}
