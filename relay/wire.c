/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/wire.h"

#include <stddef.h>

#define ROOM_MIN 4096

static void resume_all(struct wire *wire)
{
    for (uint32_t slot = 0; slot < wire->batch->n_slots; ++slot) {
        struct port *port = wire->batch->ports[slot];

        if (port && port->paused && !port->dead) {
            port->paused = false;
            wire->on_resume(wire, port);
        }
    }
}

static void on_patience_end(struct loop_timer *timer)
{
    resume_all((struct wire *)((char *)timer - offsetof(struct wire, timer)));
}

void wire_init(struct wire *wire, struct loop *loop, struct batch *batch, uint64_t stall_ms)
{
    wire->loop = loop;
    wire->batch = batch;
    wire->stall_ms = stall_ms;
    wire->timer.on_timer = on_patience_end;
}

static struct port *full_other(const struct wire *wire, const struct port *in)
{
    for (uint32_t slot = 0; slot < wire->batch->n_slots; ++slot) {
        struct port *port = wire->batch->ports[slot];

        if (port && port != in && !port->dead && port_queued(port) > 0)
            return port;
    }
    return NULL;
}

/* It has taken nothing for too long. That its socket is not writable says little: the kernel calls
 * it so again only when a good part of a large buffer is free. */
static bool is_stuck(struct wire *wire, const struct port *port, uint64_t now)
{
    uint64_t *since = &wire->stuck[port->slot].since_ms, taken;

    if (*since && now < *since + wire->stall_ms)
        return false;
    taken = port_taken(port);
    if (*since && taken == wire->stuck[port->slot].taken)
        return true;
    wire->stuck[port->slot].taken = taken;
    *since = now; /* the clock began with the machine: never 0 */
    return wire->stall_ms == 0;
}

bool wire_may_read(struct wire *wire, struct port *in)
{
    struct port *other = full_other(wire, in);
    uint64_t now = wire->loop->now_ms;

    if (!other || is_stuck(wire, other, now))
        return true;
    in->paused = true;
    loop_timer_in(wire->loop, &wire->timer,
                  wire->stuck[other->slot].since_ms + wire->stall_ms - now);
    return false;
}

void wire_drained(struct wire *wire, struct port *port)
{
    if (!wire->stuck[port->slot].since_ms)
        return; /* nobody was paused for it */
    wire->stuck[port->slot].since_ms = 0;
    resume_all(wire);
}

size_t wire_room(const struct wire *wire, const struct port *in, size_t room)
{
    uint64_t bound = wire->batch->shared->core->queue_bound;
    uint64_t carried = in->record->c1 - in->record->c0;
    uint64_t fit = bound > carried + ROOM_MIN ? bound - carried : ROOM_MIN;

    return fit < room ? (size_t)fit : room;
}
