/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a person lets a firewall pass what it drops, in the words of whoever keeps it. */
#ifndef NR_CTL_FIREWALL_CURE_H
#define NR_CTL_FIREWALL_CURE_H

#include "ctl/firewall.h"
#include "ctl/packet-fate.h"

typedef enum {
    NR_CURE_OUT,      /* guests out of this host, and what is answered */
    NR_CURE_WITHIN,   /* what stays in the bridge */
    NR_CURE_SERVICE,  /* guests to a port of this host */
    NR_CURE_LISTENER, /* other hosts to a port of this host */
    NR_CURE_KINDS,
} NrCureKind;

/* Commands for the chain that drops it. bridge may be NULL for a listener. New string. */
char *nr_firewall_cure(const NrFirewall *firewall, const NrChain *chain, NrCureKind kind,
                       const char *bridge, const NrPacket *packet);

#endif
