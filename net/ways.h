/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The devices of this host, as ways out: where default routes lead, and what hears routers. */
#ifndef NR_NET_WAYS_H
#define NR_NET_WAYS_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

struct way {
    unsigned ifindex;
    char device[IF_NAMESIZE];
    char bridge[IF_NAMESIZE];    /* it is a member of; "": of none */
    bool default_v4, default_v6; /* a default route of the main table goes there */
    bool hears;                  /* accept_ra: it takes addresses and routes from IPv6's routers, */
    bool hears_always;           /* ... and does so, too, where this host forwards */
};

/* All devices. *ret is the caller's, free(). 0 or negative errno. */
int ways_list(struct way **ret, size_t *ret_count);

#endif
