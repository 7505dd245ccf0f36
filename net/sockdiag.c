/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel keeps an IPv4 connection of an IPv6 socket under its IPv4 addresses but shows it with
 * mapped ones. So everything is brought to one form first, struct tuple, and compared in that.
 */
#include "net/sockdiag.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include "common/scope.h"

#define OPEN_STATES (1u << TCP_ESTABLISHED | 1u << TCP_SYN_RECV | 1u << TCP_CLOSE_WAIT)

/* An address and port; family is AF_INET also for a mapped one. Network byte order. */
struct place {
    int family;
    uint16_t port;
    uint8_t addr[16];
};

struct tuple {
    struct place local, remote;
};

struct request {
    struct nlmsghdr header;
    struct inet_diag_req_v2 body;
};

typedef int (*on_socket_fn)(const struct inet_diag_msg *socket, size_t len, void *userdata);

static struct place place_of(int family, uint16_t port, const void *addr)
{
    struct place p = { .family = family, .port = port };

    if (family == AF_INET) {
        memcpy(p.addr, addr, 4);
    } else if (IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)addr)) {
        p.family = AF_INET;
        memcpy(p.addr, (const uint8_t *)addr + 12, 4);
    } else {
        memcpy(p.addr, addr, 16);
    }
    return p;
}

static int place_read(const struct sockaddr *addr, struct place *ret)
{
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;

    if (addr->sa_family == AF_INET) {
        memcpy(&in4, addr, sizeof(in4));
        *ret = place_of(AF_INET, in4.sin_port, &in4.sin_addr);
    } else if (addr->sa_family == AF_INET6) {
        memcpy(&in6, addr, sizeof(in6));
        *ret = place_of(AF_INET6, in6.sin6_port, &in6.sin6_addr);
    } else {
        return -EAFNOSUPPORT;
    }
    return 0;
}

static bool place_equal(const struct place *a, const struct place *b)
{
    return a->family == b->family && a->port == b->port && memcmp(a->addr, b->addr, 16) == 0;
}

static bool place_is_any(const struct place *p)
{
    static const uint8_t zero[16];

    return memcmp(p->addr, zero, sizeof(zero)) == 0;
}

static struct tuple tuple_of(const struct inet_diag_msg *socket)
{
    const struct inet_diag_sockid *id = &socket->id;

    return (struct tuple){
        .local = place_of(socket->idiag_family, id->idiag_sport, id->idiag_src),
        .remote = place_of(socket->idiag_family, id->idiag_dport, id->idiag_dst),
    };
}

static int diag_open(const struct request *request)
{
    _cleanup_(closep) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

    if (fd < 0)
        return -errno;
    if (sendto(fd, request, sizeof(*request), 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
        return -errno;
    return steal_fd(&fd);
}

/* 1: go on; 0: that was the last; or negative errno. */
static int diag_message(const struct nlmsghdr *header, on_socket_fn on_socket, void *userdata)
{
    const struct nlmsgerr *error = NLMSG_DATA(header);
    size_t len = header->nlmsg_len - NLMSG_HDRLEN;
    int r = 0;

    if (header->nlmsg_type == NLMSG_DONE) {
        memcpy(&r, NLMSG_DATA(header), len >= sizeof(r) ? sizeof(r) : 0);
        return r;
    }
    if (header->nlmsg_type == NLMSG_ERROR)
        return len >= sizeof(*error) ? error->error : -EPROTO;
    if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY || len < sizeof(struct inet_diag_msg))
        return 1;
    r = on_socket(NLMSG_DATA(header), len, userdata);
    if (r < 0)
        return r;
    return header->nlmsg_flags & NLM_F_MULTI ? 1 : 0;
}

/* Waits for the kernel's answer, which is there when the request has been sent. */
static int diag_ask(const struct request *request, on_socket_fn on_socket, void *userdata)
{
    _Alignas(struct nlmsghdr) char buf[32768]; /* the kernel fills no more at a time */
    _cleanup_(closep) int fd = diag_open(request);

    if (fd < 0)
        return fd;
    for (;;) {
        ssize_t n = recv(fd, buf, sizeof(buf), 0);
        unsigned left = n > 0 ? (unsigned)n : 0;

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        for (struct nlmsghdr *h = (void *)buf; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
            int r = diag_message(h, on_socket, userdata);

            if (r <= 0)
                return r;
        }
    }
}

static struct request request_new(int family, int protocol, uint32_t states, uint16_t flags)
{
    return (struct request){
        .header = {
            .nlmsg_len = sizeof(struct request),
            .nlmsg_type = SOCK_DIAG_BY_FAMILY,
            .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
        },
        .body = {
            .sdiag_family = (uint8_t)family,
            .sdiag_protocol = (uint8_t)protocol,
            .idiag_states = states,
            .id.idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE },
        },
    };
}

static struct sockdiag_owner owner_of(const struct inet_diag_msg *socket)
{
    return (struct sockdiag_owner){ .inode = socket->idiag_inode, .uid = socket->idiag_uid };
}

struct exact {
    struct tuple want;
    struct sockdiag_owner *ret;
    bool found;
};

static int on_exact(const struct inet_diag_msg *socket, size_t len, void *userdata)
{
    struct exact *exact = userdata;
    struct tuple have = tuple_of(socket);

    /* Where there is no such connection the kernel answers with a listener, if there is one. */
    if (!place_equal(&have.local, &exact->want.local) ||
        !place_equal(&have.remote, &exact->want.remote))
        return 0;
    /* Closed by its owner, and only not yet forgotten by the kernel. */
    if (socket->idiag_inode == 0 && !(1u << socket->idiag_state & OPEN_STATES))
        return 0;
    *exact->ret = owner_of(socket);
    exact->found = true;
    return 0;
}

int sockdiag_tcp(const struct sockaddr *local, const struct sockaddr *remote,
                 struct sockdiag_owner *ret)
{
    struct exact exact = { .ret = ret };
    struct request request;
    int r = place_read(local, &exact.want.local);

    if (r < 0)
        return r;
    r = place_read(remote, &exact.want.remote);
    if (r < 0)
        return r;
    if (exact.want.local.family != exact.want.remote.family)
        return -EINVAL;

    request = request_new(exact.want.local.family, IPPROTO_TCP, ~0u, 0);
    request.body.id.idiag_sport = exact.want.local.port;
    request.body.id.idiag_dport = exact.want.remote.port;
    memcpy(request.body.id.idiag_src, exact.want.local.addr, 16);
    memcpy(request.body.id.idiag_dst, exact.want.remote.addr, 16);
    r = diag_ask(&request, on_exact, &exact);
    if (r < 0)
        return r;
    return exact.found ? 0 : -ENOENT;
}

struct bound {
    struct place want;
    struct sockdiag_owner *ret;
    enum { BOUND_NONE, BOUND_ANY, BOUND_EXACT } found;
};

static bool is_v6only(const struct inet_diag_msg *socket, size_t len)
{
    size_t pos = NLMSG_ALIGN(sizeof(*socket));

    while (pos + NLA_HDRLEN <= len) {
        const struct nlattr *attr = (const void *)((const char *)socket + pos);

        if (attr->nla_len < NLA_HDRLEN || attr->nla_len > len - pos)
            return false;
        if (attr->nla_type == INET_DIAG_SKV6ONLY && attr->nla_len > NLA_HDRLEN)
            return ((const uint8_t *)attr)[NLA_HDRLEN];
        pos += NLA_ALIGN(attr->nla_len);
    }
    return false;
}

/* Does a socket at `have` keep another one from being bound to `want`? */
static bool is_in_the_way(const struct bound *bound, const struct place *have, bool dual)
{
    const struct place *want = &bound->want;

    if (have->port != want->port)
        return false;
    if (have->family == want->family)
        return place_is_any(have) || place_is_any(want) || place_equal(have, want);
    /* [::] takes IPv4 too, unless it was told not to. */
    return (have->family == AF_INET6 && place_is_any(have) && dual) ||
           (want->family == AF_INET6 && place_is_any(want));
}

static int on_bound(const struct inet_diag_msg *socket, size_t len, void *userdata)
{
    struct bound *bound = userdata;
    struct place have = tuple_of(socket).local;
    bool exact = place_equal(&have, &bound->want);

    if (bound->found == BOUND_EXACT || (bound->found == BOUND_ANY && !exact))
        return 0;
    if (!is_in_the_way(bound, &have, !is_v6only(socket, len)))
        return 0;
    *bound->ret = owner_of(socket);
    bound->found = exact ? BOUND_EXACT : BOUND_ANY;
    return 0;
}

int sockdiag_bound(int protocol, const struct sockaddr *local, struct sockdiag_owner *ret)
{
    static const int families[] = { AF_INET, AF_INET6 };
    uint32_t states = protocol == IPPROTO_TCP ? 1u << TCP_LISTEN : ~0u;
    struct bound bound = { .ret = ret };
    int r = place_read(local, &bound.want);

    if (r < 0)
        return r;
    for (int i = 0; i < 2; i++) {
        struct request request = request_new(families[i], protocol, states, NLM_F_DUMP);

        request.body.id.idiag_sport = bound.want.port; /* the kernel passes over all others */
        r = diag_ask(&request, on_bound, &bound);
        if (r < 0 && r != -ENOENT) /* a kernel without IPv6 */
            return r;
    }
    return bound.found ? 0 : -ENOENT;
}

struct connections {
    sockdiag_connection_fn fn;
    void *userdata;
};

static struct sockaddr_storage address_of(const struct place *place)
{
    struct sockaddr_storage address = { .ss_family = (sa_family_t)place->family };
    struct sockaddr_in *in4 = (struct sockaddr_in *)&address;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&address;

    if (place->family == AF_INET) {
        in4->sin_port = place->port;
        memcpy(&in4->sin_addr, place->addr, sizeof(in4->sin_addr));
    } else {
        in6->sin6_port = place->port;
        memcpy(&in6->sin6_addr, place->addr, sizeof(in6->sin6_addr));
    }
    return address;
}

static int on_open(const struct inet_diag_msg *socket, size_t len, void *userdata)
{
    const struct connections *connections = userdata;
    struct tuple tuple = tuple_of(socket);
    const struct sockdiag_connection connection = {
        .local = address_of(&tuple.local),
        .remote = address_of(&tuple.remote),
        .inode = socket->idiag_inode,
        .made = socket->idiag_state != TCP_SYN_SENT,
    };

    return connections->fn(&connection, connections->userdata);
}

int sockdiag_connections(sockdiag_connection_fn fn, void *userdata)
{
    static const int families[] = { AF_INET, AF_INET6 };
    struct connections connections = { .fn = fn, .userdata = userdata };

    for (int i = 0; i < 2; i++) {
        struct request request =
            request_new(families[i], IPPROTO_TCP, OPEN_STATES | 1u << TCP_SYN_SENT, NLM_F_DUMP);
        int r = diag_ask(&request, on_open, &connections);

        if (r < 0 && r != -ENOENT) /* a kernel without IPv6 */
            return r;
    }
    return 0;
}
