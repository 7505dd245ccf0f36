/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/port.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "common/scope.h"

static const struct port_ops *const ops_of[PORT_KIND_COUNT] = {
    [PORT_TCP] = &port_tcp_ops, [PORT_UNIX] = &port_unix_ops, [PORT_PIPE] = &port_pipe_ops,
    [PORT_UDP] = &port_udp_ops, [PORT_TAP] = &port_tap_ops,   [PORT_DGRAM] = &port_dgram_ops,
};

/* The id comes last: a record without it is begun anew. */
static void record_begin(struct port *port)
{
    struct shared_port *record = port->record;

    record->id = 0;
    shared_barrier();
    record->c0 = port->consumed;
    record->c1 = port->consumed;
    record->h = port->sent;
    record->q_tail = 0;
    memset(port->counters, 0, sizeof(*port->counters));
    shared_barrier();
    record->id = port->id;
}

static int record_check(const struct port *port, bool tail_open)
{
    const struct shared_port *record = port->record;

    if (record->c1 < record->c0 || record->c1 - record->c0 > SHARED_CARRY)
        return -EPROTO;
    if (port->consumed != record->c1 && !tail_open)
        return -EPROTO;
    if (port_queued(port) > port->shared->core->queue_size)
        return -EPROTO;
    return 0;
}

static void port_freep(struct port **port)
{
    port_free(*port);
}

int port_new(struct port **ret, struct shared *shared, enum port_kind kind, uint32_t slot,
             uint32_t id, int rfd, int wfd, bool tail_open)
{
    _cleanup_(port_freep) struct port *port = calloc(1, sizeof(*port));
    bool fresh = shared->core->port[slot].id != id;
    int r;

    if (!port)
        return -ENOMEM;
    port->ops = ops_of[kind];
    port->shared = shared;
    port->slot = slot;
    port->id = id;
    port->joined_max = FRAME_MAX;
    port->rfd = port->wfd = -1;
    port->cut = true;
    port->queue_bound = shared->core->queue_bound;
    port->record = &shared->core->port[slot];
    port->counters = &shared->extra->counters[slot];
    if (fresh)
        port->record->id = port->record->c1 = port->record->h = 0;
    port->rfd = rfd;
    port->wfd = wfd;
    r = port->ops->positions(port, &port->consumed, &port->sent);
    if (r == 0 && fresh)
        record_begin(port);
    if (r == 0)
        r = record_check(port, tail_open);
    if (r < 0) {
        port->rfd = port->wfd = -1; /* still the caller's */
        return r;
    }
    port->carry_used = port->queue_used = true;
    port->told_size = port->counters->drop_size > 0; /* a predecessor has */
    port->told_queue = port->counters->drop_queue > 0;
    *ret = steal_ptr(&port);
    return 0;
}

void port_free(struct port *port)
{
    if (!port)
        return;
    throttle_stop(&port->ingress);
    throttle_stop(&port->egress);
    if (port->wfd >= 0 && port->wfd != port->rfd)
        close(port->wfd);
    if (port->rfd >= 0)
        close(port->rfd);
    shared_unmap_carry(port->carry);
    shared_unmap_queue(port->shared, port->queue);
    free(port);
}

void port_set_options(struct port *port, struct loop *loop, const struct port_options *options,
                      bool pushes_back)
{
    uint64_t bound = port->shared->core->queue_bound;

    port->options = *options;
    throttle_set(&port->ingress, loop, &options->ingress);
    throttle_set(&port->egress, loop, &options->egress);
    port->queue_bound = pushes_back ? bound : throttle_queue_bound(&options->egress, bound);
}

uint8_t *port_carry_at(struct port *port, uint64_t position)
{
    if (!port->carry)
        port->carry = shared_map_carry(port->shared, port->slot);
    port->carry_used = true;
    return port->carry ? port->carry + position % SHARED_CARRY : NULL;
}

uint8_t *port_queue_at(struct port *port, uint64_t position)
{
    if (!port->queue)
        port->queue = shared_map_queue(port->shared, port->slot);
    port->queue_used = true;
    return port->queue ? port->queue + position % port->shared->core->queue_size : NULL;
}

ssize_t port_copy_carry(struct port *port, uint8_t *work)
{
    size_t len = port->record->c1 - port->record->c0;
    const uint8_t *carry;

    if (!len)
        return 0;
    carry = port_carry_at(port, port->record->c0);
    if (!carry)
        return -ENOMEM;
    memcpy(work, carry, len);
    return (ssize_t)len;
}

void port_count_refused(struct port *port, uint64_t *reason, uint32_t len)
{
    ++*reason;
    --port->counters->tx_frames; /* which had it, or will have it, as sent */
    port->counters->tx_bytes -= len;
}

/* Sockets are not made non-blocking: the description may be shared with strangers. */
static ssize_t write_some(int fd, const uint8_t *bytes, size_t len)
{
    ssize_t n = send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);

    return n < 0 && errno == ENOTSOCK ? write(fd, bytes, len) : n;
}

ssize_t port_send_by_calls(struct port *port, const struct iovec *iov, size_t n,
                           port_call_length *call_length)
{
    ssize_t done = 0;

    for (size_t i = 0; i < n; ++i) {
        for (size_t at = 0; at < iov[i].iov_len;) {
            const uint8_t *from = (const uint8_t *)iov[i].iov_base + at;
            size_t len = call_length(port, from, iov[i].iov_len - at);
            ssize_t taken = write_some(port->wfd, from, len);

            if (taken < 0)
                return errno == EAGAIN || errno == EINTR ? done : -errno;
            port->sent += (uint64_t)taken;
            port->record->h = port->sent;
            at += (size_t)taken;
            done += taken;
            if ((size_t)taken < len) {
                port->cut = true;
                return done;
            }
        }
    }
    return done;
}

void port_filled(struct port *port, size_t bytes)
{
    shared_barrier();
    port->shared->extra->filled = (uint32_t)bytes;
}

uint64_t port_taken(const struct port *port)
{
    int waiting = 0;

    return ioctl(port->wfd, SIOCOUTQ, &waiting) < 0 ? port->sent : port->sent - (uint64_t)waiting;
}

/* How much of the queue may leave now. Of what is sent in whole frames, whole frames: the last of
 * them may be more than that. */
static size_t drain_length(struct port *port, const uint8_t *queue)
{
    size_t queued = port_queued(port), room = throttle_room(&port->egress, queued), at = 0;
    struct frame frame;

    if (room == queued || (port->cut && !port->ops->datagrams))
        return room;
    while (at < room && framing_next(queue + at, queued - at, &frame) == 0)
        at += FRAMING_HEADER + frame.len;
    return at;
}

int port_drain(struct port *port)
{
    while (port_queued(port)) {
        struct iovec iov = { .iov_base = port_queue_at(port, port->sent) };
        ssize_t n;

        if (!iov.iov_base)
            return -ENOMEM;
        iov.iov_len = drain_length(port, iov.iov_base);
        if (!iov.iov_len)
            return 0;
        n = port->ops->send(port, &iov, 1);
        if (n < 0)
            return (int)n;
        throttle_took(&port->egress, (size_t)n);
        if ((size_t)n < iov.iov_len)
            return 0;
    }
    return 0;
}

int port_send_own(struct port *port, struct frame frame)
{
    size_t len = FRAMING_HEADER + frame.len;
    uint64_t tail = port_position(port);
    uint8_t *at;

    if (port_queued(port) + len > port->queue_bound)
        return 0;
    at = port_queue_at(port, tail);
    if (!at)
        return -ENOMEM;
    framing_put_length(at, frame.len);
    memcpy(at + FRAMING_HEADER, frame.data, frame.len);
    ++port->counters->tx_frames;
    port->counters->tx_bytes += frame.len;
    shared_barrier();
    port->record->q_tail = tail + len;
    return port_drain(port);
}

void port_trim(struct port *port)
{
    if (port->carry_used && port->record->c0 == port->record->c1) {
        shared_punch_carry(port->shared, port->slot);
        port->carry_used = false;
    }
    if (port->queue_used && !port_queued(port)) {
        shared_punch_queue(port->shared, port->slot);
        port->queue_used = false;
    }
}

bool port_walk_next(struct port_walk *walk, struct frame *ret)
{
    while (walk->n && walk->offset == walk->iov->iov_len) {
        ++walk->iov;
        --walk->n;
        walk->offset = 0;
    }
    if (!walk->n)
        return false;
    if (framing_next((const uint8_t *)walk->iov->iov_base + walk->offset,
                     walk->iov->iov_len - walk->offset, ret) != 0)
        return false;
    walk->offset += FRAMING_HEADER + ret->len;
    return true;
}
