/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A UDP port: a socket that is bound to our address and connected to its one peer, so that the
 * kernel sorts by source and strangers' datagrams end there. Several may share our address, a peer
 * each (SO_REUSEPORT, but only beside sockets of this very relay: another one's would take turns
 * with ours at the same datagrams). Never SO_REUSEADDR: with it, QEMU could bind the same address,
 * and one of the two would go deaf.
 *
 * One that has no peer yet waits for a datagram that could be a frame, and whoever sent it is the
 * peer from there on; what came until then is let go.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "common/scope.h"
#include "relay/attachment.h"
#include "relay/datagram.h"
#include "relay/keeper.h"
#include "relay/strangers.h"

#define container(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

static int udp_continue(struct attachment *a, char error[ATTACHMENT_TEXT_MAX]);

static int describe(const struct inet_address *address, int r, char error[ATTACHMENT_TEXT_MAX])
{
    inet_refused(IPPROTO_UDP, address, r, error, ATTACHMENT_TEXT_MAX);
    return r;
}

/*
 * A frame is as long as it is: rather fragmented on its way than lost until we have learned how
 * long it may be. Routers of IPv6 do not fragment, but what they drop there is counted.
 */
static void let_fragment(int fd)
{
    int how = IP_PMTUDISC_DONT;

    if (setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &how, sizeof(how)) < 0)
        log_debug("datagrams are not to be fragmented: %s", strerror(errno));
}

/* Nobody else has the address: another relay of this user would let us bind beside it. */
static int check_free(const struct attachment *a, const struct inet_address *local)
{
    _cleanup_(closep) int fd = -1;

    if (strangers_know(a->keeper, local))
        return 0;
    fd = socket(local->storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&local->storage, local->len) < 0)
        return -errno;
    return 0;
}

static bool is_same(const struct inet_address *a, const struct inet_address *b)
{
    return a->len == b->len && memcmp(&a->storage, &b->storage, a->len) == 0;
}

/* Has another port of ours this very peer at this very address? */
static bool is_twice(const struct attachment *a)
{
    for (const struct attachment *other = a->keeper->attachments; other; other = other->next)
        if (other != a && other->ops == a->ops && other->n_ports > 0 && !a->endpoint.learn &&
            is_same(&other->local, &a->local) && is_same(&other->remote, &a->remote))
            return true;
    return false;
}

static int udp_socket(const struct attachment *a, const struct inet_address *local,
                      const struct inet_address *remote, char error[ATTACHMENT_TEXT_MAX])
{
    _cleanup_(closep) int fd =
        socket(local->storage.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    char text[INET_TEXT_MAX];
    int on = 1, r;

    if (fd < 0)
        return describe(local, -errno, error);
    if (is_twice(a)) {
        snprintf(error, ATTACHMENT_TEXT_MAX, "%s: this relay has it already", a->text);
        return -EADDRINUSE;
    }
    r = check_free(a, local);
    if (r < 0)
        return describe(local, r, error);
    r = datagram_deafen(fd); /* until it is connected */
    if (r < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0)
        return describe(local, r < 0 ? r : -errno, error);
    datagram_buffer(fd);
    let_fragment(fd);
    if (setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on)) < 0)
        log_debug("%s gets its datagrams one by one", a->text);
    if (bind(fd, (const struct sockaddr *)&local->storage, local->len) < 0)
        return describe(local, -errno, error);
    r = connect(fd, (const struct sockaddr *)&remote->storage, remote->len) < 0
            ? -errno
            : datagram_hear_all(fd);
    if (r < 0) {
        snprintf(error, ATTACHMENT_TEXT_MAX, "%s cannot be reached from %s: %s",
                 inet_format(remote, text), a->text, strerror(-r));
        return r;
    }
    return steal_fd(&fd);
}

/* Connecting has chosen our address where none was given. */
static int count_strangers(struct attachment *a, int fd)
{
    struct inet_address local = { .len = sizeof(local.storage) };

    if (getsockname(fd, (struct sockaddr *)&local.storage, &local.len) < 0)
        return -errno;
    return strangers_join(a, &local);
}

static int udp_open(struct attachment *a, const struct inet_address *local,
                    const struct inet_address *remote, char error[ATTACHMENT_TEXT_MAX])
{
    _cleanup_(closep) int fd = udp_socket(a, local, remote, error);
    int r;

    if (fd < 0)
        return fd;
    r = keeper_hold(a->keeper, a, PORT_UDP, fd, fd, "");
    if (r < 0) {
        snprintf(error, ATTACHMENT_TEXT_MAX, "%s: %s", a->text, strerror(-r));
        return r;
    }
    r = count_strangers(a, fd);
    steal_fd(&fd);
    if (r < 0)
        log_debug("%s: datagrams of strangers are not counted: %s", a->text, strerror(-r));
    a->up_ms = a->keeper->loop.now_ms;
    attachment_connected(a);
    return 0;
}

/* The address of ours that a datagram was sent to: a socket bound to any of them that is connected
 * keeps but one, and it has to be this. */
static void read_destination(struct msghdr *header, struct inet_address *local)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)&local->storage;
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&local->storage;
        struct in6_pktinfo info6;
        struct in_pktinfo info4;

        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            memcpy(&info4, CMSG_DATA(c), sizeof(info4));
            v4->sin_addr = info4.ipi_spec_dst;
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            memcpy(&info6, CMSG_DATA(c), sizeof(info6));
            v6->sin6_addr = info6.ipi6_addr;
            if (IN6_IS_ADDR_LINKLOCAL(&info6.ipi6_addr))
                v6->sin6_scope_id = info6.ipi6_ifindex;
        }
    }
}

/* Who has sent the first datagram, and where to; nothing of it is read. 0 or negative errno. */
static int peek_first(int fd, struct inet_address *local, struct inet_address *remote)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(struct in_pktinfo))];
    } control;
    struct msghdr header = {
        .msg_name = &remote->storage,
        .msg_namelen = sizeof(remote->storage),
        .msg_control = &control,
        .msg_controllen = sizeof(control),
    };

    if (recvmsg(fd, &header, MSG_PEEK | MSG_DONTWAIT) < 0)
        return -errno;
    remote->len = header.msg_namelen;
    read_destination(&header, local);
    inet_unmap(local);
    inet_unmap(remote);
    return 0;
}

static void on_first(struct loop_io *io, uint32_t revents)
{
    struct attachment *a = container(io, struct attachment, io);
    struct inet_address local = a->local, remote = { 0 };
    char error[ATTACHMENT_TEXT_MAX], text[INET_TEXT_MAX];
    int r = peek_first(io->fd, &local, &remote);

    if (r == -EAGAIN || r == -EINTR)
        return;
    /* It takes what has come with it: its address is needed anew. */
    loop_del(&a->keeper->loop, io);
    close(io->fd);
    io->fd = -1;
    if (r == 0)
        r = udp_open(a, &local, &remote, error);
    else
        snprintf(error, sizeof(error), "%s: %s", a->text, strerror(-r));
    if (r < 0)
        attachment_retry_later(a, error);
    else
        log_limited(LOG_LEVEL_NOTICE, "%s has found its peer: %s", a->text,
                    inet_format(&remote, text));
}

/* Bound so that nobody shares it, not even another endpoint of ours: what comes must come here. */
static int learner_socket(struct attachment *a)
{
    int fd = inet_socket(&a->local, SOCK_DGRAM, !*a->endpoint.local.host), on = 1, r = 0;

    if (fd < 0)
        return fd;
    if (a->local.storage.ss_family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)) < 0)
        r = -errno;
    if (a->local.storage.ss_family == AF_INET &&
        setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) < 0)
        r = -errno;
    if (r == 0)
        r = datagram_hear_frames(fd);
    if (r == 0 && bind(fd, (struct sockaddr *)&a->local.storage, a->local.len) < 0)
        r = -errno;
    if (r < 0)
        close(fd);
    return r < 0 ? r : fd;
}

static int learner_open(struct attachment *a, char error[ATTACHMENT_TEXT_MAX])
{
    _cleanup_(closep) int fd = -1;
    int r;

    strangers_leave(a); /* they hold the address */
    fd = learner_socket(a);
    if (fd < 0)
        return describe(&a->local, fd, error);
    a->io.on_io = on_first;
    r = loop_add(&a->keeper->loop, &a->io, fd, EPOLLIN);
    if (r < 0) {
        a->io.fd = -1;
        return describe(&a->local, r, error);
    }
    steal_fd(&fd);
    attachment_listens(a);
    return 0;
}

/* 0: known, *ret has it; ATTACHMENT_PENDING: its name is being resolved. */
static int resolve(struct attachment *a, const struct endpoint_address *address,
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
    int r = resolve(a, &a->endpoint.local, &a->local, &a->local_known, error);

    if (r == 0 && a->endpoint.learn)
        return learner_open(a, error);
    if (r == 0)
        r = resolve(a, &a->endpoint.remote, &a->remote, &a->remote_known, error);
    if (r == 0 && !*a->endpoint.local.host)
        inet_any(&a->local, a->remote.storage.ss_family, a->endpoint.local.l4_port);
    return r == 0 ? udp_open(a, &a->local, &a->remote, error) : r;
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
    strangers_leave(a); /* the socket is a port's */
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
    .strangers = strangers_take,
};
