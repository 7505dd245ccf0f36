/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One direction of a port that has a limit: how much may pass now, by the loop's own time, and a
 * timer that is armed while nothing may. A zeroed one costs a look at a zero.
 */
#ifndef NR_RELAY_THROTTLE_H
#define NR_RELAY_THROTTLE_H

#include <stdbool.h>
#include "relay/loop.h"
#include "relay/rate.h"

struct throttle {
    struct rate rate;
    struct loop *loop;
    struct loop_timer timer; /* on_timer is the owner's: more may pass */
};

/* Begins anew, with empty buckets. */
void throttle_set(struct throttle *throttle, struct loop *loop, const struct port_rate *limit);
void throttle_stop(struct throttle *throttle);

static inline bool throttle_limits(const struct throttle *throttle)
{
    return throttle->rate.average.rate != 0;
}

/* How much may wait in a queue that leaves under this limit, of so much that is allowed to. */
uint64_t throttle_queue_bound(const struct port_rate *limit, uint64_t bound);
/* How many of so many bytes may pass now; 0: none, until the timer tells. */
size_t throttle_room(struct throttle *throttle, size_t wanted);
void throttle_took(struct throttle *throttle, size_t bytes);

#endif
