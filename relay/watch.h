/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the switch finds out beside where frames go: the forwarder notes it for the keeper, sends
 * the probes of the guard against loops, and wakes it when it has something to do.
 */
#ifndef NR_RELAY_WATCH_H
#define NR_RELAY_WATCH_H

#include "relay/batch.h"
#include "relay/notices.h"

struct watch {
    struct loop *loop;
    struct batch *batch;
    struct loop_timer timer;
    struct notices notices;
    /* Something was put into the port's queue. */
    void (*on_queued)(struct batch *batch, struct port *port);
};

/* The batch's switch is there, and its callbacks become the watch's. */
void watch_init(struct watch *watch, struct loop *loop, struct batch *batch);
/* Once a round, between batches: sends what is to be sent, */
void watch_send(struct watch *watch);
/* and sees to it that the guard is woken in time. */
void watch_arm(struct watch *watch);

#endif
