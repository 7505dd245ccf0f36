/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/acceptor.h"

#include <errno.h>
#include <glib-unix.h>
#include <sys/socket.h>
#include <unistd.h>
#include "common/scope.h"
#include "daemon/log.h"

#define REST_MS 200

struct NrAcceptor {
    const NrAcceptorEvents *events;
    gpointer data;
    int sock;
    guint watch;
    guint rest; /* out of descriptors: a pause of our own */
    gboolean paused;
};

static void update(NrAcceptor *acceptor);

static gboolean on_rested(gpointer data)
{
    NrAcceptor *acceptor = data;

    acceptor->rest = 0;
    update(acceptor);
    return G_SOURCE_REMOVE;
}

static gboolean on_connection(gint sock, GIOCondition condition, gpointer data)
{
    NrAcceptor *acceptor = data;
    int fd = accept4(sock, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
        if (acceptor->events->make_room(acceptor->data))
            return G_SOURCE_CONTINUE;
        acceptor->rest = g_timeout_add(REST_MS, on_rested, acceptor);
        acceptor->watch = 0;
        return G_SOURCE_REMOVE;
    }
    if (fd >= 0)
        acceptor->events->connected(fd, acceptor->data); /* which may pause us */
    return acceptor->watch ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

static void update(NrAcceptor *acceptor)
{
    gboolean wanted = acceptor->sock >= 0 && !acceptor->rest && !acceptor->paused;

    if (wanted && !acceptor->watch)
        acceptor->watch = g_unix_fd_add(acceptor->sock, G_IO_IN, on_connection, acceptor);
    else if (!wanted && acceptor->watch)
        g_clear_handle_id(&acceptor->watch, g_source_remove);
}

NrAcceptor *nr_acceptor_new(const NrAcceptorEvents *events, gpointer data)
{
    NrAcceptor *acceptor = g_new0(NrAcceptor, 1);

    acceptor->events = events;
    acceptor->data = data;
    acceptor->sock = -1;
    return acceptor;
}

void nr_acceptor_listen(NrAcceptor *acceptor, int sock)
{
    g_clear_handle_id(&acceptor->watch, g_source_remove);
    closep(&acceptor->sock);
    acceptor->sock = sock;
    if (listen(sock, SOMAXCONN) < 0)
        nr_log(NR_LOG_ERROR, "cannot listen for callers: %s", g_strerror(errno));
    (void)g_unix_set_fd_nonblocking(sock, TRUE, NULL);
    update(acceptor);
}

void nr_acceptor_pause(NrAcceptor *acceptor, gboolean pause)
{
    acceptor->paused = pause;
    update(acceptor);
}

void nr_acceptor_free(NrAcceptor *acceptor)
{
    if (!acceptor)
        return;
    g_clear_handle_id(&acceptor->watch, g_source_remove);
    g_clear_handle_id(&acceptor->rest, g_source_remove);
    closep(&acceptor->sock);
    g_free(acceptor);
}
