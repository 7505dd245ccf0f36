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

/* Copied behind its header: cheaper than a call with several pieces. */
static int write_small(const struct port *port, struct frame frame)
{
    uint8_t bytes[PORT_HEAD_MAX + SMALL_MAX], *at = bytes + port->head_size;
    size_t len = frame.len < FRAME_PAD ? FRAME_PAD : frame.len;

    memset(bytes, 0, port->head_size);
    memset(at, 0, FRAME_PAD);
    memcpy(at, frame.data, frame.len);
    return write(port->wfd, bytes, port->head_size + len) < 0 ? -errno : 0;
}

static int write_merged(const struct port *port, struct merge *merge)
{
    struct iovec iov[MERGE_FRAMES + 2];
    union head head = { 0 };
    size_t n;

    if (merge->n == 1 && merge->first.len <= SMALL_MAX)
        return write_small(port, merge->first);
    n = 1 + merge_end(merge, &head.net, iov + 1);
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

/* 1: the frames are given up; 0: they have to wait; negative errno: the port is dead. */
static int refused(struct port *port, const struct merge *merge, int error)
{
    uint64_t *reason = error == EINVAL || error == EMSGSIZE ? &port->counters->drop_size
                                                            : &port->counters->drop_error;

    if (error == EAGAIN || error == EINTR || error == ENOBUFS || error == ENOMEM)
        return 0;
    if (error == EBADFD || error == EBADF)
        return -error;
    for (unsigned i = 0; i < merge->n; ++i)
        port_count_refused(port, reason, i == 0 ? (uint32_t)merge->bytes : 0);
    return 1;
}

static ssize_t tap_send(struct port *port, const struct iovec *runs, size_t n_runs)
{
    struct port_walk walk = { .iov = runs, .n = n_runs };
    uint64_t began = port->sent;
    struct merge merge;
    int r = 0;

    for (struct port_walk from = walk; gather(port, &walk, &merge); from = walk) {
        size_t bytes = merge.bytes + merge.n * FRAMING_HEADER;

        port->record->h = port->sent + bytes; /* before the call: lost rather than repeated */
        shared_barrier();
        r = write_merged(port, &merge);
        if (r < 0 && is_parted(port, &merge, -r)) {
            walk = from;
            continue;
        }
        r = r < 0 ? refused(port, &merge, -r) : 1;
        if (r <= 0)
            break;
        port->sent += bytes;
    }
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
