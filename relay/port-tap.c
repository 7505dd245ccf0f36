/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A TAP: a frame a read or write. A guest's frame may be shorter than the kernel expects, so it is
 * padded here and nowhere else. One with virtio headers (IFF_VNET_HDR) takes and gives many TCP
 * segments at once; the others' frames are ordinary ones, so it is here that they are cut and
 * joined.
 */
#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>
#include "relay/merge.h"
#include "relay/port.h"
#include "relay/segment.h"
#include "relay/tap-ring.h"

#define SMALL_MAX 2048

/* A virtio header's first fields, which all sizes have; those after them are of no use here. */
union head {
    struct virtio_net_hdr net;
    uint8_t bytes[PORT_HEAD_MAX];
};

static int tap_positions(struct port *port, uint64_t *ret_consumed, uint64_t *ret_sent)
{
    *ret_consumed = port->record->c1;
    *ret_sent = port->record->h;
    return 0;
}

/* A frame, or what becomes of one, with lengths; 0 where it was none; negative errno. */
static ssize_t read_frame(struct port *port, uint8_t *to, size_t room)
{
    union head head;
    struct iovec iov[2] = { { &head, port->head_size }, { to + FRAMING_HEADER, FRAME_MAX } };
    ssize_t n = readv(port->rfd, iov, 2);

    if (n <= 0)
        return n < 0 ? -errno : -EAGAIN;
    if (!port->head_size) {
        framing_put_length(to, (uint32_t)n);
        return FRAMING_HEADER + n;
    }
    if (n > (ssize_t)port->head_size) {
        n = segment_frame(to, (size_t)n - port->head_size, room, &head.net);
        if (n >= 0)
            return n;
    }
    ++*(n == -EMSGSIZE ? &port->counters->drop_size : &port->counters->drop_error);
    return 0;
}

static ssize_t tap_fill(struct port *port, uint8_t *work, size_t room)
{
    size_t at = 0;
    ssize_t n = 1;

    while (n > 0 && at < room && SHARED_WORK - at >= FRAMING_MAX) {
        n = read_frame(port, work + at, SHARED_WORK - at);
        if (n > 0) {
            at += (size_t)n;
            port_filled(port, at);
        }
    }
    /* EIO: it is down; it may come up again. */
    return at > 0 || n >= 0 || n == -EAGAIN || n == -EINTR || n == -EIO ? (ssize_t)at : n;
}

static int tap_consume(struct port *port, uint64_t position)
{
    return 0; /* fill did */
}

/* One write's frames: one, or where the TAP takes them whole the segments that go on from it.
 * Moves the walk behind them. */
static bool gather(const struct port *port, struct port_walk *walk, struct merge *merge)
{
    struct port_walk ahead;
    struct frame frame;

    if (!port_walk_next(walk, &frame))
        return false;
    merge_begin(merge, frame);
    if (!port->head_size || !port->joined_max)
        return true;
    ahead = *walk;
    while (merge->is_open && port_walk_next(&ahead, &frame) && merge_add(merge, frame))
        *walk = ahead;
    return true;
}

/* Small frames, each behind its virtio header, that leave with one call. All ports share the room:
 * none keeps any in it. */
static struct {
    struct tap_ring ring;
    struct tap_write writes[TAP_RING_WRITES];
    size_t lengths[TAP_RING_WRITES]; /* of the frames as they came */
    unsigned n;
    size_t bytes; /* of all, in QEMU's framing */
    uint8_t room[TAP_RING_WRITES][PORT_HEAD_MAX + SMALL_MAX];
} small;

void port_tap_prepare(void)
{
    tap_ring_open(&small.ring);
}

/* Copied behind its header: cheaper than a call with several pieces. */
static void add_small(const struct port *port, struct frame frame)
{
    uint8_t *bytes = small.room[small.n], *at = bytes + port->head_size;
    size_t len = frame.len < FRAME_PAD ? FRAME_PAD : frame.len;

    memset(bytes, 0, port->head_size);
    memset(at, 0, FRAME_PAD);
    memcpy(at, frame.data, frame.len);
    small.writes[small.n] = (struct tap_write){ bytes, port->head_size + len, 0 };
    small.lengths[small.n++] = frame.len;
    small.bytes += FRAMING_HEADER + frame.len;
}

static int write_merged(const struct port *port, struct merge *merge)
{
    struct iovec iov[MERGE_FRAMES + 2];
    union head head = { 0 };
    size_t n = 1 + merge_end(merge, &head.net, iov + 1);

    iov[0] = (struct iovec){ &head, port->head_size };
    return writev(port->wfd, iov, (int)n) < 0 ? -errno : 0;
}

/* A kernel that will not have them in one piece gets them one by one from here on. */
static bool is_parted(struct port *port, const struct merge *merge, int error)
{
    if (error != EINVAL || merge->n == 1)
        return false;
    port->joined_max = 0;
    return true;
}

static bool has_to_wait(int error)
{
    return error == EAGAIN || error == EINTR || error == ENOBUFS || error == ENOMEM;
}

/* Counts n frames as given up. 0, or negative errno: the port is dead. */
static int give_up(struct port *port, unsigned n, size_t bytes, int error)
{
    uint64_t *reason = error == EINVAL || error == EMSGSIZE ? &port->counters->drop_size
                                                            : &port->counters->drop_error;

    if (error == EBADFD || error == EBADF)
        return -error;
    for (unsigned i = 0; i < n; ++i)
        port_count_refused(port, reason, i == 0 ? (uint32_t)bytes : 0);
    return 0;
}

/* Before the call: lost rather than repeated. */
static void note(const struct port *port, size_t bytes)
{
    port->record->h = port->sent + bytes;
    shared_barrier();
}

/* How many are done with: the last ones may wait, but none that others have overtaken. */
static unsigned settled(void)
{
    unsigned n = small.n;

    while (n > 0 && has_to_wait(-small.writes[n - 1].result))
        --n;
    return n;
}

/* 1: all small ones are done with; 0: the rest has to wait; negative errno: the port is dead. */
static int send_small(struct port *port)
{
    unsigned n = small.n, done;
    int r = 0;

    if (n == 0)
        return 1;
    note(port, small.bytes);
    tap_ring_write(&small.ring, port->wfd, small.writes, n);
    done = settled();
    for (unsigned i = 0; i < done && r == 0; ++i) {
        if (small.writes[i].result < 0)
            r = give_up(port, 1, small.lengths[i], -small.writes[i].result);
        if (r == 0)
            port->sent += FRAMING_HEADER + small.lengths[i];
    }
    small.n = 0;
    small.bytes = 0;
    return r < 0 ? r : done == n;
}

/* As send_small(); -EINVAL: once more, frame by frame. */
static int send_merged(struct port *port, struct merge *merge)
{
    size_t bytes = merge->bytes + merge->n * FRAMING_HEADER;
    int r;

    note(port, bytes);
    r = write_merged(port, merge);
    if (r < 0 && is_parted(port, merge, -r))
        return -EINVAL;
    if (r < 0 && has_to_wait(-r))
        return 0;
    if (r < 0)
        r = give_up(port, merge->n, merge->bytes, -r);
    if (r < 0)
        return r;
    port->sent += bytes;
    return 1;
}

static ssize_t tap_send(struct port *port, const struct iovec *runs, size_t n_runs)
{
    struct port_walk walk = { .iov = runs, .n = n_runs };
    uint64_t began = port->sent;
    struct merge merge;
    int r = 1;

    for (struct port_walk from = walk; r > 0 && gather(port, &walk, &merge); from = walk) {
        bool is_small = merge.n == 1 && merge.first.len <= SMALL_MAX;

        if (is_small)
            add_small(port, merge.first);
        if (!is_small || small.n == TAP_RING_WRITES)
            r = send_small(port);
        if (!is_small && r > 0)
            r = send_merged(port, &merge);
        if (r == -EINVAL) {
            walk = from;
            r = 1;
        }
    }
    if (r > 0)
        r = send_small(port);
    port->record->h = port->sent;
    return r < 0 ? r : (ssize_t)(port->sent - began);
}

const struct port_ops port_tap_ops = {
    .name = "tap",
    .datagrams = true,
    .is_prompt = true,
    .positions = tap_positions,
    .fill = tap_fill,
    .consume = tap_consume,
    .send = tap_send,
};
