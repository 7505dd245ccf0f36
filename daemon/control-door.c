/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/control-door.h"

#include <errno.h>
#include <glib-unix.h>
#include <sys/socket.h>
#include <unistd.h>
#include "common/scope.h"
#include "daemon/acceptor.h"
#include "daemon/callers.h"
#include "daemon/dbus-hello.h"
#include "daemon/dbus-pipe.h"
#include "daemon/log.h"

#define HELLO_MS 5000
#define CHUNK    4096

typedef struct {
    NrControlDoor *door;
    int sock; /* with the pipe it is that one's, which lives as long */
    uid_t uid;
    NrHello hello;
    GByteArray *heard;
    guint watch, deadline; /* until its hello is through */
    NrDbusPipe *pipe;
} Visitor;

struct NrControlDoor {
    NrControlDoorParts parts;
    NrAcceptor *acceptor;
    gid_t group;
    char *guid;
    GPtrArray *visitors; /* Visitor, as they came */
};

static void visitor_free(gpointer data)
{
    Visitor *visitor = data;

    g_clear_handle_id(&visitor->watch, g_source_remove);
    g_clear_handle_id(&visitor->deadline, g_source_remove);
    if (visitor->pipe)
        nr_dbus_pipe_free(visitor->pipe);
    else
        closep(&visitor->sock);
    g_byte_array_unref(visitor->heard);
    g_free(visitor);
}

static void leave(gpointer data)
{
    Visitor *visitor = data;

    g_ptr_array_remove(visitor->door->visitors, visitor);
}

static gboolean is_own(uid_t uid)
{
    return uid == 0 || uid == geteuid();
}

/* Places */

/* The one that has said nothing for the longest, of those with whom `uid` shares its places. */
static Visitor *oldest_silent(const NrControlDoor *door, uid_t uid)
{
    for (guint i = 0; i < door->visitors->len; i++) {
        Visitor *visitor = door->visitors->pdata[i];

        if (!visitor->pipe && (visitor->uid == uid || (is_own(uid) && is_own(visitor->uid))))
            return visitor;
    }
    return NULL;
}

static gboolean is_full_for(const NrControlDoor *door, uid_t uid)
{
    guint own = 0, others = 0, same = 0;

    for (guint i = 0; i < door->visitors->len; i++) {
        const Visitor *visitor = door->visitors->pdata[i];

        own += is_own(visitor->uid);
        others += !is_own(visitor->uid);
        same += visitor->uid == uid;
    }
    return is_own(uid) ? own >= NR_DOOR_OWN_MAX
                       : same >= NR_DOOR_USER_MAX || others >= NR_DOOR_OTHERS_MAX;
}

/* Who has come and not said who it is makes room for the next one. */
static gboolean has_place(NrControlDoor *door, uid_t uid)
{
    Visitor *silent;

    if (!is_full_for(door, uid))
        return TRUE;
    silent = oldest_silent(door, uid);
    if (silent)
        leave(silent);
    return silent && !is_full_for(door, uid);
}

static gboolean on_crowded(gpointer data)
{
    NrControlDoor *door = data;

    for (guint i = 0; i < door->visitors->len; i++) {
        Visitor *visitor = door->visitors->pdata[i];

        if (!visitor->pipe) {
            leave(visitor);
            return TRUE;
        }
    }
    return FALSE;
}

/* In */

/*
 * GDBus can hand over descriptors only on a connection which it has authenticated itself, and does
 * that in a blocking way. So it finds all that a client says in its socket already, and waits for
 * nothing; what it answers is taken out.
 */
static GDBusConnection *connection_on(int *sock, int far_end, const Visitor *visitor)
{
    g_autoptr(GByteArray) script = nr_hello_script(geteuid(), visitor->hello.takes_fds);
    g_autoptr(GSocket) gsocket = NULL;
    g_autoptr(GSocketConnection) stream = NULL;
    GDBusConnection *connection;
    char answers[CHUNK];

    if (send(far_end, script->data, script->len, MSG_NOSIGNAL) != (ssize_t)script->len)
        return NULL;
    gsocket = g_socket_new_from_fd(*sock, NULL);
    if (!gsocket)
        return NULL;
    *sock = -1;
    g_socket_set_timeout(gsocket, 1); /* s, should a GDBus to come want to hear more */
    stream = g_socket_connection_factory_create_connection(gsocket);
    connection = g_dbus_connection_new_sync(G_IO_STREAM(stream), visitor->door->guid,
                                            G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_SERVER |
                                                G_DBUS_CONNECTION_FLAGS_DELAY_MESSAGE_PROCESSING,
                                            NULL, NULL, NULL);
    g_socket_set_timeout(gsocket, 0);
    while (recv(far_end, answers, sizeof(answers), MSG_DONTWAIT) > 0)
        ;
    return connection;
}

static void enter(Visitor *visitor)
{
    const NrControlDoorParts *parts = &visitor->door->parts;
    g_autoptr(GDBusConnection) connection = NULL;
    _cleanup_(closep) int gdbus = -1;
    int pair[2];

    g_clear_handle_id(&visitor->deadline, g_source_remove);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
        leave(visitor);
        return;
    }
    gdbus = pair[0];
    connection = connection_on(&gdbus, pair[1], visitor);
    visitor->pipe = nr_dbus_pipe_new(visitor->sock, pair[1], visitor->heard, leave, visitor);
    if (!connection) {
        nr_log(NR_LOG_WARNING, "somebody who asks cannot be heard: GDBus takes no connection");
        leave(visitor);
        return;
    }
    parts->entered(connection, parts->data);
    g_dbus_connection_start_message_processing(connection);
}

static gboolean hear(Visitor *visitor)
{
    guint8 bytes[CHUNK];
    ssize_t n = recv(visitor->sock, bytes, sizeof(bytes), MSG_DONTWAIT);

    if (n > 0)
        g_byte_array_append(visitor->heard, bytes, (guint)n);
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static gboolean on_heard(gint sock, GIOCondition condition, gpointer data)
{
    Visitor *visitor = data;
    g_autoptr(GString) answer = g_string_new(NULL);
    NrHelloResult result =
        hear(visitor) ? nr_hello_take(&visitor->hello, visitor->heard, answer) : NR_HELLO_BAD;

    /* What does not fit into an empty socket is nothing that a client asked for. */
    if (answer->len > 0 &&
        send(sock, answer->str, answer->len, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)answer->len)
        result = NR_HELLO_BAD;
    if (result == NR_HELLO_MORE)
        return G_SOURCE_CONTINUE;
    visitor->watch = 0;
    if (result == NR_HELLO_DONE)
        enter(visitor);
    else
        leave(visitor);
    return G_SOURCE_REMOVE;
}

static gboolean on_late(gpointer data)
{
    Visitor *visitor = data;

    visitor->deadline = 0;
    leave(visitor);
    return G_SOURCE_REMOVE;
}

static void on_connected(int sock, gpointer data)
{
    NrControlDoor *door = data;
    Visitor *visitor;
    uid_t uid;

    if (!nr_callers_may(sock, door->group, &uid) || !has_place(door, uid)) {
        close(sock);
        return;
    }
    visitor = g_new0(Visitor, 1);
    visitor->door = door;
    visitor->sock = sock;
    visitor->uid = uid;
    visitor->hello = (NrHello){ .uid = uid, .guid = door->guid };
    visitor->heard = g_byte_array_new();
    visitor->watch = g_unix_fd_add(sock, G_IO_IN | G_IO_HUP | G_IO_ERR, on_heard, visitor);
    visitor->deadline = g_timeout_add(HELLO_MS, on_late, visitor);
    g_ptr_array_add(door->visitors, visitor);
}

static const NrAcceptorEvents acceptor_events = { .connected = on_connected,
                                                  .make_room = on_crowded };

NrControlDoor *nr_control_door_new(const NrControlDoorParts *parts)
{
    NrControlDoor *door = g_new0(NrControlDoor, 1);

    door->parts = *parts;
    door->acceptor = nr_acceptor_new(&acceptor_events, door);
    door->group = NR_NO_GROUP;
    door->guid = g_dbus_generate_guid();
    door->visitors = g_ptr_array_new_with_free_func(visitor_free);
    return door;
}

void nr_control_door_listen(NrControlDoor *door, int sock)
{
    nr_acceptor_listen(door->acceptor, sock);
}

void nr_control_door_admit(NrControlDoor *door, gid_t group)
{
    door->group = group;
    for (guint i = door->visitors->len; i-- > 0;) {
        Visitor *visitor = door->visitors->pdata[i];

        if (!nr_callers_may(visitor->sock, group, NULL))
            leave(visitor);
    }
}

void nr_control_door_free(NrControlDoor *door)
{
    if (!door)
        return;
    nr_acceptor_free(door->acceptor);
    g_ptr_array_unref(door->visitors);
    g_free(door->guid);
    g_free(door);
}
