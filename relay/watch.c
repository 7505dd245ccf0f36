/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/watch.h"

#include <stddef.h>

static void on_refused(struct vswitch *sw, uint16_t slot, enum vswitch_refusal why,
                       struct mac source)
{
    static const enum handover_notice notices[VSWITCH_REFUSALS] = {
        [VSWITCH_FILTERED] = NOTICE_FILTERED,
        [VSWITCH_STORMED] = NOTICE_STORMED,
    };
    struct watch *watch = sw->owner;

    notices_put(&watch->notices, (struct notice){
                                     .slot = slot,
                                     .id = sw->ports[slot].id,
                                     .what = notices[why],
                                     .source = source,
                                 });
}

static void on_loop(struct vswitch *sw, uint16_t slot, enum loopguard_change what, uint16_t other)
{
    static const enum handover_notice notices[LOOPGUARD_CHANGES] = {
        [LOOPGUARD_BLOCKS] = NOTICE_BLOCKED,
        [LOOPGUARD_OPENS] = NOTICE_OPENED,
        [LOOPGUARD_LOOPS] = NOTICE_LOOPED,
    };
    struct watch *watch = sw->owner;

    if (what != LOOPGUARD_FORGETS)
        notices_put(&watch->notices, (struct notice){
                                         .slot = slot,
                                         .id = sw->ports[slot].id,
                                         .what = notices[what],
                                         .other = sw->ports[other].id,
                                     });
}

static void on_timer(struct loop_timer *timer)
{
    struct watch *watch = (struct watch *)((char *)timer - offsetof(struct watch, timer));
    struct vswitch *sw = watch->batch->vswitch;

    sw->now_ms = watch->loop->now_ms;
    loopguard_tick(&sw->guard, sw->now_ms);
}

void watch_init(struct watch *watch, struct loop *loop, struct batch *batch)
{
    watch->loop = loop;
    watch->batch = batch;
    watch->timer.on_timer = on_timer;
    batch->vswitch->owner = watch;
    batch->vswitch->on_refused = on_refused;
    batch->vswitch->on_loop = on_loop;
}

void watch_send(struct watch *watch)
{
    struct loopguard *guard = &watch->batch->vswitch->guard;

    for (uint32_t i = 0; i < guard->n_out; ++i) {
        struct port *port = watch->batch->ports[guard->out[i].slot];
        struct frame frame = { .data = guard->out[i].frame, .len = PROBE_LEN };
        int r;

        if (!port || port->dead)
            continue;
        r = port_send_own(port, frame);
        if (r < 0)
            batch_kill_port(watch->batch, port, r);
        else if (port_queued(port))
            watch->on_queued(watch->batch, port);
    }
    guard->n_out = 0;
}

void watch_arm(struct watch *watch)
{
    uint64_t due_ms = watch->batch->vswitch->guard.due_ms, now_ms = watch->loop->now_ms;

    if (due_ms && (!watch->timer.armed || watch->timer.at_ms > due_ms))
        loop_timer_in(watch->loop, &watch->timer, due_ms > now_ms ? due_ms - now_ms : 0);
}
