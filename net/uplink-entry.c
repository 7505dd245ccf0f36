/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/uplink-entry.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#define ADDRESS_PROTO    11 /* IFA_PROTO, which is new */
#define PROTO_ADVERTISED 2  /* IFAPROT_KERNEL_RA */
#define TICKS_PER_SECOND 100

/* What of an address's flags is somebody's will; the others only say how it is. */
#define OWN_FLAGS (IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR | IFA_F_NOPREFIXROUTE)

/* And of a next hop's. */
#define NEXT_HOP_FLAGS (RTNH_F_ONLINK | RTNH_F_PERVASIVE)

/* Reading */

static const struct ifaddrmsg *address_of(const struct uplink_entry *entry)
{
    return (const struct ifaddrmsg *)entry->body;
}

static const struct rtmsg *route_of(const struct uplink_entry *entry)
{
    return (const struct rtmsg *)entry->body;
}

bool uplink_entry_is_address(const struct uplink_entry *entry)
{
    return entry->type == RTM_NEWADDR;
}

static size_t header_size(const struct uplink_entry *entry)
{
    return NLMSG_ALIGN(uplink_entry_is_address(entry) ? sizeof(struct ifaddrmsg)
                                                      : sizeof(struct rtmsg));
}

/* The attributes, and their length: signed, for behind one that is not padded it is below zero. */
static const struct rtattr *attributes(const struct uplink_entry *entry, int *ret_left)
{
    *ret_left = entry->length - (int)header_size(entry);
    return (const struct rtattr *)(entry->body + header_size(entry));
}

/* NULL: it has none of that type, or not of that size. */
static const void *find(const struct uplink_entry *entry, unsigned type, size_t size)
{
    int left;

    for (const struct rtattr *a = attributes(entry, &left); RTA_OK(a, left); a = RTA_NEXT(a, left))
        if (a->rta_type == type)
            return RTA_PAYLOAD(a) >= size ? RTA_DATA(a) : NULL;
    return NULL;
}

static uint32_t find_u32(const struct uplink_entry *entry, unsigned type, uint32_t otherwise)
{
    const void *at = find(entry, type, sizeof(uint32_t));
    uint32_t value = otherwise;

    if (at)
        memcpy(&value, at, sizeof(value));
    return value;
}

bool uplink_entry_is_valid(const struct uplink_entry *entry)
{
    return (entry->type == RTM_NEWADDR || entry->type == RTM_NEWROUTE) &&
           entry->length <= sizeof(entry->body) && entry->length >= header_size(entry);
}

static uint32_t flags_of(const struct uplink_entry *address)
{
    return find_u32(address, IFA_FLAGS, address_of(address)->ifa_flags);
}

static uint32_t table_of(const struct uplink_entry *route)
{
    return find_u32(route, RTA_TABLE, route_of(route)->rtm_table);
}

/* RTNH_OK() looks at the length before it knows that there is one. */
static bool is_hop(const struct rtnexthop *hop, int left)
{
    return left >= (int)sizeof(*hop) && RTNH_OK(hop, left);
}

/* The hop behind this one; NULL: that was the last. *left: the bytes from hop on. */
static struct rtnexthop *next_hop(struct rtnexthop *hop, int *left)
{
    *left -= RTNH_ALIGN(hop->rtnh_len);
    hop = RTNH_NEXT(hop);
    return is_hop(hop, *left) ? hop : NULL;
}

/* NULL: it is none that has hops. */
static struct rtnexthop *first_hop(const struct rtattr *a, int *ret_left)
{
    struct rtnexthop *hop = RTA_DATA(a);

    *ret_left = (int)RTA_PAYLOAD(a);
    return a->rta_type == RTA_MULTIPATH && is_hop(hop, *ret_left) ? hop : NULL;
}

static bool leads_by(const struct uplink_entry *route, int ifindex)
{
    int left, hops;

    for (const struct rtattr *a = attributes(route, &left); RTA_OK(a, left);
         a = RTA_NEXT(a, left)) {
        if (a->rta_type == RTA_OIF && RTA_PAYLOAD(a) >= sizeof(ifindex) &&
            memcmp(RTA_DATA(a), &ifindex, sizeof(ifindex)) == 0)
            return true;
        for (struct rtnexthop *hop = first_hop(a, &hops); hop; hop = next_hop(hop, &hops))
            if (hop->rtnh_ifindex == ifindex)
                return true;
    }
    return false;
}

static bool is_wanted(const struct uplink_entry *entry, int ifindex)
{
    if (uplink_entry_is_address(entry))
        return address_of(entry)->ifa_index == (unsigned)ifindex;
    return leads_by(entry, ifindex) && table_of(entry) != RT_TABLE_LOCAL &&
           !(route_of(entry)->rtm_flags & RTM_F_CLONED);
}

int uplink_entry_take(const struct nlmsghdr *message, int ifindex, struct uplink_entry *ret)
{
    size_t length = message->nlmsg_len - NLMSG_HDRLEN;

    *ret = (struct uplink_entry){ .type = message->nlmsg_type };
    memcpy(ret->body, NLMSG_DATA(message), length < sizeof(ret->body) ? length : sizeof(ret->body));
    ret->length = (uint16_t)(length < sizeof(ret->body) ? length : sizeof(ret->body));
    if (!uplink_entry_is_valid(ret))
        return -EBADMSG;
    if (!is_wanted(ret, ifindex))
        return 0;
    return length <= sizeof(ret->body) ? 1 : -E2BIG;
}

bool uplink_entry_is_v6(const struct uplink_entry *entry)
{
    return entry->body[0] == AF_INET6; /* the first byte of both headers */
}

bool uplink_entry_is_link_local(const struct uplink_entry *entry)
{
    return uplink_entry_is_address(entry) && uplink_entry_is_v6(entry) &&
           address_of(entry)->ifa_scope == RT_SCOPE_LINK;
}

static size_t address_size(const struct uplink_entry *entry)
{
    return uplink_entry_is_v6(entry) ? 16 : 4;
}

static uint32_t route_expires(const struct uplink_entry *route)
{
    const struct rta_cacheinfo *cache = find(route, RTA_CACHEINFO, sizeof(*cache));

    return cache && cache->rta_expires > 0 ? (uint32_t)cache->rta_expires / TICKS_PER_SECOND : 0;
}

bool uplink_entry_is_timed(const struct uplink_entry *entry)
{
    return uplink_entry_is_address(entry) ? !(flags_of(entry) & IFA_F_PERMANENT)
                                          : route_expires(entry) > 0;
}

bool uplink_entry_is_advertised(const struct uplink_entry *entry)
{
    const uint8_t *proto;

    if (!uplink_entry_is_address(entry))
        return route_of(entry)->rtm_protocol == RTPROT_RA;
    proto = find(entry, ADDRESS_PROTO, sizeof(*proto));
    return (proto && *proto == PROTO_ADVERTISED) ||
           flags_of(entry) & (IFA_F_MANAGETEMPADDR | IFA_F_TEMPORARY);
}

bool uplink_entry_is_learned(const struct uplink_entry *entry)
{
    return !uplink_entry_is_address(entry) && uplink_entry_is_advertised(entry) &&
           find(entry, RTA_GATEWAY, address_size(entry));
}

/* Comparing */

static bool same_attribute(const struct uplink_entry *a, const struct uplink_entry *b,
                           unsigned type, size_t size)
{
    const void *in_a = find(a, type, size), *in_b = find(b, type, size);

    return in_a && in_b ? memcmp(in_a, in_b, size) == 0 : !in_a && !in_b;
}

static bool same_address(const struct uplink_entry *a, const struct uplink_entry *b)
{
    return address_of(a)->ifa_prefixlen == address_of(b)->ifa_prefixlen &&
           same_attribute(a, b, IFA_LOCAL, address_size(a)) &&
           same_attribute(a, b, IFA_ADDRESS, address_size(a));
}

static bool same_route(const struct uplink_entry *a, const struct uplink_entry *b)
{
    const struct rtmsg *one = route_of(a), *other = route_of(b);

    return one->rtm_dst_len == other->rtm_dst_len && one->rtm_tos == other->rtm_tos &&
           one->rtm_type == other->rtm_type && table_of(a) == table_of(b) &&
           same_attribute(a, b, RTA_DST, address_size(a)) &&
           (same_attribute(a, b, RTA_PRIORITY, sizeof(uint32_t)) ||
            (uplink_entry_is_learned(a) && uplink_entry_is_learned(b))) &&
           same_attribute(a, b, RTA_GATEWAY, address_size(a));
}

bool uplink_entry_same(const struct uplink_entry *a, const struct uplink_entry *b)
{
    if (a->type != b->type || a->body[0] != b->body[0])
        return false;
    return uplink_entry_is_address(a) ? same_address(a, b) : same_route(a, b);
}

static bool same_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned rest = bits % 8;

    return memcmp(a, b, bits / 8) == 0 &&
           (rest == 0 || (a[bits / 8] ^ b[bits / 8]) >> (8 - rest) == 0);
}

bool uplink_entry_comes_with(const struct uplink_entry *route, const struct uplink_entry *address)
{
    const struct rtmsg *r = route_of(route);
    const void *to = find(route, RTA_DST, address_size(route));
    const void *in = find(address, IFA_ADDRESS, address_size(address));
    unsigned bits = address_of(address)->ifa_prefixlen;

    return r->rtm_protocol == RTPROT_KERNEL && route->body[0] == address->body[0] && to && in &&
           r->rtm_dst_len == bits && bits <= address_size(address) * 8 &&
           same_prefix(to, in, bits) && !(flags_of(address) & IFA_F_NOPREFIXROUTE);
}

/* Asking */

static bool put(struct nlmsghdr *message, unsigned type, const void *value, size_t length)
{
    size_t at = NLMSG_ALIGN(message->nlmsg_len);
    struct rtattr *a = (struct rtattr *)((uint8_t *)message + at);

    if (at + RTA_SPACE(length) > UPLINK_MESSAGE_MAX)
        return false;
    memset(a, 0, RTA_SPACE(length));
    a->rta_type = (uint16_t)type;
    a->rta_len = (uint16_t)RTA_LENGTH(length);
    memcpy(RTA_DATA(a), value, length);
    message->nlmsg_len = (uint32_t)(at + RTA_SPACE(length));
    return true;
}

/* In the copy that the message has. */
static void redirect_hops(struct rtattr *multipath, struct uplink_place place)
{
    int left;

    for (struct rtnexthop *hop = first_hop(multipath, &left); hop; hop = next_hop(hop, &left)) {
        if (hop->rtnh_ifindex == place.from)
            hop->rtnh_ifindex = place.to;
        hop->rtnh_flags &= NEXT_HOP_FLAGS;
    }
}

static bool put_route_attribute(struct nlmsghdr *message, const struct rtattr *a,
                                struct uplink_place place)
{
    size_t at = NLMSG_ALIGN(message->nlmsg_len);

    switch (a->rta_type) {
    case RTA_CACHEINFO: /* how it is used; see RTA_EXPIRES */
    case RTA_PRIORITY:  /* see begin_route() */
        return true;
    case RTA_OIF:
        return put(message, RTA_OIF, &place.to, sizeof(place.to));
    default:
        if (!put(message, a->rta_type, RTA_DATA(a), RTA_PAYLOAD(a)))
            return false;
        redirect_hops((struct rtattr *)((uint8_t *)message + at), place);
        return true;
    }
}

/* A label begins with its device's name, so only that device can have it. */
static bool put_address_attribute(struct nlmsghdr *message, const struct rtattr *a, bool labelled)
{
    if (a->rta_type == IFA_FLAGS || (a->rta_type == IFA_LABEL && !labelled))
        return true;
    return put(message, a->rta_type, RTA_DATA(a), RTA_PAYLOAD(a));
}

static bool begin_address(struct nlmsghdr *message, const struct uplink_entry *entry,
                          enum uplink_verb verb, struct uplink_place place)
{
    struct ifaddrmsg *head = NLMSG_DATA(message);
    uint32_t flags = flags_of(entry) & OWN_FLAGS;
    static const uint8_t advertised = PROTO_ADVERTISED;

    /* The kernel lets nobody make a temporary one: else it would pass for a DHCP client's. */
    if (uplink_entry_is_advertised(entry) && !find(entry, ADDRESS_PROTO, sizeof(advertised)) &&
        !put(message, ADDRESS_PROTO, &advertised, sizeof(advertised)))
        return false;
    if (verb == UPLINK_ADD && uplink_entry_is_v6(entry))
        flags |= IFA_F_NODAD;
    head->ifa_index = (unsigned)place.to;
    head->ifa_flags = (uint8_t)flags;
    return put(message, IFA_FLAGS, &flags, sizeof(flags));
}

static bool begin_route(struct nlmsghdr *message, const struct uplink_entry *entry,
                        enum uplink_verb verb)
{
    struct rtmsg *head = NLMSG_DATA(message);
    uint32_t expires = verb == UPLINK_ADD ? route_expires(entry) : 0;
    uint32_t metric = find_u32(entry, RTA_PRIORITY, 0);

    if (uplink_entry_is_learned(entry))
        metric = verb == UPLINK_ADD ? metric + 1 : 0; /* 0: whatever it is */
    head->rtm_flags &= NEXT_HOP_FLAGS;
    return (expires == 0 || put(message, RTA_EXPIRES, &expires, sizeof(expires))) &&
           (metric == 0 || put(message, RTA_PRIORITY, &metric, sizeof(metric)));
}

static const struct {
    uint16_t address, route, flags;
} verbs[] = {
    [UPLINK_ADD] = { RTM_NEWADDR, RTM_NEWROUTE, NLM_F_CREATE },
    [UPLINK_SETTLE] = { RTM_NEWADDR, RTM_NEWROUTE, NLM_F_REPLACE },
    [UPLINK_REMOVE] = { RTM_DELADDR, RTM_DELROUTE, 0 },
};

struct nlmsghdr *uplink_entry_request(const struct uplink_entry *entry, enum uplink_verb verb,
                                      struct uplink_place place,
                                      uint32_t buf[UPLINK_MESSAGE_MAX / sizeof(uint32_t)])
{
    bool address = uplink_entry_is_address(entry), good;
    struct nlmsghdr *message = (struct nlmsghdr *)buf;
    int left;

    *message = (struct nlmsghdr){ .nlmsg_len = (uint32_t)(NLMSG_HDRLEN + header_size(entry)),
                                  .nlmsg_type = address ? verbs[verb].address : verbs[verb].route,
                                  .nlmsg_flags = verbs[verb].flags };
    /* Behind the others of its prefix and metric, whose order says which is used. */
    if (verb == UPLINK_ADD)
        message->nlmsg_flags |= address ? NLM_F_EXCL : NLM_F_APPEND;
    memcpy(NLMSG_DATA(message), entry->body, header_size(entry));
    good = address ? begin_address(message, entry, verb, place) : begin_route(message, entry, verb);
    for (const struct rtattr *a = attributes(entry, &left); good && RTA_OK(a, left);
         a = RTA_NEXT(a, left))
        good = address ? put_address_attribute(message, a,
                                               address_of(entry)->ifa_index == (unsigned)place.to)
                       : put_route_attribute(message, a, place);
    return good ? message : NULL;
}
