/* SPDX-License-Identifier: GPL-2.0-or-later */
/* READ and COMMIT; batch-send.c has SEND, CONSUME and the successor's way. */
#include "relay/batch.h"

#include <errno.h>
#include "relay/batch-send.h"

void batch_kill_port(struct batch *batch, struct port *port, int error)
{
    if (port->dead)
        return;
    port->dead = error ? error : -EPIPE;
    batch->on_dead(batch, port);
}

/* One verdict for so many frames; equal neighbours are one run. */
static void add_verdict(struct batch *batch, uint16_t verdict, uint32_t frames, size_t end)
{
    struct shared_batch *b = &batch->shared->core->batch;
    struct shared_run *run = &batch->shared->core->run[b->n_runs];

    if (b->n_runs > 0 && run[-1].verdict == verdict) {
        run[-1].end = (uint32_t)end;
        run[-1].frames += frames;
        return;
    }
    *run = (struct shared_run){ .end = (uint32_t)end, .verdict = verdict, .frames = frames };
    ++b->n_runs;
}

static uint16_t judge(struct batch *batch, struct port *in, struct frame frame)
{
    if (frame.len < FRAME_MIN) {
        ++batch->rx.drop_runt;
        return VERDICT_NONE;
    }
    return vswitch_input(batch->vswitch, (uint16_t)in->slot, frame, &batch->rx);
}

/* Whether frames with the same addresses, with nothing in between, go the same way. */
static bool holds(const struct batch *batch, const struct port *in, uint16_t verdict)
{
    return verdict < SHARED_PORTS ||
           (verdict == VERDICT_FLOOD && vswitch_floods_freely(batch->vswitch, (uint16_t)in->slot));
}

/* Whoever has much to say says it in runs. Returns where the frames end that have the addresses of
 * this one, and counts them. */
static size_t run_on(struct batch *batch, struct frame frame, size_t at, size_t have,
                     uint32_t *frames)
{
    const uint8_t *work = batch->shared->work;
    const size_t began = at;
    uint32_t n = 0;

    for (struct frame next; framing_next(work + at, have - at, &next) == 0; ++n) {
        if (next.len < FRAME_MIN || memcmp(next.data, frame.data, sizeof(struct mac[2])) != 0)
            break;
        at += FRAMING_HEADER + next.len;
    }
    batch->rx.rx_frames += n;
    batch->rx.rx_bytes += at - began - (size_t)n * FRAMING_HEADER;
    *frames += n;
    return at;
}

/* Returns the end of the last whole frame; *ret_error: 0, or why the stream is lost after it. */
static size_t read_frames(struct batch *batch, struct port *in, size_t have, int *ret_error)
{
    struct frame frame;
    size_t at = 0;
    int r;

    batch->shared->core->batch.n_runs = 0;
    memset(&batch->rx, 0, sizeof(batch->rx));
    for (;;) {
        uint32_t frames = 1;
        uint16_t verdict;

        r = framing_next(batch->shared->work + at, have - at, &frame);
        if (r != 0 || batch->shared->core->batch.n_runs == SHARED_RUNS)
            break;
        at += FRAMING_HEADER + frame.len;
        verdict = judge(batch, in, frame);
        if (holds(batch, in, verdict))
            at = run_on(batch, frame, at, have, &frames);
        add_verdict(batch, verdict, frames, at);
    }
    *ret_error = r == FRAMING_E_LENGTH ? -EMSGSIZE : 0;
    return at;
}

static void add_member(struct batch *batch, const struct port *in, uint32_t slot)
{
    struct shared_core *core = batch->shared->core;
    const struct port *port = batch->ports[slot];

    if (!port || port == in || port->dead || port->leaving ||
        loopguard_is_blocked(&batch->vswitch->guard, slot))
        return;
    core->member[core->batch.n_members++] = (struct shared_member){
        .slot = port->slot,
        .id = port->id,
        .start = port_position(port),
    };
}

static void note_members(struct batch *batch, const struct port *in)
{
    batch->shared->core->batch.n_members = 0;
    if (batch->index.n_flood > 0)
        for (uint32_t slot = 0; slot < batch->n_slots; ++slot)
            add_member(batch, in, slot);
    else
        for (uint32_t i = 0; i < batch->index.n_targets; ++i)
            add_member(batch, in, batch->index.target[i]);
}

/* After the last store nobody can take it back. */
static void commit(struct batch *batch, const struct port *in, size_t whole, size_t all)
{
    struct shared_batch *b = &batch->shared->core->batch;

    b->tries = 0;
    b->in_slot = in->slot;
    b->in_id = in->id;
    b->x = in->record->c0;
    b->end = b->x + whole;
    b->cend = b->x + all;
    batch_index_runs(batch);
    note_members(batch, in);
    batch->shared->extra->captured = 0;
    shared_barrier();
    b->state = SHARED_SEND;
    shared_barrier();
    batch->shared->extra->filled = 0;
}

static void count_rx(struct port *in, const struct port_counters *rx)
{
    in->counters->rx_frames += rx->rx_frames;
    in->counters->rx_bytes += rx->rx_bytes;
    in->counters->drop_runt += rx->drop_runt;
    in->counters->drop_filter += rx->drop_filter;
    in->counters->drop_storm += rx->drop_storm;
    in->counters->drop_loop += rx->drop_loop;
}

static void batch_move(struct batch *batch, struct port *in, size_t have)
{
    uint64_t carried = in->record->c1 - in->record->c0;
    int error = 0;
    size_t whole = read_frames(batch, in, have, &error);
    size_t all = have;

    /* A datagram kind's input is frames to its end, so nothing can be left over. After a lost
     * stream, or with more runs than fit, the rest stays where it is; and so that one which leaves
     * stands between two frames. */
    if (in->ops->datagrams)
        all = whole;
    else if (have - whole >= FRAMING_MAX || error || (in->leaving && whole > 0))
        all = whole > carried ? whole : carried;
    commit(batch, in, whole, all);
    batch_send(batch);
    batch_consume(batch, in);
    if (batch->captures.running)
        captures_flush(&batch->captures);
    count_rx(in, &batch->rx);
    if (error)
        batch_kill_port(batch, in, error);
}

bool batch_run(struct batch *batch, struct port *in, size_t room)
{
    struct shared_extra *extra = batch->shared->extra;
    ssize_t have;

    extra->reading_slot = in->slot;
    extra->reading_id = in->id;
    have = in->ops->fill(in, batch->shared->work, room < SHARED_READ ? room : SHARED_READ);
    if (have > 0)
        batch_move(batch, in, (size_t)have);
    else if (have < 0)
        batch_kill_port(batch, in, (int)have);
    extra->read_crashes[in->slot] = 0;
    extra->reading_id = 0;
    return have > 0;
}

/* Datagrams that a predecessor had read and not yet committed are still in the work area. */
static void recover_read(struct batch *batch, bool crashed)
{
    struct shared_extra *extra = batch->shared->extra;
    uint32_t slot = extra->reading_slot, filled = extra->filled;
    struct port *in = slot < SHARED_PORTS ? batch->ports[slot] : NULL;

    if (!in || !extra->reading_id || in->id != extra->reading_id || in->dead) {
        extra->reading_id = 0;
        extra->filled = 0;
        return;
    }
    if (crashed && ++extra->read_crashes[slot] >= BATCH_CRASHES) {
        extra->read_crashes[slot] = 0;
        extra->reading_id = 0;
        extra->filled = 0;
        batch_kill_port(batch, in, -EBADMSG);
        return;
    }
    if (in->ops->datagrams && filled > 0 && filled <= SHARED_WORK)
        batch_move(batch, in, filled);
    extra->filled = 0;
}

/* Of a pipe, whole frames may lie in the carry ring, read and not yet processed; no event will
 * tell of them. */
static void recover_carried(struct batch *batch, struct port *in)
{
    ssize_t have;

    if (in->dead || in->ops->datagrams || in->record->c0 == in->record->c1)
        return;
    have = port_copy_carry(in, batch->shared->work);
    if (have > 0)
        batch_move(batch, in, (size_t)have);
    else
        batch_kill_port(batch, in, (int)have);
}

void batch_recover(struct batch *batch, bool crashed)
{
    if (batch->shared->core->batch.state == SHARED_IDLE)
        recover_read(batch, crashed);
    else
        batch_finish(batch, crashed);
    for (uint32_t slot = 0; slot < batch->n_slots; ++slot)
        if (batch->ports[slot])
            recover_carried(batch, batch->ports[slot]);
}
