/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * UNIX stream sockets. The kernel counts nothing of them; but it lowers a socket's SO_PEEK_OFF by
 * what is read, and that belongs to the socket, not to a process. So input is peeked from offset 0,
 * and let go once the batch is out: a successor sees by the offset how much of it is gone. Output
 * has no witness. It leaves in calls of whole frames, each short enough that the kernel takes all
 * of it or nothing, and is noted after each: a kill in between repeats whole frames.
 */
#include <errno.h>
#include <sys/socket.h>
#include "relay/port.h"

#define CALL_MAX (32 * 1024) /* the kernel splits from some 36 KiB on */

static int set_peek_offset(struct port *port, uint64_t offset)
{
    int value = (int)offset;

    if (port->peeked == value)
        return 0;
    if (setsockopt(port->rfd, SOL_SOCKET, SO_PEEK_OFF, &value, sizeof(value)) < 0)
        return -errno;
    port->peeked = value;
    return 0;
}

/* Of the batch that is being let go: what of this port's input is gone already. */
static int consumed_of_batch(const struct port *port, uint64_t *ret)
{
    const struct shared_batch *b = &port->shared->core->batch;
    uint64_t all = b->cend - port->record->c1;
    socklen_t len = sizeof(int);
    int offset;

    *ret = 0;
    if (b->state != SHARED_CONSUME || b->in_slot != port->slot || b->in_id != port->id ||
        b->cend <= port->record->c1)
        return 0;
    if (getsockopt(port->rfd, SOL_SOCKET, SO_PEEK_OFF, &offset, &len) < 0)
        return -errno;
    if (offset >= 0 && (uint64_t)offset < all)
        *ret = all - (uint64_t)offset;
    return 0;
}

/* Whether what a predecessor queued begins inside a frame: then its frames do not end where the
 * queue does. Were this wrong, the bytes would be the same, in other calls. */
static bool is_cut(struct port *port)
{
    const struct shared_port *record = port->record;
    uint64_t queued = record->q_tail > record->h ? record->q_tail - record->h : 0;
    const uint8_t *queue;
    struct frame frame;
    uint64_t at = 0;

    if (!record->id || !queued)
        return false;
    if (queued > port->shared->core->queue_size)
        return true;
    queue = port_queue_at(port, record->h);
    while (queue && framing_next(queue + at, queued - at, &frame) == 0)
        at += FRAMING_HEADER + frame.len;
    return at != queued;
}

static int unix_positions(struct port *port, uint64_t *ret_consumed, uint64_t *ret_sent)
{
    uint64_t gone;
    int r = consumed_of_batch(port, &gone);

    port->peeked = -1; /* not known */
    port->cut = is_cut(port);
    *ret_consumed = port->record->c1 + gone;
    *ret_sent = port->record->h;
    return r;
}

static ssize_t unix_fill(struct port *port, uint8_t *work, size_t room)
{
    ssize_t carry = port_copy_carry(port, work), n;
    int r = set_peek_offset(port, 0);

    if (carry < 0 || r < 0)
        return carry < 0 ? carry : r;
    n = recv(port->rfd, work + carry, room, MSG_PEEK | MSG_DONTWAIT);
    if (n == 0)
        return -EPIPE;
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    port->peeked = (int)n;
    return carry + n;
}

/* The work area is nobody's by now, so what is let go may be read into it. */
static int unix_consume(struct port *port, uint64_t position)
{
    int r = set_peek_offset(port, position - port->consumed);

    while (r == 0 && port->consumed < position) {
        ssize_t n = recv(port->rfd, port->shared->work, position - port->consumed, MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EPIPE;
        port->consumed += (uint64_t)n;
        port->peeked -= (int)n;
    }
    return r;
}

/* How much of the run goes into one call. Where a frame was cut its end is not known any more. */
static size_t call_length(const struct port *port, const uint8_t *run, size_t len)
{
    struct frame frame;
    size_t at = 0;

    if (port->cut)
        return len < CALL_MAX ? len : CALL_MAX;
    while (framing_next(run + at, len - at, &frame) == 0 &&
           (at == 0 || at + FRAMING_HEADER + frame.len <= CALL_MAX))
        at += FRAMING_HEADER + frame.len;
    return at ? at : len;
}

static ssize_t unix_send(struct port *port, const struct iovec *iov, size_t n_iov)
{
    if (port_queued(port) == 0)
        port->cut = false;
    return port_send_by_calls(port, iov, n_iov, call_length);
}

const struct port_ops port_unix_ops = {
    .name = "unix",
    .positions = unix_positions,
    .fill = unix_fill,
    .consume = unix_consume,
    .send = unix_send,
};
