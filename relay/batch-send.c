/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/batch-send.h"

#include <errno.h>
#include "relay/log.h"

#define IOV_CHUNK 1024 /* IOV_MAX */

void batch_index_runs(struct batch *batch)
{
    const struct shared_core *core = batch->shared->core;

    batch->share.is_flood = false;
    batch->index.n_flood = 0;
    while (batch->index.n_targets > 0)
        batch->index.head[batch->index.target[--batch->index.n_targets]] = 0;
    for (uint32_t i = 0; i < core->batch.n_runs; ++i) {
        uint16_t verdict = core->run[i].verdict;

        if (verdict == VERDICT_FLOOD) {
            batch->index.flood[batch->index.n_flood++] = i;
        } else if (verdict < batch->n_slots) {
            batch->index.next[i] = 0;
            if (batch->index.head[verdict]) {
                batch->index.next[batch->index.tail[verdict]] = i + 1;
            } else {
                batch->index.head[verdict] = i + 1;
                batch->index.target[batch->index.n_targets++] = verdict;
            }
            batch->index.tail[verdict] = i;
        }
    }
}

static void share_add(struct batch *batch, uint32_t i)
{
    const struct shared_run *runs = batch->shared->core->run;
    uint32_t begin = i > 0 ? runs[i - 1].end : 0;
    struct batch_share *share = &batch->share;

    share->iov[share->n++] =
        (struct iovec){ .iov_base = batch->shared->work + begin, .iov_len = runs[i].end - begin };
    share->bytes += runs[i].end - begin;
    share->frames += runs[i].frames;
}

/* What the port gets: its own runs and the flooded ones, in order. Ports without any of their own
 * all have the same share, which is made once. */
static const struct batch_share *share_of(struct batch *batch, uint32_t slot)
{
    uint32_t own = batch->index.head[slot], flood = 0;

    if (!own && batch->share.is_flood)
        return &batch->share;
    batch->share.n = batch->share.bytes = batch->share.frames = 0;
    batch->share.is_flood = !own;
    while (own || flood < batch->index.n_flood) {
        if (own && (flood == batch->index.n_flood || own - 1 < batch->index.flood[flood])) {
            share_add(batch, own - 1);
            own = batch->index.next[own - 1];
        } else {
            share_add(batch, batch->index.flood[flood++]);
        }
    }
    return &batch->share;
}

/* Straight from the work area into the socket. Returns framed bytes done, or negative errno. */
static ssize_t send_direct(struct port *port, const struct batch_share *share)
{
    ssize_t done = 0;

    for (uint32_t i = 0; i < share->n; i += IOV_CHUNK) {
        uint32_t n = share->n - i < IOV_CHUNK ? share->n - i : IOV_CHUNK;
        size_t bytes = 0;
        ssize_t sent = port->ops->send(port, share->iov + i, n);

        if (sent < 0)
            return sent;
        done += sent;
        for (uint32_t k = i; k < i + n; ++k)
            bytes += share->iov[k].iov_len;
        if ((size_t)sent < bytes)
            break;
    }
    return done;
}

/* So much of the batch a successor need not capture. */
static void note_captured(struct batch *batch, uint32_t steps)
{
    shared_barrier();
    batch->shared->extra->captured = steps;
}

static void capture_input(struct batch *batch, const struct port *in)
{
    const struct shared_batch *b = &batch->shared->core->batch;
    uint8_t who = in ? batch->captures.all | in->captured : 0;

    if (!who)
        return;
    captures_take(&batch->captures, who, in->id, CAPTURE_IN, batch->shared->work, b->end - b->x,
                  b->end - b->x);
    note_captured(batch, 1);
}

/* What went straight out to this member, the frame that is cut too. */
static void capture_direct(struct batch *batch, uint32_t member, const struct port *port,
                           const struct batch_share *share, size_t done)
{
    for (uint32_t i = 0; i < share->n && done > 0; ++i) {
        size_t len = share->iov[i].iov_len, limit = done < len ? done : len;

        captures_take(&batch->captures, port->captured, port->id, CAPTURE_OUT,
                      share->iov[i].iov_base, len, limit);
        done -= limit;
    }
    note_captured(batch, member + 2);
}

/* What is being put into a queue: tail moves, q_tail is stored once at the end. */
struct filling {
    struct captures *captures;
    struct port *port;
    uint64_t tail;
    size_t skip; /* framed bytes of the share that went out already */
};

/* Returns false where memory for the ring is short: the port cannot go on, its stream is cut. */
static bool put(struct filling *filling, const uint8_t *bytes, size_t len)
{
    uint8_t *at = port_queue_at(filling->port, filling->tail);

    if (!at)
        return false;
    memcpy(at, bytes, len);
    filling->tail += len;
    return true;
}

static bool fits(const struct filling *filling, size_t len)
{
    uint64_t used = filling->tail - filling->port->sent;

    return used == 0 || used + len <= filling->port->queue_bound;
}

/* One run: what of it is out already is passed over, a cut frame is taken whatever the bound says,
 * whole ones while they fit. cut_only: the batch is given up, save for the frame that is cut. */
static bool put_run(struct filling *filling, struct iovec run, bool cut_only)
{
    struct port_counters *counters = filling->port->counters;
    struct port_walk walk = { .iov = &run, .n = 1 };
    struct frame frame;

    while (port_walk_next(&walk, &frame)) {
        size_t len = FRAMING_HEADER + frame.len;
        size_t gone = filling->skip < len ? filling->skip : len;

        filling->skip -= gone;
        if (gone == len)
            continue;
        if (gone == 0 && (cut_only || !fits(filling, len)))
            port_count_refused(filling->port, &counters->drop_queue, frame.len);
        else if (!put(filling, frame.data - FRAMING_HEADER + gone, len - gone))
            return false;
        else if (filling->port->captured && gone == 0)
            captures_take(filling->captures, filling->port->captured, filling->port->id,
                          CAPTURE_OUT, frame.data - FRAMING_HEADER, len, len);
    }
    return true;
}

/* Queues the share but for its first skip bytes. */
static void enqueue(struct batch *batch, struct port *port, const struct batch_share *share,
                    size_t skip, bool cut_only)
{
    struct filling filling = {
        .captures = &batch->captures, .port = port, .tail = port_position(port), .skip = skip
    };

    for (uint32_t i = 0; i < share->n; ++i) {
        if (filling.skip >= share->iov[i].iov_len) {
            filling.skip -= share->iov[i].iov_len;
        } else if (!put_run(&filling, share->iov[i], cut_only)) {
            batch_kill_port(batch, port, -ENOMEM);
            return;
        }
    }
    if (filling.tail == port_position(port))
        return;
    shared_barrier();
    port->record->q_tail = filling.tail;
    batch->on_queued(batch, port);
}

static void count_tx(struct port *port, const struct batch_share *share)
{
    port->counters->tx_frames += share->frames;
    port->counters->tx_bytes += share->bytes - (size_t)share->frames * FRAMING_HEADER;
}

static void send_to(struct batch *batch, uint32_t member, struct port *port)
{
    const struct batch_share *share = share_of(batch, port->slot);
    ssize_t done = 0;

    count_tx(port, share); /* what is dropped is taken off again */
    if (port_queued(port) == 0 && throttle_room(&port->egress, share->bytes) == share->bytes)
        done = send_direct(port, share);
    if (done < 0)
        batch_kill_port(batch, port, (int)done);
    if (done > 0)
        throttle_took(&port->egress, (size_t)done);
    if (done > 0 && port->captured)
        capture_direct(batch, member, port, share, (size_t)done);
    if (done >= 0 && (size_t)done < share->bytes)
        enqueue(batch, port, share, (size_t)done, false);
}

/* The beginning of a frame, or what did not fit into the batch, waits in the input's carry ring;
 * below c1 it is there already. */
static void keep_tail(struct batch *batch, struct port *in)
{
    const struct shared_batch *b = &batch->shared->core->batch;
    uint64_t from = b->end > in->record->c1 ? b->end : in->record->c1;
    uint8_t *carry;

    if (from >= b->cend)
        return;
    carry = port_carry_at(in, from);
    if (carry)
        memcpy(carry, batch->shared->work + (from - b->x), b->cend - from);
    else
        batch_kill_port(batch, in, -ENOMEM);
}

void batch_send(struct batch *batch)
{
    const struct shared_core *core = batch->shared->core;
    struct port *in = batch->ports[core->batch.in_slot];

    capture_input(batch, in);
    for (uint32_t i = 0; i < core->batch.n_members; ++i) {
        struct port *port = batch->ports[core->member[i].slot];

        if (port && !port->dead)
            send_to(batch, i, port);
    }
    if (in)
        keep_tail(batch, in);
}

void batch_consume(struct batch *batch, struct port *in)
{
    struct shared_batch *b = &batch->shared->core->batch;
    int r = 0;

    shared_barrier();
    b->state = SHARED_CONSUME;
    shared_barrier();
    if (in) {
        r = in->ops->consume(in, b->cend);
        if (!in->ops->datagrams) {
            in->record->c1 = b->cend;
            shared_barrier();
            in->record->c0 = b->end;
        }
    }
    shared_barrier();
    b->state = SHARED_IDLE;
    if (in && r < 0)
        batch_kill_port(batch, in, r);
}

static bool is_sound(const struct shared_core *core)
{
    const struct shared_batch *b = &core->batch;
    uint32_t at = 0;

    if (b->state > SHARED_CONSUME || b->in_slot >= SHARED_PORTS || b->n_runs > SHARED_RUNS ||
        b->n_members > SHARED_PORTS || b->end < b->x || b->end - b->x > SHARED_WORK ||
        b->cend < b->x || b->cend - b->x > SHARED_WORK)
        return false;
    for (uint32_t i = 0; i < b->n_runs; ++i) {
        if (core->run[i].end <= at || core->run[i].end > b->end - b->x)
            return false;
        at = core->run[i].end;
    }
    for (uint32_t i = 0; i < b->n_members; ++i)
        if (core->member[i].slot >= SHARED_PORTS)
            return false;
    return true;
}

static struct port *port_of(const struct batch *batch, uint32_t slot, uint32_t id)
{
    struct port *port = batch->ports[slot];

    return port && port->id == id && !port->dead ? port : NULL;
}

/* What the predecessor had not yet handed to this port is queued; the kernel knows how much that
 * is, unless it is queued already. */
static void finish_member(struct batch *batch, uint32_t i, bool give_up)
{
    const struct shared_member *member = &batch->shared->core->member[i];
    struct port *port = port_of(batch, member->slot, member->id);
    const struct batch_share *share;
    uint64_t skip;

    if (!port || port->record->q_tail > member->start)
        return;
    share = share_of(batch, member->slot);
    skip = port->sent > member->start ? port->sent - member->start : 0;
    if (skip > share->bytes) {
        batch_kill_port(batch, port, -EPROTO); /* that position is not of this batch */
        return;
    }
    if (skip > 0 && port->captured && batch->shared->extra->captured < i + 2)
        capture_direct(batch, i, port, share, skip);
    if (skip == share->bytes)
        return;
    count_tx(port, share);
    enqueue(batch, port, share, skip, give_up);
}

void batch_finish(struct batch *batch, bool crashed)
{
    struct shared_core *core = batch->shared->core;
    struct shared_batch *b = &core->batch;
    bool give_up = false;
    struct port *in;

    if (!is_sound(core)) {
        log_error("the shared memory holds a batch that cannot be: let go");
        b->state = SHARED_IDLE;
        return;
    }
    in = port_of(batch, b->in_slot, b->in_id);
    if (b->state == SHARED_SEND) {
        give_up = crashed && ++b->tries >= BATCH_CRASHES;
        batch_index_runs(batch);
        if (batch->shared->extra->captured == 0)
            capture_input(batch, in);
        for (uint32_t i = 0; i < b->n_members; ++i)
            finish_member(batch, i, give_up);
        if (in)
            keep_tail(batch, in);
    }
    batch_consume(batch, in);
    if (give_up && in)
        batch_kill_port(batch, in, -EBADMSG);
}
