/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ports by accepting. A wire's listener takes one at a time, as QEMU's own does. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "common/scope.h"
#include "relay/attachment.h"
#include "relay/held.h"
#include "relay/keeper.h"

#define BACKLOG     8192 /* cut to net.core.somaxconn by the kernel */
#define ACCEPT_TURN 256
#define REST_MS     1000

#define container(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

static void set_option(int fd, int level, int option, int value)
{
    if (setsockopt(fd, level, option, &value, sizeof(value)) < 0)
        log_debug("socket option %d of level %d: %s", option, level, strerror(errno));
}

/* Somebody dials again and again who is not wanted. */
static bool is_pestered(const struct attachment *a)
{
    return a->turned_away >= TURNED_AWAY_MAX;
}

static uint64_t pestered_rest_ms(const struct attachment *a)
{
    return control_is_behind(&a->keeper->control) ? REST_MS : TURNED_AWAY_MS;
}

static bool may_accept(const struct attachment *a)
{
    return keeper_has_room(a->keeper) && a->n_held < HELD_MAX && !is_pestered(a) &&
           (a->keeper->config->mode != VSWITCH_WIRE || a->n_ports == 0);
}

static void listener_rest(struct attachment *a, const char *why)
{
    loop_set(&a->keeper->loop, &a->io, 0);
    if (is_pestered(a))
        loop_timer_in(&a->keeper->loop, &a->timer, pestered_rest_ms(a));
    if (!why || is_pestered(a))
        return; /* a wire's other client, or one more to be held: not worth a word */
    loop_timer_in(&a->keeper->loop, &a->timer, REST_MS);
    if (!a->waiting)
        log_limited(LOG_LEVEL_WARNING, "%s: %s; new connections wait", a->text, why);
    a->waiting = true;
}

static void listener_resume(struct attachment *a)
{
    if (a->io.fd >= 0 && may_accept(a))
        loop_set(&a->keeper->loop, &a->io, EPOLLIN);
    else if (a->io.fd >= 0 && (a->waiting || is_pestered(a)))
        loop_timer_in(&a->keeper->loop, &a->timer, is_pestered(a) ? pestered_rest_ms(a) : REST_MS);
}

static void on_rested(struct loop_timer *timer)
{
    struct attachment *a = container(timer, struct attachment, timer);

    a->turned_away = 0;
    listener_resume(a);
}

static bool is_unix(const struct attachment *a)
{
    return a->local.storage.ss_family == AF_UNIX;
}

static void prepare_tcp(int fd)
{
    struct inet_address peer = { .len = sizeof(peer.storage) };

    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    /* Urgent data out of line would falsify the kernel's count of what is unread. */
    set_option(fd, SOL_SOCKET, SO_OOBINLINE, 1);
    /* A guest's link is never cut by a timer; only a vanished host is noticed, after hours. */
    if (getpeername(fd, (struct sockaddr *)&peer.storage, &peer.len) == 0 && !inet_is_local(&peer))
        set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
}

static int take(struct attachment *a, int accepted)
{
    _cleanup_(closep) int fd = accepted;
    int r;

    if (!is_unix(a))
        prepare_tcp(fd);
    r = keeper_hold(a->keeper, a, is_unix(a) ? PORT_UNIX : PORT_TCP, fd, fd, "");
    if (r == 0)
        steal_fd(&fd);
    return r;
}

static bool is_exhausted(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void on_accept(struct loop_io *io, uint32_t revents)
{
    struct attachment *a = container(io, struct attachment, io);

    for (int i = 0; i < ACCEPT_TURN; ++i) {
        int fd, r;

        if (!may_accept(a)) {
            listener_rest(a, keeper_has_room(a->keeper) ? NULL : "no more ports can be had");
            return;
        }
        fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && is_exhausted(errno)) {
            listener_rest(a, strerror(errno));
            return;
        }
        if (fd < 0 && errno == EAGAIN)
            return;
        if (fd < 0)
            continue; /* one that went away while it waited */
        r = take(a, fd);
        if (r < 0) {
            listener_rest(a, strerror(-r));
            return;
        }
        a->waiting = false;
    }
}

static int describe(const struct attachment *a, int r, char error[ATTACHMENT_TEXT_MAX])
{
    if (is_unix(a))
        unix_refused(&a->local, r, error, ATTACHMENT_TEXT_MAX);
    else
        inet_refused(IPPROTO_TCP, &a->local, r, error, ATTACHMENT_TEXT_MAX);
    return r;
}

static int listener_socket(struct attachment *a)
{
    int fd = inet_socket(&a->local, SOCK_STREAM, !is_unix(a) && !*a->endpoint.local.host);

    if (fd < 0 || is_unix(a))
        return fd;
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    set_option(fd, SOL_SOCKET, SO_OOBINLINE, 1); /* inherited before any data is there */
    return fd;
}

static int listener_bind(struct attachment *a, int fd)
{
    int r = 0;

    if (is_unix(a))
        r = unix_bind(fd, &a->local, &a->made_path);
    else if (bind(fd, (struct sockaddr *)&a->local.storage, a->local.len) < 0)
        r = -errno;
    return r == 0 && listen(fd, BACKLOG) < 0 ? -errno : r;
}

static int listener_open(struct attachment *a, char error[ATTACHMENT_TEXT_MAX])
{
    _cleanup_(closep) int fd = listener_socket(a);
    int r = fd < 0 ? fd : listener_bind(a, fd);

    if (r < 0)
        return describe(a, r, error);
    a->io.on_io = on_accept;
    r = loop_add(&a->keeper->loop, &a->io, fd, EPOLLIN);
    if (r < 0) {
        a->io.fd = -1;
        return describe(a, r, error);
    }
    steal_fd(&fd);
    attachment_listens(a);
    return 0;
}

static void on_resolved(struct resolver *resolver)
{
    struct attachment *a = container(resolver, struct attachment, resolver);
    char error[ATTACHMENT_TEXT_MAX];
    int r = -EADDRNOTAVAIL;

    if (resolver->n > 0) {
        a->local = resolver->address[0];
        r = listener_open(a, error);
    } else {
        snprintf(error, sizeof(error), "%s cannot be resolved: %s", a->endpoint.local.host,
                 resolver->error);
    }
    attachment_started(a, r, error);
}

static int listener_start(struct attachment *a, int passed_fd, char error[ATTACHMENT_TEXT_MAX])
{
    int r;

    a->timer.on_timer = on_rested;
    if (inet_parse(&a->local, &a->endpoint.local) == 0)
        return listener_open(a, error);
    a->resolver.on_resolved = on_resolved;
    r = resolver_ask(&a->resolver, &a->endpoint.local);
    if (r < 0)
        snprintf(error, ATTACHMENT_TEXT_MAX, "%s cannot be resolved: %s", a->endpoint.local.host,
                 strerror(-r));
    return r < 0 ? r : ATTACHMENT_PENDING;
}

static int unix_listener_start(struct attachment *a, int passed_fd, char error[ATTACHMENT_TEXT_MAX])
{
    int r = unix_address(&a->local, a->endpoint.path);

    a->timer.on_timer = on_rested;
    return r < 0 ? describe(a, r, error) : listener_open(a, error);
}

static void listener_stop(struct attachment *a)
{
    unix_unlink(&a->local, &a->made_path); /* attachment_free() closes the socket */
}

const struct attachment_ops listener_ops = {
    .ports_stay = true,
    .ports_last = true,
    .start = listener_start,
    .stop = listener_stop,
    .port_gone = listener_resume,
    .room = listener_resume,
};

const struct attachment_ops unix_listener_ops = {
    .ports_stay = true,
    .ports_last = true,
    .start = unix_listener_start,
    .stop = listener_stop,
    .port_gone = listener_resume,
    .room = listener_resume,
};
