/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a forwarder has to tell the keeper, until it is told: ports that are gone, and the counters
 * of all that are there. */
#ifndef NR_RELAY_REPORT_H
#define NR_RELAY_REPORT_H

#include "relay/batch.h"

struct report_gone {
    uint32_t slot, id;
    int32_t error;
    bool released; /* between two frames, to go on elsewhere */
};

struct report {
    const struct batch *batch;
    struct report_gone gone[SHARED_PORTS]; /* not yet told: one a slot at most */
    uint32_t n_gone;
    uint64_t stats_serial; /* 0: none asked for */
    uint32_t stats_slot;   /* next to tell */
};

void report_gone(struct report *report, uint32_t slot, uint32_t id, int error, bool released);
/* The keeper has asked for the counters. */
void report_stats(struct report *report, uint64_t serial);
static inline bool report_is_due(const struct report *report)
{
    return report->n_gone || report->stats_serial;
}
/* 0, or -EAGAIN or the like: the rest when the socket is writable. */
int report_tell(struct report *report, int sock);

#endif
