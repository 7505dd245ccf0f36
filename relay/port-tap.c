/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A TAP: a frame a read or write. A guest's frame may be shorter than the kernel expects, so it is
 * padded here and nowhere else.
 */
#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>
#include "relay/port.h"

static int tap_positions(struct port *port, uint64_t *ret_consumed, uint64_t *ret_sent)
{
    *ret_consumed = port->record->c1;
    *ret_sent = port->record->h;
    return 0;
}

static ssize_t tap_fill(struct port *port, uint8_t *work, size_t room)
{
    size_t at = 0;

    while (at < room && SHARED_WORK - at >= FRAMING_MAX) {
        ssize_t n = read(port->rfd, work + at + FRAMING_HEADER, FRAME_MAX);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            if (at > 0 || n == 0 || errno == EAGAIN)
                break;
            return errno == EIO ? 0 : -errno;
        }
        framing_put_length(work + at, (uint32_t)n);
        at += FRAMING_HEADER + (size_t)n;
        port_filled(port, at);
    }
    return (ssize_t)at;
}

static int tap_consume(struct port *port, uint64_t position)
{
    return 0; /* fill did */
}

static ssize_t write_padded(int fd, struct frame frame)
{
    static const uint8_t zeros[FRAME_PAD];
    struct iovec iov[2] = { { .iov_base = (void *)frame.data, .iov_len = frame.len },
                            { .iov_base = (void *)zeros } };

    if (frame.len < FRAME_PAD)
        iov[1].iov_len = FRAME_PAD - frame.len;
    return writev(fd, iov, 2);
}

static ssize_t tap_send(struct port *port, const struct iovec *runs, size_t n_runs)
{
    struct port_walk walk = { .iov = runs, .n = n_runs };
    struct frame frame;
    ssize_t done = 0;

    while (port_walk_next(&walk, &frame)) {
        size_t bytes = FRAMING_HEADER + frame.len;

        port->record->h = port->sent + bytes; /* before the call: lost rather than repeated */
        shared_barrier();
        if (write_padded(port->wfd, frame) < 0) {
            if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS || errno == ENOMEM) {
                port->record->h = port->sent;
                return done;
            }
            if (errno == EBADFD || errno == EBADF)
                return -errno;
            /* EIO: it is down; it may come up again. */
            port_count_refused(port,
                               errno == EINVAL || errno == EMSGSIZE ? &port->counters->drop_size
                                                                    : &port->counters->drop_error,
                               frame.len);
        }
        port->sent += bytes;
        done += (ssize_t)bytes;
    }
    return done;
}

const struct port_ops port_tap_ops = {
    .name = "tap",
    .datagrams = true,
    .positions = tap_positions,
    .fill = tap_fill,
    .consume = tap_consume,
    .send = tap_send,
};
