/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A port by UNIX datagrams, as QEMU's dgram has them: our socket at one path, the peer's at
 * another. Ours is connected, so that nobody else is heard. The peer may come later, go and come
 * back: until it is there ours waits at its path, deaf. A peer that was made again is another one
 * with the same name, and nothing tells of it; so we connect anew now and then, which changes
 * nothing where it is the same.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "common/scope.h"
#include "relay/attachment.h"
#include "relay/datagram.h"
#include "relay/keeper.h"

#define LOOK_MS 1000

#define container(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

/* Deaf, at its path, and as yet nobody's port. */
static int dgram_bind(struct attachment *a, char error[ATTACHMENT_TEXT_MAX])
{
    _cleanup_(closep) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int r = fd < 0 ? -errno : datagram_deafen(fd);

    if (r == 0) {
        datagram_buffers(fd);
        r = unix_bind(fd, &a->local, &a->made_path);
    }
    if (r == 0)
        r = loop_add(&a->keeper->loop, &a->io, fd, 0);
    if (r < 0) {
        unix_refused(&a->local, r, error, ATTACHMENT_TEXT_MAX);
        return r;
    }
    steal_fd(&fd);
    return 0;
}

static int dgram_connect(struct attachment *a, int fd)
{
    return connect(fd, (const struct sockaddr *)&a->remote.storage, a->remote.len) < 0 ? -errno : 0;
}

static int dgram_hold(struct attachment *a)
{
    int r = dgram_connect(a, a->io.fd);

    if (r == 0)
        r = datagram_hear_all(a->io.fd);
    if (r == 0)
        r = keeper_hold(a->keeper, a, PORT_DGRAM, a->io.fd, a->io.fd, "");
    if (r < 0)
        return r;
    loop_del(&a->keeper->loop, &a->io);
    a->io.fd = -1;
    a->up_ms = a->keeper->loop.now_ms;
    attachment_connected(a);
    loop_timer_in(&a->keeper->loop, &a->timer, LOOK_MS);
    return 0;
}

static void dgram_open(struct attachment *a)
{
    char error[ATTACHMENT_TEXT_MAX];
    int r = a->io.fd < 0 ? dgram_bind(a, error) : 0;

    if (r == 0) {
        r = dgram_hold(a);
        snprintf(error, sizeof(error), "%s: %s", a->endpoint.peer_path, strerror(-r));
    }
    if (r < 0)
        attachment_retry_later(a, error);
}

/* A peer that is dead leaves its name behind, with nobody there. */
static void look_after(struct attachment *a, struct holding *port)
{
    if (dgram_connect(a, port->rfd) == -ECONNREFUSED)
        keeper_close_port(a->keeper, port);
    else
        loop_timer_in(&a->keeper->loop, &a->timer, LOOK_MS);
}

static void on_timer(struct loop_timer *timer)
{
    struct attachment *a = container(timer, struct attachment, timer);
    struct holding *port = attachment_port(a);

    if (port)
        look_after(a, port);
    else
        dgram_open(a);
}

static int dgram_start(struct attachment *a, int passed_fd, char error[ATTACHMENT_TEXT_MAX])
{
    int r = unix_address(&a->local, a->endpoint.path);

    if (r == 0)
        r = unix_address(&a->remote, a->endpoint.peer_path);
    if (r < 0) {
        snprintf(error, ATTACHMENT_TEXT_MAX, "%s: %s", a->text, strerror(-r));
        return r;
    }
    a->timer.on_timer = on_timer;
    loop_timer_in(&a->keeper->loop, &a->timer, 0); /* whoever attached it hears of it first */
    return dgram_bind(a, error);
}

static void dgram_stop(struct attachment *a)
{
    unix_unlink(&a->local, &a->made_path);
}

static void dgram_port_gone(struct attachment *a)
{
    if (a->keeper->loop.now_ms - a->up_ms >= ATTACHMENT_STEADY_MS)
        a->retry_ms = ATTACHMENT_RETRY_MIN;
    attachment_retry_later(a, "its peer is gone");
}

const struct attachment_ops unix_dgram_ops = {
    .start = dgram_start,
    .stop = dgram_stop,
    .port_gone = dgram_port_gone,
};
