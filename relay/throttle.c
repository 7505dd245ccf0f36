/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/throttle.h"

#define MS_NS     1000000
#define QUEUE_MS  250
#define QUEUE_MIN (64 * 1024)

void throttle_set(struct throttle *throttle, struct loop *loop, const struct port_rate *limit)
{
    throttle_stop(throttle);
    throttle->loop = loop;
    rate_init(&throttle->rate, limit, loop->now_ns);
}

void throttle_stop(struct throttle *throttle)
{
    if (throttle->loop)
        loop_timer_stop(throttle->loop, &throttle->timer);
}

/* What waits longer than that is late for everybody: whoever sends as fast as the other end takes
 * it (TCP) is to see by a loss that this is the end of it, and not to fill minutes of queue. */
uint64_t throttle_queue_bound(const struct port_rate *limit, uint64_t bound)
{
    uint64_t worth = (uint64_t)limit->average * 1024 * QUEUE_MS / 1000;

    if (!limit->average)
        return bound;
    worth = worth > QUEUE_MIN ? worth : QUEUE_MIN;
    return worth < bound ? worth : bound;
}

size_t throttle_room(struct throttle *throttle, size_t wanted)
{
    uint64_t now_ns;
    size_t room;

    if (!throttle_limits(throttle))
        return wanted;
    now_ns = throttle->loop->now_ns;
    room = rate_room(&throttle->rate, now_ns);
    if (room == 0 && !throttle->timer.armed)
        loop_timer_in(throttle->loop, &throttle->timer,
                      (rate_wait_ns(&throttle->rate, now_ns) + MS_NS - 1) / MS_NS);
    return room < wanted ? room : wanted;
}

void throttle_took(struct throttle *throttle, size_t bytes)
{
    if (throttle_limits(throttle))
        rate_take(&throttle->rate, bytes, throttle->loop->now_ns);
}
