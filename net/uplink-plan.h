/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a device's addresses and routes move to the bridge that it becomes a member of, and back: the
 * steps, in an order in which the host is reachable all the time. The bridge has the addresses
 * before the device is in it; the device has them until the routes lead by the bridge. Each step
 * may be done once more without harm, so whoever finds it half done does all of it. Pure.
 */
#ifndef NR_NET_UPLINK_PLAN_H
#define NR_NET_UPLINK_PLAN_H

#include "common/host-change.h"
#include "common/mac.h"
#include "net/uplink-entry.h"

#define UPLINK_ENTRIES_MAX 256
#define UPLINK_STEPS_MAX   (3 * UPLINK_ENTRIES_MAX + 2)

/* What is recorded of a move before its first step. */
struct uplink {
    char device[HOST_DEVICE_MAX];
    char bridge[HOST_DEVICE_MAX];
    struct mac device_mac;
    struct mac bridge_mac; /* before */
    int ifindex;           /* of the device, when its entries were dumped */
    size_t count;
    struct uplink_entry entries[UPLINK_ENTRIES_MAX]; /* addresses, the oldest first, then routes */
};

/* As it is dumped: IPv6 addresses the newest first, IPv4 ones the other way round. -ENOSPC: it is
 * full. */
int uplink_take(struct uplink *uplink, const struct nlmsghdr *message);
/* Once all is taken: drops what the kernel makes of what is left. */
void uplink_prune(struct uplink *uplink);
/* Before the way back: what somebody has taken from the bridge since then is not to be had again,
 * and what has got new lifetimes there keeps them. now: what the bridge has. */
void uplink_follow(struct uplink *uplink, const struct uplink *now);

enum uplink_action {
    UPLINK_TAKE_MAC, /* the bridge takes `mac` */
    UPLINK_JOIN,     /* the device goes into the bridge */
    UPLINK_LEAVE,
    UPLINK_ENTRY, /* what `verb` says is done with `entry` */
};
struct uplink_step {
    enum uplink_action action;
    enum uplink_verb verb;
    bool on_bridge; /* else on the device */
    const struct uplink_entry *entry;
    const struct mac *mac;
};

/* Borrowed from uplink. Returns their number. */
size_t uplink_plan_there(const struct uplink *uplink, struct uplink_step ret[UPLINK_STEPS_MAX]);
size_t uplink_plan_back(const struct uplink *uplink, struct uplink_step ret[UPLINK_STEPS_MAX]);

#endif
