/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/ways.h"

#include <errno.h>
#include <limits.h>
#include <linux/rtnetlink.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "common/scope.h"
#include "net/route-socket.h"
#include "net/sysctl.h"

struct ways {
    struct way *list;
    size_t count;
};

static void nl_cache_freep(struct nl_cache **cache)
{
    nl_cache_free(*cache);
}

/* '\0' where there is no such setting. */
static char setting(const char *device, const char *name)
{
    char path[PATH_MAX], value[16];

    snprintf(path, sizeof(path), "net/ipv6/conf/%s/%s", device, name);
    return sysctl_read(path, value, sizeof(value)) == 0 ? *value : '\0';
}

static bool is_bridge(struct rtnl_link *link)
{
    const char *type = link ? rtnl_link_get_type(link) : NULL;

    return type && strcmp(type, "bridge") == 0;
}

static void add_device(struct ways *ways, struct nl_cache *links, struct rtnl_link *link)
{
    struct rtnl_link *master = rtnl_link_get(links, rtnl_link_get_master(link));
    struct way *way = &ways->list[ways->count++];
    char accept_ra;

    snprintf(way->device, sizeof(way->device), "%s", rtnl_link_get_name(link));
    way->ifindex = (unsigned)rtnl_link_get_ifindex(link);
    if (is_bridge(master))
        snprintf(way->bridge, sizeof(way->bridge), "%s", rtnl_link_get_name(master));
    rtnl_link_put(master);
    accept_ra = setting(way->device, "accept_ra");
    way->hears = accept_ra == '1' && setting(way->device, "forwarding") == '0';
    way->hears_always = accept_ra == '2';
}

static int add_devices(struct ways *ways, struct nl_sock *sock)
{
    _cleanup_(nl_cache_freep) struct nl_cache *links = NULL;
    int r = rtnl_link_alloc_cache(sock, AF_UNSPEC, &links);

    if (r < 0)
        return route_errno(r);
    ways->list = calloc((size_t)nl_cache_nitems(links) + 1, sizeof(*ways->list));
    if (!ways->list)
        return -ENOMEM;
    for (struct nl_object *o = nl_cache_get_first(links); o; o = nl_cache_get_next(o))
        add_device(ways, links, (struct rtnl_link *)o);
    return 0;
}

static bool is_default(struct rtnl_route *route)
{
    return nl_addr_get_prefixlen(rtnl_route_get_dst(route)) == 0 &&
           rtnl_route_get_type(route) == RTN_UNICAST &&
           rtnl_route_get_table(route) == RT_TABLE_MAIN;
}

static void mark(struct ways *ways, struct rtnl_route *route, int family)
{
    for (int i = 0; i < rtnl_route_get_nnexthops(route); i++) {
        unsigned ifindex = (unsigned)rtnl_route_nh_get_ifindex(rtnl_route_nexthop_n(route, i));

        for (size_t k = 0; k < ways->count; k++) {
            ways->list[k].default_v4 |= ways->list[k].ifindex == ifindex && family == AF_INET;
            ways->list[k].default_v6 |= ways->list[k].ifindex == ifindex && family == AF_INET6;
        }
    }
}

static int mark_defaults(struct ways *ways, struct nl_sock *sock, int family)
{
    _cleanup_(nl_cache_freep) struct nl_cache *cache = NULL;
    int r = rtnl_route_alloc_cache(sock, family, 0, &cache);

    if (r < 0)
        return route_errno(r);
    for (struct nl_object *o = nl_cache_get_first(cache); o; o = nl_cache_get_next(o))
        if (is_default((struct rtnl_route *)o))
            mark(ways, (struct rtnl_route *)o, family);
    return 0;
}

int ways_list(struct way **ret, size_t *ret_count)
{
    _cleanup_(nl_socket_freep) struct nl_sock *sock = NULL;
    struct ways ways = { 0 };
    int r = route_open(&sock);

    if (r == 0)
        r = add_devices(&ways, sock);
    if (r == 0)
        r = mark_defaults(&ways, sock, AF_INET);
    if (r == 0)
        r = mark_defaults(&ways, sock, AF_INET6);
    if (r < 0) {
        free(ways.list);
        return r;
    }
    *ret = ways.list;
    *ret_count = ways.count;
    return 0;
}
