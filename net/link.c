/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/link.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <netlink/route/link/macvlan.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include "common/scope.h"
#include "net/route-socket.h"

#define DRAIN_MAX 1024 /* messages at a time; the descriptor stays readable for the rest */

static void rtnl_link_putp(struct rtnl_link **link)
{
    rtnl_link_put(*link);
}

static void nl_cache_freep(struct nl_cache **cache)
{
    nl_cache_free(*cache);
}

static void nl_addr_putp(struct nl_addr **addr)
{
    nl_addr_put(*addr);
}

/* It takes what comes in by the device under it. */
static bool takes_frames(struct rtnl_link *link)
{
    static const char *const kinds[] = { "macvlan", "macvtap", "ipvlan", "ipvtap" };
    const char *type = rtnl_link_get_type(link);

    for (size_t i = 0; type && i < sizeof(kinds) / sizeof(*kinds); i++)
        if (strcmp(type, kinds[i]) == 0)
            return true;
    return false;
}

/* A macvlan that has its device for itself gets all that comes in there. */
static bool is_narrow(struct rtnl_link *link)
{
    return takes_frames(link) && !(rtnl_link_is_macvlan(link) &&
                                   rtnl_link_macvlan_get_mode(link) == MACVLAN_MODE_PASSTHRU);
}

int link_get(const char *ifname, struct link_state *ret)
{
    _cleanup_(nl_socket_freep) struct nl_sock *sock = NULL;
    _cleanup_(rtnl_link_putp) struct rtnl_link *link = NULL;
    const struct nl_addr *addr;
    const char *type;
    int r;

    if (!ifname[0] || strlen(ifname) >= IFNAMSIZ)
        return -ENODEV;
    r = route_open(&sock);
    if (r < 0)
        return r;
    r = rtnl_link_get_kernel(sock, 0, ifname, &link);
    if (r < 0)
        return route_errno(r);

    type = rtnl_link_get_type(link);
    addr = rtnl_link_get_addr(link);
    *ret = (struct link_state){
        .ifindex = rtnl_link_get_ifindex(link),
        .master = rtnl_link_get_master(link),
        .mtu = rtnl_link_get_mtu(link),
        .up = rtnl_link_get_flags(link) & IFF_UP,
        .bridge = type && strcmp(type, "bridge") == 0,
        .ethernet = rtnl_link_get_arptype(link) == ARPHRD_ETHER,
        .narrow = is_narrow(link),
    };
    (void)rtnl_link_get_carrier_changes(link, &ret->carrier_changes); /* else 0 */
    if (addr && nl_addr_get_len(addr) == MAC_LEN)
        memcpy(ret->mac.b, nl_addr_get_binary_addr(addr), MAC_LEN);
    return 0;
}

int link_set(int ifindex, const struct link_change *change)
{
    _cleanup_(nl_socket_freep) struct nl_sock *sock = NULL;
    _cleanup_(rtnl_link_putp) struct rtnl_link *which = rtnl_link_alloc();
    _cleanup_(rtnl_link_putp) struct rtnl_link *link = rtnl_link_alloc();
    _cleanup_(nl_addr_putp) struct nl_addr *addr = NULL;
    int r;

    if (!which || !link)
        return -ENOMEM;
    rtnl_link_set_ifindex(which, ifindex);
    if (change->mtu)
        rtnl_link_set_mtu(link, change->mtu);
    if (change->mac) {
        addr = nl_addr_build(AF_LLC, change->mac->b, MAC_LEN);
        if (!addr)
            return -ENOMEM;
        rtnl_link_set_addr(link, addr); /* takes a reference of its own */
    }
    if (change->master)
        rtnl_link_set_master(link, change->master > 0 ? change->master : 0);
    if (change->up)
        rtnl_link_set_flags(link, IFF_UP);
    if (change->down)
        rtnl_link_unset_flags(link, IFF_UP);

    r = route_open(&sock);
    if (r < 0)
        return r;
    r = rtnl_link_change(sock, which, link, 0);
    return r < 0 ? route_errno(r) : 0;
}

/* The last of all devices to which this applies; "": there is none. */
static int find_link(bool (*applies)(struct rtnl_link *link, int ifindex), int ifindex,
                     char ret_ifname[LINK_NAME_MAX])
{
    _cleanup_(nl_socket_freep) struct nl_sock *sock = NULL;
    _cleanup_(nl_cache_freep) struct nl_cache *cache = NULL;
    int r = route_open(&sock);

    if (r < 0)
        return r;
    r = rtnl_link_alloc_cache(sock, AF_UNSPEC, &cache);
    if (r < 0)
        return route_errno(r);
    ret_ifname[0] = '\0';
    for (struct nl_object *o = nl_cache_get_first(cache); o; o = nl_cache_get_next(o)) {
        struct rtnl_link *link = (struct rtnl_link *)o;

        if (applies(link, ifindex))
            snprintf(ret_ifname, LINK_NAME_MAX, "%s", rtnl_link_get_name(link));
    }
    return 0;
}

static bool is_member(struct rtnl_link *link, int ifindex)
{
    return rtnl_link_get_master(link) == ifindex;
}

int link_has_members(int ifindex, bool *ret)
{
    char member[LINK_NAME_MAX];
    int r = find_link(is_member, ifindex, member);

    if (r == 0)
        *ret = *member != '\0';
    return r;
}

/* What is plugged in has no type of the kernel's; a VLAN, a bond or a tunnel has one. */
static bool stays_inside(struct rtnl_link *link)
{
    static const char *const inside[] = { "tun", "veth", "dummy" };
    const char *type = rtnl_link_get_type(link);

    for (size_t i = 0; type && i < sizeof(inside) / sizeof(*inside); i++)
        if (strcmp(type, inside[i]) == 0)
            return true;
    return false;
}

static bool leads_out(struct rtnl_link *link, int ifindex)
{
    return is_member(link, ifindex) && !stays_inside(link);
}

int link_way_out(int ifindex, char ret_ifname[LINK_NAME_MAX])
{
    return find_link(leads_out, ifindex, ret_ifname);
}

static bool takes_frames_of(struct rtnl_link *link, int ifindex)
{
    return rtnl_link_get_link(link) == ifindex && takes_frames(link);
}

int link_taken_by(int ifindex, char ret_ifname[LINK_NAME_MAX])
{
    return find_link(takes_frames_of, ifindex, ret_ifname);
}

int link_add_bridge(const char *ifname, struct mac mac)
{
    _cleanup_(nl_socket_freep) struct nl_sock *sock = NULL;
    _cleanup_(rtnl_link_putp) struct rtnl_link *link = rtnl_link_alloc();
    _cleanup_(nl_addr_putp) struct nl_addr *addr = nl_addr_build(AF_LLC, mac.b, MAC_LEN);
    int r;

    if (strchr(ifname, '%')) /* a pattern: the kernel would choose another name */
        return -EINVAL;
    if (!link || !addr || rtnl_link_set_type(link, "bridge") < 0)
        return -ENOMEM;
    rtnl_link_set_name(link, ifname);
    rtnl_link_set_addr(link, addr);
    r = route_open(&sock);
    if (r < 0)
        return r;
    r = rtnl_link_add(sock, link, NLM_F_CREATE | NLM_F_EXCL);
    return r < 0 ? route_errno(r) : 0;
}

int link_remove(int ifindex)
{
    _cleanup_(nl_socket_freep) struct nl_sock *sock = NULL;
    _cleanup_(rtnl_link_putp) struct rtnl_link *link = rtnl_link_alloc();
    int r;

    if (!link)
        return -ENOMEM;
    rtnl_link_set_ifindex(link, ifindex);
    r = route_open(&sock);
    if (r < 0)
        return r;
    r = rtnl_link_delete(sock, link);
    return r < 0 ? route_errno(r) : 0;
}

int link_monitor_open(void)
{
    _cleanup_(closep) int fd =
        socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
    struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };

    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        return -errno;
    return steal_fd(&fd);
}

static void add_group(int fd, int group)
{
    (void)setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group));
}

void link_monitor_add_addresses(int fd)
{
    add_group(fd, RTNLGRP_IPV4_IFADDR);
    add_group(fd, RTNLGRP_IPV6_IFADDR);
}

void link_monitor_add_routes(int fd)
{
    add_group(fd, RTNLGRP_IPV4_ROUTE);
    add_group(fd, RTNLGRP_IPV6_ROUTE);
}

void link_monitor_drain(int fd)
{
    char buf[256]; /* what they say does not matter: the rest of each is cut off */

    for (int i = 0; i < DRAIN_MAX; i++) {
        /* ENOBUFS says that some were lost, which changes nothing: "look again". */
        if (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) < 0 && errno != ENOBUFS && errno != EINTR)
            return;
    }
}
