/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/kernel-route.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <stdio.h>
#include <string.h>
#include "common/scope.h"
#include "net/route-socket.h"

static void nl_addr_putp(struct nl_addr **addr)
{
    nl_addr_put(*addr);
}

static void rtnl_route_putp(struct rtnl_route **route)
{
    rtnl_route_put(*route);
}

static void rtnl_neigh_putp(struct rtnl_neigh **neigh)
{
    rtnl_neigh_put(*neigh);
}

static void nl_cache_freep(struct nl_cache **cache)
{
    nl_cache_free(*cache);
}

static void nl_msg_freep(struct nl_msg **message)
{
    nlmsg_free(*message);
}

static void set_state(char ret[KERNEL_STATE_MAX], bool there)
{
    snprintf(ret, KERNEL_STATE_MAX, "%s", there ? "set" : "");
}

/* Routes: "192.0.2.10/32", or "192.0.2.16/28,192.168.9.2" with a gateway. */

struct place {
    struct nl_addr *destination, *gateway; /* or NULL */
    int ifindex;
};

static void place_done(struct place *place)
{
    nl_addr_put(place->destination);
    nl_addr_put(place->gateway);
}

/* -ENODEV: there is no such device. */
static int place_init(struct place *place, const struct host_change *change)
{
    char value[HOST_VALUE_MAX], *gateway = value;
    int family;

    snprintf(value, sizeof(value), "%s", change->value);
    if (nl_addr_parse(strsep(&gateway, ","), AF_UNSPEC, &place->destination) < 0)
        return -EINVAL;
    family = nl_addr_get_family(place->destination);
    if (gateway && nl_addr_parse(gateway, family, &place->gateway) < 0)
        return -EINVAL;
    place->ifindex = (int)if_nametoindex(change->device);
    return place->ifindex ? 0 : -ENODEV;
}

static bool same_gateway(const struct nl_addr *a, const struct nl_addr *b)
{
    return !a || !b ? a == b : nl_addr_cmp(a, b) == 0;
}

static bool is_route(struct rtnl_route *route, const struct place *place)
{
    struct rtnl_nexthop *hop = rtnl_route_nexthop_n(route, 0);

    return rtnl_route_get_nnexthops(route) == 1 && rtnl_route_get_table(route) == RT_TABLE_MAIN &&
           rtnl_route_nh_get_ifindex(hop) == place->ifindex &&
           nl_addr_cmp(rtnl_route_get_dst(route), place->destination) == 0 &&
           same_gateway(rtnl_route_nh_get_gateway(hop), place->gateway);
}

static int find_route(const struct place *place, bool *ret)
{
    _cleanup_(nl_socket_freep) struct nl_sock *sock = NULL;
    _cleanup_(nl_cache_freep) struct nl_cache *cache = NULL;
    int r = route_open(&sock);

    if (r < 0)
        return r;
    r = rtnl_route_alloc_cache(sock, nl_addr_get_family(place->destination), 0, &cache);
    if (r < 0)
        return route_errno(r);
    *ret = false;
    for (struct nl_object *o = nl_cache_get_first(cache); o && !*ret; o = nl_cache_get_next(o))
        *ret = is_route((struct rtnl_route *)o, place);
    return 0;
}

int host_route_look(const struct host_change *change, char ret[KERNEL_STATE_MAX])
{
    _cleanup_(place_done) struct place place = { 0 };
    bool there = false;
    int r = place_init(&place, change);

    if (r == 0)
        r = find_route(&place, &there);
    set_state(ret, there);
    return r == -ENODEV ? 0 : r;
}

static int route_new(const struct place *place, struct rtnl_route **ret)
{
    _cleanup_(rtnl_route_putp) struct rtnl_route *route = rtnl_route_alloc();
    struct rtnl_nexthop *hop = rtnl_route_nh_alloc();

    if (!route || !hop) {
        rtnl_route_nh_free(hop);
        return -ENOMEM;
    }
    rtnl_route_nh_set_ifindex(hop, place->ifindex);
    rtnl_route_nh_set_gateway(hop, place->gateway);
    rtnl_route_add_nexthop(route, hop); /* which owns it from here */
    rtnl_route_set_family(route, (uint8_t)nl_addr_get_family(place->destination));
    rtnl_route_set_table(route, RT_TABLE_MAIN);
    rtnl_route_set_protocol(route, RTPROT_STATIC);
    rtnl_route_set_scope(route, place->gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK);
    if (rtnl_route_set_dst(route, place->destination) < 0)
        return -EINVAL;
    *ret = steal_ptr(&route);
    return 0;
}

int host_route_put(const struct host_change *change, const char *state)
{
    _cleanup_(nl_socket_freep) struct nl_sock *sock = NULL;
    _cleanup_(rtnl_route_putp) struct rtnl_route *route = NULL;
    _cleanup_(place_done) struct place place = { 0 };
    bool there;
    int r = place_init(&place, change);

    if (r == 0)
        r = find_route(&place, &there);
    if (r < 0 || there == !!*state)
        return r;
    r = route_new(&place, &route);
    if (r == 0)
        r = route_open(&sock);
    if (r < 0)
        return r;
    r = *state ? rtnl_route_add(sock, route, NLM_F_EXCL) : rtnl_route_delete(sock, route, 0);
    return r < 0 ? route_errno(r) : 0;
}

/* Answers: the kernel says of the address that it is its own, in ARP or neighbour discovery. */

static int neigh_new(const struct host_change *change, struct rtnl_neigh **ret)
{
    _cleanup_(rtnl_neigh_putp) struct rtnl_neigh *neigh = rtnl_neigh_alloc();
    _cleanup_(nl_addr_putp) struct nl_addr *address = NULL;
    int ifindex = (int)if_nametoindex(change->device);

    if (!ifindex)
        return -ENODEV;
    if (!neigh)
        return -ENOMEM;
    if (nl_addr_parse(change->value, AF_UNSPEC, &address) < 0)
        return -EINVAL;
    rtnl_neigh_set_ifindex(neigh, ifindex);
    rtnl_neigh_set_flags(neigh, NTF_PROXY);
    rtnl_neigh_set_dst(neigh, address);
    *ret = steal_ptr(&neigh);
    return 0;
}

/* libnl cannot ask for one of them, but its message can be sent as a question. */
static int ask(struct rtnl_neigh *neigh)
{
    _cleanup_(nl_socket_freep) struct nl_sock *sock = NULL;
    _cleanup_(nl_msg_freep) struct nl_msg *message = NULL;
    int r = route_open(&sock);

    if (r == 0 && rtnl_neigh_build_add_request(neigh, 0, &message) < 0)
        r = -ENOMEM;
    if (r < 0)
        return r;
    nlmsg_hdr(message)->nlmsg_type = RTM_GETNEIGH;
    ((struct ndmsg *)nlmsg_data(nlmsg_hdr(message)))->ndm_state = 0;
    r = nl_send_sync(sock, steal_ptr(&message));
    return r < 0 ? r : 0;
}

int proxy_look(const struct host_change *change, char ret[KERNEL_STATE_MAX])
{
    _cleanup_(rtnl_neigh_putp) struct rtnl_neigh *neigh = NULL;
    int r = neigh_new(change, &neigh);
    int found = r == 0 ? ask(neigh) : -NLE_OBJ_NOTFOUND;

    set_state(ret, found == 0);
    if (r == -ENODEV || found == 0 || found == -NLE_OBJ_NOTFOUND)
        return 0;
    return r < 0 ? r : route_errno(found);
}

int proxy_put(const struct host_change *change, const char *state)
{
    _cleanup_(nl_socket_freep) struct nl_sock *sock = NULL;
    _cleanup_(rtnl_neigh_putp) struct rtnl_neigh *neigh = NULL;
    char now[KERNEL_STATE_MAX];
    int r = proxy_look(change, now);

    if (r < 0 || !*now == !*state)
        return r;
    r = neigh_new(change, &neigh);
    if (r == 0)
        r = route_open(&sock);
    if (r < 0)
        return r;
    r = *state ? rtnl_neigh_add(sock, neigh, NLM_F_CREATE) : rtnl_neigh_delete(sock, neigh, 0);
    return r < 0 ? route_errno(r) : 0;
}
