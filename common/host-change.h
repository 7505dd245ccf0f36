/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One thing that a network needs of this host's kernel, and its one text form: "bridge virbr9",
 * "address virbr9 192.168.9.1/24", "forward-v4 eth0". What the manager decides by, what is done,
 * and what is recorded are the same words.
 */
#ifndef NR_COMMON_HOST_CHANGE_H
#define NR_COMMON_HOST_CHANGE_H

#include <stdbool.h>

#define HOST_DEVICE_MAX      16 /* IFNAMSIZ */
#define HOST_VALUE_MAX       96
#define HOST_CHANGE_TEXT_MAX (16 + HOST_DEVICE_MAX + HOST_VALUE_MAX)
#define HOST_ALL_DEVICES     "all" /* the kernel's word, and no device's name */

enum host_change_kind {
    HOST_BRIDGE,       /* the device is a bridge */
    HOST_ADDRESS,      /* it has the address "192.168.9.1/24", or "fd99::1/64" */
    HOST_HEAR_ROUTERS, /* it hears IPv6's routers though this host is one: before HOST_FORWARD_V6 */
    HOST_FORWARD_V4,   /* what comes in by it is passed on */
    HOST_FORWARD_V6,   /* the same of IPv6, whose device is HOST_ALL_DEVICES: it has one switch */
    HOST_ROUTE,        /* "192.0.2.10/32" is there, or "192.0.2.16/28,192.168.9.2" by a gateway */
    HOST_PROXY_NDP,    /* HOST_PROXY is heeded there for IPv6, too */
    HOST_PROXY,        /* the host answers there for "192.0.2.10" */
    HOST_NAT, /* guests of that subnet go out with the host's address: "192.168.9.1/24,eth0" */
    HOST_GUARD_UDP, /* strangers' datagrams to guests are dropped there: net/udp-guard.h */
    HOST_UPLINK, /* it is in the bridge "br7", which has its addresses and routes: net/uplink.h */
    HOST_CHANGE_KINDS,
};

struct host_change {
    enum host_change_kind kind;
    char device[HOST_DEVICE_MAX];
    char value[HOST_VALUE_MAX]; /* "" where the kind has none */
};

/* False: text is none, and *ret is untouched. */
bool host_change_parse(struct host_change *ret, const char *text);
/* Returns ret. */
char *host_change_format(const struct host_change *change, char ret[HOST_CHANGE_TEXT_MAX]);
bool host_change_equal(const struct host_change *a, const struct host_change *b);

#endif
