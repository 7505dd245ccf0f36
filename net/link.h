/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kernel network devices by name, over rtnetlink. Calls are short and local; they wait for the
 * kernel's answer only. All return 0 or a negative errno. */
#ifndef NR_NET_LINK_H
#define NR_NET_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include "common/mac.h"

#define LINK_NAME_MAX 16 /* IFNAMSIZ */

struct link_state {
    int ifindex;
    int master; /* ifindex, or 0 */
    uint32_t mtu;
    uint32_t carrier_changes; /* how often there was one, or none any more */
    bool up;                  /* IFF_UP */
    bool bridge;
    bool ethernet; /* what a bridge can have for a member */
    bool narrow;   /* a macvlan, say: only frames for its own address come in by it */
    struct mac mac;
};

/* -ENODEV where there is none of that name. */
int link_get(const char *ifname, struct link_state *ret);
/* One change; a zero or NULL member is left as it is. One of up and down at most. */
struct link_change {
    uint32_t mtu;
    const struct mac *mac;
    int master; /* ifindex to enslave to; -1 releases */
    bool up, down;
};
int link_set(int ifindex, const struct link_change *change);
/* Is any device enslaved to this one? */
int link_has_members(int ifindex, bool *ret);
/* A device in this bridge by which frames leave this host, or may: all but TAPs and what leads to
 * containers. ret_ifname is "" where there is none. */
int link_way_out(int ifindex, char ret_ifname[LINK_NAME_MAX]);

/* A device on top of this one that takes its frames, as a macvlan does and a VLAN does not: so no
 * bridge can. ret_ifname is "" where there is none. */
int link_taken_by(int ifindex, char ret_ifname[LINK_NAME_MAX]);

/* Makes a bridge, which is down. -EEXIST: the name is taken; -EINVAL: it cannot be one. */
int link_add_bridge(const char *ifname, struct mac mac);
int link_remove(int ifindex);

/* An rtnetlink socket subscribed to link changes, non-blocking: readable means "look again". */
int link_monitor_open(void);
/* And to changes of the devices' addresses, as far as the kernel lets it. */
void link_monitor_add_addresses(int fd);
/* And to changes of routes; once more is no fault. */
void link_monitor_add_routes(int fd);
void link_monitor_drain(int fd);

#endif
