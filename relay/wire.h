/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A wire pushes back: while one end has something in its queue the other is not read, so that
 * nothing is lost. But where that end takes nothing at all for longer than its patience, the
 * sender's guest would take its NIC for dead; then, until something moves again, the sender is read
 * and what does not fit is dropped.
 */
#ifndef NR_RELAY_WIRE_H
#define NR_RELAY_WIRE_H

#include <stdbool.h>
#include "relay/batch.h"

struct wire {
    struct loop *loop;
    struct batch *batch;
    struct loop_timer timer; /* patience runs out */
    uint64_t stall_ms;
    struct {
        uint64_t since_ms; /* 0: it is not waited for */
        uint64_t taken;    /* by its far end, then */
    } stuck[SHARED_PORTS]; /* by slot */
    void (*on_resume)(struct wire *wire, struct port *port);
};

void wire_init(struct wire *wire, struct loop *loop, struct batch *batch, uint64_t stall_ms);
/* False: the port is paused from here on; on_resume() tells the end of it. */
bool wire_may_read(struct wire *wire, struct port *in);
/* A port's queue has become empty, or the port is going. */
void wire_drained(struct wire *wire, struct port *port);
/* How much may be read at once so that nothing needs to be dropped. */
size_t wire_room(const struct wire *wire, const struct port *in, size_t room);

#endif
