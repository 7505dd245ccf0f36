/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/scope.h"
#include "net/route-socket.h"
#include "net/sysctl.h"

/* False: not an IP address, or one of 127.0.0.0/8. */
static bool to_text(const struct sockaddr *addr, char buf[INET6_ADDRSTRLEN])
{
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;

    if (!addr)
        return false;
    if (addr->sa_family == AF_INET) {
        memcpy(&in4, addr, sizeof(in4));
        return ntohl(in4.sin_addr.s_addr) >> 24 != IN_LOOPBACKNET &&
               inet_ntop(AF_INET, &in4.sin_addr, buf, INET6_ADDRSTRLEN);
    }
    if (addr->sa_family == AF_INET6) {
        memcpy(&in6, addr, sizeof(in6));
        return inet_ntop(AF_INET6, &in6.sin6_addr, buf, INET6_ADDRSTRLEN);
    }
    return false;
}

static int list_fill(const struct ifaddrs *all, char **list, size_t *ret_count)
{
    char text[INET6_ADDRSTRLEN];

    for (const struct ifaddrs *a = all; a; a = a->ifa_next) {
        if (!to_text(a->ifa_addr, text))
            continue;
        list[*ret_count] = strdup(text);
        if (!list[*ret_count])
            return -ENOMEM;
        (*ret_count)++;
    }
    return 0;
}

int address_list(char ***ret, size_t *ret_count)
{
    struct ifaddrs *all = NULL;
    size_t room = 1, count = 0;
    char **list;
    int r;

    if (getifaddrs(&all) < 0)
        return -errno;
    for (const struct ifaddrs *a = all; a; a = a->ifa_next)
        room++;
    list = calloc(room, sizeof(*list));
    r = list ? list_fill(all, list, &count) : -ENOMEM;
    freeifaddrs(all);
    if (r < 0) {
        address_list_free(list, count);
        return r;
    }
    *ret = list;
    *ret_count = count;
    return 0;
}

void address_list_free(char **list, size_t count)
{
    if (!list)
        return;
    for (size_t i = 0; i < count; i++)
        free(list[i]);
    free(list);
}

static bool is_same(const struct sockaddr *a, const struct sockaddr *b)
{
    const struct sockaddr_in *a4 = (const struct sockaddr_in *)a;
    const struct sockaddr_in *b4 = (const struct sockaddr_in *)b;
    const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)a;
    const struct sockaddr_in6 *b6 = (const struct sockaddr_in6 *)b;

    if (!b || a->sa_family != b->sa_family)
        return false;
    if (a->sa_family == AF_INET)
        return a4->sin_addr.s_addr == b4->sin_addr.s_addr;
    return memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof(a6->sin6_addr)) == 0 &&
           (!a6->sin6_scope_id || a6->sin6_scope_id == b6->sin6_scope_id);
}

static bool is_loopback(const struct sockaddr *address)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;

    return address->sa_family == AF_INET && ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

int address_device(const struct sockaddr *address)
{
    struct ifaddrs *all = NULL;
    int ifindex = 0;

    if (getifaddrs(&all) < 0)
        return -errno;
    for (const struct ifaddrs *a = all; a && !ifindex; a = a->ifa_next)
        if (is_loopback(address) ? a->ifa_flags & IFF_LOOPBACK : is_same(address, a->ifa_addr))
            ifindex = (int)if_nametoindex(a->ifa_name);
    freeifaddrs(all);
    return ifindex ? ifindex : -EADDRNOTAVAIL;
}

static void nl_addr_putp(struct nl_addr **addr)
{
    nl_addr_put(*addr);
}

static void rtnl_addr_putp(struct rtnl_addr **addr)
{
    rtnl_addr_put(*addr);
}

static void nl_cache_freep(struct nl_cache **cache)
{
    nl_cache_free(*cache);
}

static int entry_new(int ifindex, const char *address, struct rtnl_addr **ret)
{
    _cleanup_(rtnl_addr_putp) struct rtnl_addr *entry = rtnl_addr_alloc();
    _cleanup_(nl_addr_putp) struct nl_addr *local = NULL;

    if (!entry)
        return -ENOMEM;
    if (nl_addr_parse(address, AF_UNSPEC, &local) < 0)
        return -EINVAL;
    rtnl_addr_set_ifindex(entry, ifindex);
    rtnl_addr_set_local(entry, local); /* takes a reference of its own */
    *ret = steal_ptr(&entry);
    return 0;
}

/* Of the kernel, by rtnl_addr_add() or rtnl_addr_delete(). */
static int request(int ifindex, const char *address,
                   int (*ask)(struct nl_sock *, struct rtnl_addr *, int))
{
    _cleanup_(nl_socket_freep) struct nl_sock *sock = NULL;
    _cleanup_(rtnl_addr_putp) struct rtnl_addr *entry = NULL;
    int r = entry_new(ifindex, address, &entry);

    if (r == 0)
        r = route_open(&sock);
    if (r < 0)
        return r;
    r = ask(sock, entry, 0);
    return r < 0 ? route_errno(r) : 0;
}

int address_add(int ifindex, const char *address)
{
    return request(ifindex, address, rtnl_addr_add);
}

static int cache_get(struct nl_cache **ret)
{
    _cleanup_(nl_socket_freep) struct nl_sock *sock = NULL;
    int r = route_open(&sock);

    if (r < 0)
        return r;
    r = rtnl_addr_alloc_cache(sock, ret);
    return r < 0 ? route_errno(r) : 0;
}

/* An address without a subnet is in nobody's way, unless it is the same. */
static bool in_its_way(const struct nl_addr *local, const struct nl_addr *subnet)
{
    unsigned length = nl_addr_get_len(subnet);

    if (nl_addr_get_prefixlen(subnet) < 8 * length)
        return nl_addr_cmp_prefix(local, subnet) == 0;
    return nl_addr_get_len(local) == length &&
           memcmp(nl_addr_get_binary_addr(local), nl_addr_get_binary_addr(subnet), length) == 0;
}

int address_is_elsewhere(int ifindex, const char *address, bool *ret)
{
    _cleanup_(nl_cache_freep) struct nl_cache *cache = NULL;
    _cleanup_(nl_addr_putp) struct nl_addr *subnet = NULL;
    int r = nl_addr_parse(address, AF_UNSPEC, &subnet) < 0 ? -EINVAL : cache_get(&cache);

    *ret = false;
    if (r < 0)
        return r;
    for (struct nl_object *o = nl_cache_get_first(cache); o && !*ret; o = nl_cache_get_next(o)) {
        struct rtnl_addr *entry = (struct rtnl_addr *)o;
        const struct nl_addr *local = rtnl_addr_get_local(entry);

        *ret = rtnl_addr_get_ifindex(entry) != ifindex && local &&
               rtnl_addr_get_scope(entry) != RT_SCOPE_LINK && in_its_way(local, subnet);
    }
    return 0;
}

/* The device's next one, or its first, that is like this address; NULL: there is none. */
static struct rtnl_addr *find(struct nl_object *from, int ifindex, const struct nl_addr *like,
                              int (*compare)(const struct nl_addr *a, const struct nl_addr *b))
{
    for (struct nl_object *o = from; o; o = nl_cache_get_next(o)) {
        struct rtnl_addr *entry = (struct rtnl_addr *)o;
        const struct nl_addr *local = rtnl_addr_get_local(entry);

        if (rtnl_addr_get_ifindex(entry) == ifindex && local && compare(local, like) == 0)
            return entry;
    }
    return NULL;
}

int address_is_set(int ifindex, const char *address, bool *ret)
{
    _cleanup_(nl_cache_freep) struct nl_cache *cache = NULL;
    _cleanup_(nl_addr_putp) struct nl_addr *local = NULL;
    int r = nl_addr_parse(address, AF_UNSPEC, &local) < 0 ? -EINVAL : cache_get(&cache);

    if (r < 0)
        return r;
    /* It compares the prefix's length, too. */
    *ret = find(nl_cache_get_first(cache), ifindex, local, nl_addr_cmp);
    return 0;
}

/* IPv4 only: it is the first of a subnet, and there are others. */
static int leads_others(int ifindex, const char *address, bool *ret)
{
    _cleanup_(nl_cache_freep) struct nl_cache *cache = NULL;
    _cleanup_(nl_addr_putp) struct nl_addr *local = NULL;
    int r = nl_addr_parse(address, AF_UNSPEC, &local) < 0 ? -EINVAL : cache_get(&cache);
    struct rtnl_addr *entry, *other;

    if (r < 0)
        return r;
    entry = find(nl_cache_get_first(cache), ifindex, local, nl_addr_cmp);
    other = find(nl_cache_get_first(cache), ifindex, local, nl_addr_cmp_prefix);
    if (other == entry && other)
        other =
            find(nl_cache_get_next((struct nl_object *)other), ifindex, local, nl_addr_cmp_prefix);
    *ret = entry && other && rtnl_addr_get_family(entry) == AF_INET &&
           !(rtnl_addr_get_flags(entry) & IFA_F_SECONDARY);
    return 0;
}

/*
 * The first address of a subnet takes the others with it where they are not promoted. A SIGKILL in
 * here leaves them to be promoted on this device, which is less than an address that is lost.
 */
static int delete_first(int ifindex, const char *address)
{
    char name[IF_NAMESIZE], path[64 + IF_NAMESIZE], before[16];
    int r;

    if (!if_indextoname((unsigned)ifindex, name))
        return -errno;
    snprintf(path, sizeof(path), "net/ipv4/conf/%s/promote_secondaries", name);
    r = sysctl_read(path, before, sizeof(before));
    if (r == 0)
        r = sysctl_write(path, "1");
    if (r < 0)
        return r;
    r = request(ifindex, address, rtnl_addr_delete);
    (void)sysctl_write(path, before);
    return r;
}

int address_remove(int ifindex, const char *address)
{
    bool first;
    int r = leads_others(ifindex, address, &first);

    if (r < 0)
        return r;
    return first ? delete_first(ifindex, address) : request(ifindex, address, rtnl_addr_delete);
}
