/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An address or a route of a device, kept byte for byte as the kernel has dumped it: so metrics,
 * lifetimes, labels, sources, and what is still to be invented, move along with it. Pure.
 */
#ifndef NR_NET_UPLINK_ENTRY_H
#define NR_NET_UPLINK_ENTRY_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UPLINK_BODY_MAX    512
#define UPLINK_MESSAGE_MAX (UPLINK_BODY_MAX + 64)

struct uplink_entry {
    uint16_t type;   /* RTM_NEWADDR or RTM_NEWROUTE */
    uint16_t length; /* of the body: a struct ifaddrmsg or rtmsg, and attributes */
    _Alignas(uint32_t) uint8_t body[UPLINK_BODY_MAX];
};

/* 1: *ret is an address or a route of this device; 0: the message is about something else, or about
 * what the kernel keeps for itself; -E2BIG, -EBADMSG: it is of this device, and cannot be kept. */
int uplink_entry_take(const struct nlmsghdr *message, int ifindex, struct uplink_entry *ret);
/* From what a file says. False: it is none. */
bool uplink_entry_is_valid(const struct uplink_entry *entry);

/* The same address, or the same route, whatever the device and the lifetimes. */
bool uplink_entry_same(const struct uplink_entry *a, const struct uplink_entry *b);
/* The route is one that the kernel makes with this address, and removes with it. */
bool uplink_entry_comes_with(const struct uplink_entry *route, const struct uplink_entry *address);
bool uplink_entry_is_address(const struct uplink_entry *entry);
bool uplink_entry_is_v6(const struct uplink_entry *entry);
bool uplink_entry_is_link_local(const struct uplink_entry *entry);
/* Its time runs down unless somebody, a DHCP client or the kernel, sees to it. */
bool uplink_entry_is_timed(const struct uplink_entry *entry);
/* It came by a router's advertisement: the kernel sees to it. */
bool uplink_entry_is_advertised(const struct uplink_entry *entry);
/* A way that a router has advertised. Two such are the same whatever their metric: a copy is one
 * behind what the kernel itself makes of the router's next word. Were it no different, the kernel
 * would fail to make that, and hear nothing else of what the router says. */
bool uplink_entry_is_learned(const struct uplink_entry *entry);

enum uplink_verb {
    UPLINK_ADD,    /* an IPv6 address counts at once: it was ours all the time */
    UPLINK_SETTLE, /* an IPv6 address gets the flags that it had */
    UPLINK_REMOVE,
};

struct uplink_place {
    int from; /* the index of the device that it was dumped of */
    int to;   /* of the one that is meant */
};

/* The request, in buf. NULL: there is no room for it. */
struct nlmsghdr *uplink_entry_request(const struct uplink_entry *entry, enum uplink_verb verb,
                                      struct uplink_place place,
                                      uint32_t buf[UPLINK_MESSAGE_MAX / sizeof(uint32_t)]);

#endif
