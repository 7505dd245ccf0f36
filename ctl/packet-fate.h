/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a ruleset drops packets of a kind, for certain. Only the kernel knows what becomes of a
 * packet, and only of one that has come; so a packet is described as far as it is known, a rule
 * applies, may apply or does not, and what may let it pass counts as if it did. Pure.
 */
#ifndef NR_CTL_PACKET_FATE_H
#define NR_CTL_PACKET_FATE_H

#include "ctl/ruleset.h"

typedef struct {
    const char *hook; /* "forward", "input" */
    gboolean v6;
    const char *const *in;  /* devices, NULL-terminated: it comes in by one of them; NULL: any */
    const char *const *out; /* the same, where it goes */
    const char *state;      /* of its connection: "new", "established" */
    const char *l4;         /* "tcp", "udp" */
    guint16 l4_port;        /* where it goes; 0: not known */
} NrPacket;

/* The first chain by whose end each such packet is dropped; NULL: there is none. Borrowed. */
const NrChain *nr_packet_dropped_in(const GPtrArray *chains, const NrPacket *packet);

#endif
