/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A group of IP multicast: one segment for all who are in it, as QEMU's mcast= and socat have it; a
 * datagram is a frame. We have two sockets. One is bound to the group's address and port, which
 * everybody in it shares (the one place where SO_REUSEADDR is right), and is a member on one
 * device: it hears that group there, and nothing that is sent to the port otherwise. The other one
 * sends, connected to the group, from a port of its own.
 *
 * The kernel gives everyone in the group what is sent on their own host, the sender too, and
 * stations on one host that send from the group's port, as QEMU does, all have the same address. So
 * a port of our own is how we know ourselves: a filter on the hearing socket lets go of what comes
 * from the sending one's very address, and of nothing else; another relay on this host is heard.
 * That others take frames from any port has been tried with QEMU 7.2, which looks at no address,
 * and socat 1.7.4 with bind=:PORT. (Its sourceport= takes nobody's frames, QEMU's neither; later
 * versions of socat take those from the group's port, so that option has to be left out there.)
 */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "common/scope.h"
#include "net/address.h"
#include "relay/attachment.h"
#include "relay/datagram.h"
#include "relay/device-watch.h"
#include "relay/keeper.h"

#define TTL_DEFAULT 1 /* this link only */

#define container(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

static int set(int fd, int level, int option, const void *value, size_t len)
{
    return setsockopt(fd, level, option, value, (socklen_t)len) < 0 ? -errno : 0;
}

static int set_int(int fd, int level, int option, int value)
{
    return set(fd, level, option, &value, sizeof(value));
}

static int family_of(const struct attachment *a)
{
    return a->remote.storage.ss_family;
}

static const struct sockaddr *group_of(const struct attachment *a)
{
    return (const struct sockaddr *)&a->remote.storage;
}

/* A group of IPv6 is another one on each device. */
static void set_scope(struct inet_address *address, int ifindex)
{
    if (address->storage.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)&address->storage)->sin6_scope_id = (uint32_t)ifindex;
}

/* The device that the kernel would take. */
static int routed_device(const struct attachment *a)
{
    _cleanup_(closep) int fd = socket(family_of(a), SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct inet_address ours = { .len = sizeof(ours.storage) };

    if (fd < 0 || connect(fd, group_of(a), a->remote.len) < 0 ||
        getsockname(fd, (struct sockaddr *)&ours.storage, &ours.len) < 0)
        return -errno;
    return address_device((struct sockaddr *)&ours.storage);
}

/* The device that the endpoint names, by its index. Where it is named by an address, frames are
 * sent from there. */
static int find_device(struct attachment *a, struct inet_address *from)
{
    struct endpoint_address named = { .host = "" };
    int ifindex;

    inet_any(from, family_of(a), 0);
    if (!*a->endpoint.mcast_if)
        return routed_device(a);
    memcpy(named.host, a->endpoint.mcast_if, sizeof(named.host));
    if (inet_parse(from, &named) == 0)
        return from->storage.ss_family == family_of(a)
                   ? address_device((struct sockaddr *)&from->storage)
                   : -EAFNOSUPPORT;
    inet_any(from, family_of(a), 0);
    ifindex = (int)if_nametoindex(a->endpoint.mcast_if);
    return ifindex ? ifindex : -ENODEV;
}

/* Left to itself the kernel takes an address of any other device for the loopback. */
static void set_own_address(const struct attachment *a, struct inet_address *from)
{
    _cleanup_(closep) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in *v4 = (struct sockaddr_in *)&from->storage;
    struct ifreq request = { 0 };

    if (from->storage.ss_family != AF_INET || v4->sin_addr.s_addr)
        return;
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", a->ifname);
    if (fd >= 0 && ioctl(fd, SIOCGIFADDR, &request) == 0)
        v4->sin_addr = ((const struct sockaddr_in *)&request.ifr_addr)->sin_addr;
}

static int refuse(const struct attachment *a, int r, char error[ATTACHMENT_TEXT_MAX])
{
    const char *named = a->endpoint.mcast_if;
    char group[INET_TEXT_MAX];

    inet_format(&a->remote, group);
    if (r == -ENODEV)
        snprintf(error, ATTACHMENT_TEXT_MAX, "%s: there is no such device", named);
    else if (r == -EADDRNOTAVAIL && a->ifindex) /* one of IPv6 is not ready at once */
        snprintf(error, ATTACHMENT_TEXT_MAX, "%s has no address to send from", a->ifname);
    else if (r == -EADDRNOTAVAIL && *named)
        snprintf(error, ATTACHMENT_TEXT_MAX, "%s is not an address of this host", named);
    else if (r == -EAFNOSUPPORT && *named)
        snprintf(error, ATTACHMENT_TEXT_MAX, "%s is not of the family of %s", named, group);
    else if ((r == -ENETUNREACH || r == -EADDRNOTAVAIL) && !*named)
        snprintf(error, ATTACHMENT_TEXT_MAX,
                 "no route leads to %s: name a device, as in %s@lo for this host alone, or add a "
                 "route",
                 group, a->text);
    else if (r == -ENETUNREACH && family_of(a) == AF_INET6)
        snprintf(error, ATTACHMENT_TEXT_MAX,
                 "no route leads to %s by %s; the loopback carries multicast of IPv4 only", group,
                 a->ifname);
    else if (r == -EADDRINUSE)
        inet_refused(IPPROTO_UDP, &a->remote, r, error, ATTACHMENT_TEXT_MAX);
    else
        snprintf(error, ATTACHMENT_TEXT_MAX, "%s cannot be joined: %s", a->text, strerror(-r));
    return r;
}

static int join_v4(int fd, const struct attachment *a)
{
    struct ip_mreqn request = {
        .imr_multiaddr = ((const struct sockaddr_in *)group_of(a))->sin_addr,
        .imr_ifindex = a->ifindex,
    };
    int r = set_int(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0); /* memberships of this socket alone */

    return r < 0 ? r : set(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof(request));
}

static int join_v6(int fd, const struct attachment *a)
{
    struct ipv6_mreq request = {
        .ipv6mr_multiaddr = ((const struct sockaddr_in6 *)group_of(a))->sin6_addr,
        .ipv6mr_interface = (unsigned)a->ifindex,
    };
    int r = set_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0);

    return r < 0 ? r : set(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &request, sizeof(request));
}

/* Deaf still. */
static int hearing_socket(const struct attachment *a)
{
    _cleanup_(closep) int fd = socket(family_of(a), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int r;

    if (fd < 0)
        return -errno;
    r = datagram_deafen(fd);
    if (r == 0)
        r = set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (r == 0)
        r = family_of(a) == AF_INET ? join_v4(fd, a) : join_v6(fd, a);
    if (r == 0 && bind(fd, group_of(a), a->remote.len) < 0)
        r = -errno;
    if (r < 0)
        return r;
    datagram_buffer(fd);
    if (set_int(fd, IPPROTO_UDP, UDP_GRO, 1) < 0)
        log_debug("%s gets its datagrams one by one", a->text);
    return steal_fd(&fd);
}

static int aim_v4(int fd, const struct attachment *a, int ttl)
{
    struct ip_mreqn device = { .imr_ifindex = a->ifindex };
    int r = set(fd, IPPROTO_IP, IP_MULTICAST_IF, &device, sizeof(device));

    if (r == 0)
        r = set_int(fd, IPPROTO_IP, IP_MULTICAST_TTL, ttl);
    return r < 0 ? r : set_int(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 1);
}

static int aim_v6(int fd, const struct attachment *a, int ttl)
{
    int r = set_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, a->ifindex);

    if (r == 0)
        r = set_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, ttl);
    return r < 0 ? r : set_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 1);
}

/* Its address, which nobody else has, goes to *ours. */
static int sending_socket(const struct attachment *a, const struct inet_address *from,
                          struct inet_address *ours)
{
    _cleanup_(closep) int fd = socket(family_of(a), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int ttl = a->endpoint.ttl ? a->endpoint.ttl : TTL_DEFAULT, r;

    if (fd < 0)
        return -errno;
    r = datagram_deafen(fd);
    if (r == 0)
        r = family_of(a) == AF_INET ? aim_v4(fd, a, ttl) : aim_v6(fd, a, ttl);
    if (r < 0)
        return r;
    ours->len = sizeof(ours->storage);
    if (bind(fd, (const struct sockaddr *)&from->storage, from->len) < 0 ||
        connect(fd, group_of(a), a->remote.len) < 0 ||
        getsockname(fd, (struct sockaddr *)&ours->storage, &ours->len) < 0)
        return -errno;
    return steal_fd(&fd);
}

static int mcast_hold(struct attachment *a, const struct inet_address *from)
{
    _cleanup_(closep) int in = hearing_socket(a);
    _cleanup_(closep) int out = in < 0 ? -1 : sending_socket(a, from, &a->local);
    int r = in < 0 ? in : out;

    if (r >= 0)
        r = datagram_hear_others(in, &a->local);
    if (r >= 0)
        r = keeper_hold(a->keeper, a, PORT_UDP, in, out, a->ifname);
    if (r < 0)
        return r;
    steal_fd(&in);
    steal_fd(&out);
    return 0;
}

static int mcast_open(struct attachment *a, char error[ATTACHMENT_TEXT_MAX])
{
    struct inet_address from;
    int r;

    a->ifindex = 0;
    r = find_device(a, &from);

    if (r > 0 && !if_indextoname((unsigned)r, a->ifname))
        r = -ENODEV;
    if (r > 0) {
        a->ifindex = r;
        set_scope(&a->remote, r);
        set_scope(&from, r);
        set_own_address(a, &from);
        r = mcast_hold(a, &from);
    }
    if (r < 0)
        return refuse(a, r, error);
    a->up_ms = a->keeper->loop.now_ms;
    attachment_set_state(a, CTL_ENDPOINT_UP, a->ifname);
    return 0;
}

static void on_retry(struct loop_timer *timer)
{
    struct attachment *a = container(timer, struct attachment, timer);
    char error[ATTACHMENT_TEXT_MAX];

    if (mcast_open(a, error) < 0)
        attachment_retry_later(a, error);
    else
        log_limited(LOG_LEVEL_NOTICE, "%s is attached again", a->text);
}

static int mcast_start(struct attachment *a, int passed_fd, char error[ATTACHMENT_TEXT_MAX])
{
    a->timer.on_timer = on_retry;
    if (inet_parse(&a->remote, &a->endpoint.remote) < 0) {
        snprintf(error, ATTACHMENT_TEXT_MAX, "%s has no group", a->text);
        return -EINVAL;
    }
    device_watch(a->keeper);
    return mcast_open(a, error);
}

static void mcast_stop(struct attachment *a)
{
    /* the sockets are a port's */
}

static void mcast_port_gone(struct attachment *a)
{
    bool steady = a->keeper->loop.now_ms - a->up_ms >= ATTACHMENT_STEADY_MS;

    if (steady)
        a->retry_ms = ATTACHMENT_RETRY_MIN;
    attachment_set_state(a, CTL_ENDPOINT_DIALLING, "");
    loop_timer_in(&a->keeper->loop, &a->timer, steady ? 0 : a->retry_ms);
}

/* Where a device has gone, its memberships have too, also when it is made again; and the address
 * that we send from has to be one of ours. */
static bool is_there(const struct attachment *a)
{
    char ifname[IF_NAMESIZE];

    return if_indextoname((unsigned)a->ifindex, ifname) && strcmp(ifname, a->ifname) == 0 &&
           address_device((const struct sockaddr *)&a->local.storage) > 0;
}

static void mcast_devices_changed(struct attachment *a)
{
    if (a->state != CTL_ENDPOINT_UP)
        loop_timer_in(&a->keeper->loop, &a->timer, 0);
    else if (!is_there(a))
        keeper_close_port(a->keeper, attachment_port(a));
}

const struct attachment_ops mcast_ops = {
    .start = mcast_start,
    .stop = mcast_stop,
    .port_gone = mcast_port_gone,
    .devices_changed = mcast_devices_changed,
};
