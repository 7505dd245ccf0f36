/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeps other users of this host from the ports at which QEMUs hear anyone, where guard-udp= under
 * [policy] says so (net/udp-guard.h). The table is a change of the kernel's like others, recorded
 * and taken back by the ground; what is in it follows the guests.
 */
#ifndef NR_DAEMON_UDP_GUARD_H
#define NR_DAEMON_UDP_GUARD_H

#include "daemon/desired.h"
#include "daemon/ground.h"

#define NR_UDP_GUARD_OWNER "[policy] guard-udp" /* of its record; no name of a network */

typedef struct NrUdpGuard NrUdpGuard;

/* ground is borrowed. senders: whose processes may send, beside root's. */
NrUdpGuard *nr_udp_guard_new(NrGround *ground, const uid_t *senders, guint n_senders);
void nr_udp_guard_free(NrUdpGuard *guard);
/* Makes it so. What cannot be is logged, and tried again when something changes. As long as not all
 * guests are known, nothing that is guarded is let go. */
void nr_udp_guard_follow(NrUdpGuard *guard, const NrDesired *desired, gboolean guests_known);
/* A person asks for it anew: also what somebody has taken away. */
void nr_udp_guard_renew(NrUdpGuard *guard);

#endif
