/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this host's firewalls have to do with guests. */
#ifndef NR_CTL_FIREWALL_H
#define NR_CTL_FIREWALL_H

#include "ctl/ruleset.h"
#include "daemon/networks.h"

typedef struct {
    GPtrArray *chains;    /* NrChain; NULL: they could not be read */
    int error;            /* ... because of this negative errno */
    gboolean legacy;      /* there are rules of iptables-legacy, which nft(8) does not show */
    GPtrArray *ways[2];   /* char *: where default routes of IPv4, and of IPv6, lead */
    gboolean bridging[2]; /* frames that stay in a bridge are filtered, too */
} NrFirewall;

/* As this process may see it: root. */
NrFirewall *nr_firewall_read(void);
NrFirewall *nr_firewall_new(void);
void nr_firewall_free(NrFirewall *firewall);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NrFirewall, nr_firewall_free)

#endif
