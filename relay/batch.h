/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way of frames through a forwarder: one port's input at a time, READ, COMMIT, SEND, CONSUME,
 * as shared.h tells it. Before the commit nothing has happened; after it the batch happens exactly
 * once, if need be by a successor, who calls batch_recover() before anything else.
 */
#ifndef NR_RELAY_BATCH_H
#define NR_RELAY_BATCH_H

#include "relay/capture.h"
#include "relay/port.h"
#include "relay/vswitch.h"

#define BATCH_CRASHES 2 /* so many forwarders a batch may cost; then its input port is closed */

/* What one port gets of a batch: framed bytes in the work area. */
struct batch_share {
    bool is_flood; /* only what everybody gets */
    uint32_t n, frames;
    size_t bytes;
    struct iovec iov[SHARED_RUNS];
};

struct batch {
    struct shared *shared;
    struct vswitch *vswitch;
    struct captures captures;
    struct port *ports[SHARED_PORTS]; /* by slot; the forwarder's */
    uint32_t n_slots;                 /* none is used from here on */
    /* The port must not be freed before the round ends. */
    void (*on_dead)(struct batch *batch, struct port *port);
    /* Something was put into its queue. */
    void (*on_queued)(struct batch *batch, struct port *port);
    /* The runs of the batch by whom they are for: rebuilt for each. */
    struct {
        uint32_t n_flood;
        uint32_t flood[SHARED_RUNS];
        uint32_t next[SHARED_RUNS];
        uint32_t n_targets;
        uint32_t target[SHARED_PORTS]; /* slots that have a head */
        uint32_t head[SHARED_PORTS];   /* run + 1 */
        uint32_t tail[SHARED_PORTS];
    } index;
    struct batch_share share;
    struct port_counters rx; /* of the batch; added once it is committed */
};

/* Moves what the port has, about room bytes. False: there was nothing. */
bool batch_run(struct batch *batch, struct port *in, size_t room);
/* How many framed bytes the last batch was of: what its port had said, passed on or not. */
static inline size_t batch_moved(const struct batch *batch)
{
    return batch->shared->core->batch.end - batch->shared->core->batch.x;
}
/* Finishes what a predecessor left; all ports are there. crashed: it died of its own doing. */
void batch_recover(struct batch *batch, bool crashed);
/* Marks the port dead for a reason and tells the forwarder, once. */
void batch_kill_port(struct batch *batch, struct port *port, int error);

#endif
