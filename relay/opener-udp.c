/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A UDP port: a socket that is bound to our address and connected to its one peer, so that the
 * kernel sorts by source and strangers' datagrams end there. Several may share our address, a peer
 * each (SO_REUSEPORT, which only sockets of ours have). Never SO_REUSEADDR: with it, QEMU could
 * bind the same address, and one of the two would go deaf.
 */
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "common/scope.h"
#include "relay/attachment.h"
#include "relay/keeper.h"

#define RECEIVE_BUFFER (4 * 1024 * 1024)
#define DRAIN_MAX      64

#define container(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

static int udp_continue(struct attachment *a, char error[ATTACHMENT_TEXT_MAX]);

/* Until it is connected the socket must hear nobody. */
static int deafen(int fd)
{
    struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog program = { .len = 1, .filter = &nothing };

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno : 0;
}

static int undeafen(int fd)
{
    int unused = 0;

    if (setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof(unused)) < 0)
        return -errno;
    /* One that was on its way in while the socket was not yet connected. */
    for (int i = 0; i < DRAIN_MAX; ++i)
        if (recv(fd, NULL, 0, MSG_DONTWAIT | MSG_TRUNC) < 0)
            break;
    return 0;
}

static int describe(const struct inet_address *address, int r, char error[ATTACHMENT_TEXT_MAX])
{
    inet_refused(IPPROTO_UDP, address, r, error, ATTACHMENT_TEXT_MAX);
    return r;
}

static int udp_socket(struct attachment *a, char error[ATTACHMENT_TEXT_MAX])
{
    _cleanup_(closep) int fd =
        socket(a->local.storage.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    char remote[INET_TEXT_MAX];
    int on = 1, size = RECEIVE_BUFFER, r;

    if (fd < 0)
        return describe(&a->local, -errno, error);
    r = deafen(fd);
    if (r < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0)
        return describe(&a->local, r < 0 ? r : -errno, error);
    /* The first is for the privileged, beyond what net.core.rmem_max allows. */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 &&
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) < 0)
        log_debug("%s has a small receive buffer", a->text);
    if (setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on)) < 0)
        log_debug("%s gets its datagrams one by one", a->text);
    if (bind(fd, (struct sockaddr *)&a->local.storage, a->local.len) < 0)
        return describe(&a->local, -errno, error);
    r = connect(fd, (struct sockaddr *)&a->remote.storage, a->remote.len) < 0 ? -errno
                                                                              : undeafen(fd);
    if (r < 0) {
        snprintf(error, ATTACHMENT_TEXT_MAX, "%s cannot be reached from %s: %s",
                 inet_format(&a->remote, remote), a->text, strerror(-r));
        return r;
    }
    return steal_fd(&fd);
}

static int udp_open(struct attachment *a, char error[ATTACHMENT_TEXT_MAX])
{
    _cleanup_(closep) int fd = -1;
    int r;

    if (!*a->endpoint.local.host)
        inet_any(&a->local, a->remote.storage.ss_family, a->endpoint.local.l4_port);
    fd = udp_socket(a, error);
    if (fd < 0)
        return fd;
    r = keeper_hold(a->keeper, a, PORT_UDP, fd, fd, "");
    if (r < 0) {
        snprintf(error, ATTACHMENT_TEXT_MAX, "%s: %s", a->text, strerror(-r));
        return r;
    }
    steal_fd(&fd);
    a->up_ms = a->keeper->loop.now_ms;
    attachment_set_state(a, CTL_ENDPOINT_UP, "");
    return 0;
}

/* 0: known, *ret has it; ATTACHMENT_PENDING: its name is being resolved. */
static int learn(struct attachment *a, const struct endpoint_address *address,
                 struct inet_address *ret, bool *known, char error[ATTACHMENT_TEXT_MAX])
{
    int r;

    if (*known)
        return 0;
    if (inet_parse(ret, address) == 0) {
        *known = true;
        return 0;
    }
    r = resolver_ask(&a->resolver, address);
    if (r < 0)
        snprintf(error, ATTACHMENT_TEXT_MAX, "%s cannot be resolved: %s", address->host,
                 strerror(-r));
    return r < 0 ? r : ATTACHMENT_PENDING;
}

/* Of several addresses the one of the other side's family. */
static void choose(const struct resolver *resolver, struct inet_address *ret, int family)
{
    *ret = resolver->address[0];
    for (unsigned i = 0; i < resolver->n; ++i)
        if (resolver->address[i].storage.ss_family == family) {
            *ret = resolver->address[i];
            return;
        }
}

static void udp_settled(struct attachment *a, int r, const char *error)
{
    if (a->waiting) { /* somebody asked for it and has no answer yet */
        a->waiting = false;
        attachment_started(a, r, error);
    } else if (r < 0) {
        attachment_retry_later(a, error);
    }
}

static void on_resolved(struct resolver *resolver)
{
    struct attachment *a = container(resolver, struct attachment, resolver);
    bool is_local = !a->local_known;
    const struct endpoint_address *asked = is_local ? &a->endpoint.local : &a->endpoint.remote;
    char error[ATTACHMENT_TEXT_MAX];
    int r = -EADDRNOTAVAIL;

    if (resolver->n == 0) {
        snprintf(error, sizeof(error), "%s cannot be resolved: %s", asked->host, resolver->error);
    } else {
        choose(resolver, is_local ? &a->local : &a->remote,
               is_local ? 0 : a->local.storage.ss_family);
        *(is_local ? &a->local_known : &a->remote_known) = true;
        r = udp_continue(a, error);
    }
    if (r <= 0)
        udp_settled(a, r, error);
}

static int udp_continue(struct attachment *a, char error[ATTACHMENT_TEXT_MAX])
{
    int r = learn(a, &a->endpoint.local, &a->local, &a->local_known, error);

    if (r == 0)
        r = learn(a, &a->endpoint.remote, &a->remote, &a->remote_known, error);
    return r == 0 ? udp_open(a, error) : r;
}

static void on_retry(struct loop_timer *timer)
{
    struct attachment *a = container(timer, struct attachment, timer);
    char error[ATTACHMENT_TEXT_MAX];
    int r = udp_continue(a, error);

    if (r <= 0)
        udp_settled(a, r, error);
}

static int udp_start(struct attachment *a, int passed_fd, char error[ATTACHMENT_TEXT_MAX])
{
    int r;

    a->timer.on_timer = on_retry;
    a->resolver.on_resolved = on_resolved;
    r = udp_continue(a, error);
    a->waiting = r == ATTACHMENT_PENDING;
    return r;
}

static void udp_stop(struct attachment *a)
{
    /* the socket is a port's */
}

static void udp_port_gone(struct attachment *a)
{
    if (a->keeper->loop.now_ms - a->up_ms >= ATTACHMENT_STEADY_MS)
        a->retry_ms = ATTACHMENT_RETRY_MIN;
    attachment_retry_later(a, "the socket failed");
}

const struct attachment_ops udp_ops = {
    .start = udp_start,
    .stop = udp_stop,
    .port_gone = udp_port_gone,
};
