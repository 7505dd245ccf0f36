/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/unanswered.h"

/*
 * In GDBus's thread: a call as it is read, an answer when those before it have been written. So
 * what waits in either queue is counted. A call that wants no answer is counted for ever: ours all
 * want one.
 */
static GDBusMessage *on_message(GDBusConnection *connection, GDBusMessage *message,
                                gboolean incoming, gpointer data)
{
    GDBusMessageType type = g_dbus_message_get_message_type(message);
    gint *unanswered = data;

    if (incoming && type == G_DBUS_MESSAGE_TYPE_METHOD_CALL &&
        g_atomic_int_add(unanswered, 1) >= NR_UNANSWERED_MAX) {
        g_dbus_connection_close(connection, NULL, NULL, NULL);
        g_object_unref(message);
        return NULL;
    }
    if (!incoming &&
        (type == G_DBUS_MESSAGE_TYPE_METHOD_RETURN || type == G_DBUS_MESSAGE_TYPE_ERROR))
        g_atomic_int_add(unanswered, -1);
    return message;
}

void nr_unanswered_limit(GDBusConnection *connection)
{
    g_dbus_connection_add_filter(connection, on_message, g_new0(gint, 1), g_free);
}
