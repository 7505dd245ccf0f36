/* SPDX-License-Identifier: GPL-2.0-or-later */
/* May this guest start: judged from the last pass. Pure. */
#ifndef NR_DAEMON_BARRIER_H
#define NR_DAEMON_BARRIER_H

#include "daemon/attempts.h"
#include "daemon/desired.h"

typedef enum {
    NR_VERDICT_OK,
    NR_VERDICT_RESOLVING, /* a host name of it is still looked up */
    NR_VERDICT_REFUSED,   /* *ret_text: one sentence (the caller's) */
} NrVerdict;

NrVerdict nr_barrier_judge(const NrDesired *desired, const NrAttempts *attempts, const char *uuid,
                           char **ret_text);
/*
 * The failure that keeps a served NIC from its network: of the relay, of its own endpoint, or of
 * the network's bridge; NULL where all is well. Borrowed.
 */
const NrAttempt *nr_barrier_failure(const NrDesired *desired, const NrAttempts *attempts,
                                    const NrBinding *binding);
/* The place of this guest's first binding: bindings are in the order of the guests' UUIDs. */
guint nr_barrier_first(const NrDesired *desired, const char *uuid);
/* NULL where it is not desired. Borrowed. */
const NrDesiredNetwork *nr_desired_network_find(const NrDesired *desired, const char *name);

#endif
