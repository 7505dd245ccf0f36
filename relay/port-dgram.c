/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * UNIX datagrams: a frame each, on a socket that is connected to its one peer. A peer that is gone
 * ends the port: the socket would hear anybody from then on. The keeper connects a new one.
 */
#include <errno.h>
#include <sys/socket.h>
#include "relay/port.h"

static int dgram_positions(struct port *port, uint64_t *ret_consumed, uint64_t *ret_sent)
{
    *ret_consumed = port->record->c1;
    *ret_sent = port->record->h;
    return 0;
}

static ssize_t dgram_fill(struct port *port, uint8_t *work, size_t room)
{
    size_t at = 0;

    while (at < room && SHARED_WORK - at >= FRAMING_MAX) {
        ssize_t n =
            recv(port->rfd, work + at + FRAMING_HEADER, FRAME_MAX, MSG_DONTWAIT | MSG_TRUNC);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (at > 0 || errno == EAGAIN))
            break;
        if (n < 0)
            return -errno;
        if (n > FRAME_MAX) {
            ++port->counters->drop_size;
            continue;
        }
        framing_put_length(work + at, (uint32_t)n);
        at += FRAMING_HEADER + (size_t)n;
        port_filled(port, at);
    }
    return (ssize_t)at;
}

static int dgram_consume(struct port *port, uint64_t position)
{
    return 0; /* fill did */
}

static ssize_t dgram_send(struct port *port, const struct iovec *runs, size_t n_runs)
{
    struct port_walk walk = { .iov = runs, .n = n_runs };
    struct frame frame;
    ssize_t done = 0;

    while (port_walk_next(&walk, &frame)) {
        size_t bytes = FRAMING_HEADER + frame.len;

        port->record->h = port->sent + bytes; /* before the call: lost rather than repeated */
        shared_barrier();
        if (send(port->wfd, frame.data, frame.len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
            int error = errno;

            if (error == EAGAIN || error == EINTR || error == ENOBUFS || error == ENOMEM) {
                port->record->h = port->sent;
                return done;
            }
            port_count_refused(
                port, error == EMSGSIZE ? &port->counters->drop_size : &port->counters->drop_error,
                frame.len);
            if (error != EMSGSIZE)
                return -error;
        }
        port->sent += bytes;
        done += (ssize_t)bytes;
    }
    return done;
}

const struct port_ops port_dgram_ops = {
    .name = "dgram",
    .datagrams = true,
    .positions = dgram_positions,
    .fill = dgram_fill,
    .consume = dgram_consume,
    .send = dgram_send,
};
