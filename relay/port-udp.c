/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * UDP: a frame a datagram, on a socket that is connected to its one peer. A datagram that QEMU
 * gets empty stops its NIC for good, so nothing short leaves (vswitch never passes it), and what
 * comes in too short is dropped by the batch.
 */
#include <errno.h>
#include <sys/socket.h>
#include "relay/port.h"

#define SLOT       (FRAMING_HEADER + 65536) /* no datagram is longer */
#define READ_SLOTS (SHARED_WORK / SLOT)
#define SEND_SLOTS 64

static int udp_positions(struct port *port, uint64_t *ret_consumed, uint64_t *ret_sent)
{
    *ret_consumed = port->record->c1;
    *ret_sent = port->record->h;
    return 0;
}

/* The peer's port was closed for a while: the kernel says so once, and it may open again. */
static bool is_passing(int error)
{
    return error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH ||
           error == EHOSTDOWN || error == ENETDOWN;
}

/* The datagrams lie a slot apart; the work area has them in one piece, each after its length. */
static size_t pack(uint8_t *work, const struct mmsghdr *msgs, int n)
{
    size_t at = 0;

    for (int i = 0; i < n; ++i) {
        uint32_t len = msgs[i].msg_len;

        framing_put_length(work + at, len);
        memmove(work + at + FRAMING_HEADER, work + (size_t)i * SLOT + FRAMING_HEADER, len);
        at += FRAMING_HEADER + len;
    }
    return at;
}

static ssize_t udp_fill(struct port *port, uint8_t *work, size_t room)
{
    struct mmsghdr msgs[READ_SLOTS] = { 0 };
    struct iovec iov[READ_SLOTS];
    size_t bytes;
    int n;

    for (int i = 0; i < READ_SLOTS; ++i) {
        iov[i].iov_base = work + (size_t)i * SLOT + FRAMING_HEADER;
        iov[i].iov_len = SLOT - FRAMING_HEADER;
        msgs[i].msg_hdr.msg_iov = &iov[i];
        msgs[i].msg_hdr.msg_iovlen = 1;
    }
    n = recvmmsg(port->rfd, msgs, READ_SLOTS, MSG_DONTWAIT, NULL);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR || is_passing(errno) ? 0 : -errno;
    bytes = pack(work, msgs, n);
    port_filled(port, bytes);
    return (ssize_t)bytes;
}

static int udp_consume(struct port *port, uint64_t position)
{
    return 0; /* fill did */
}

/* Notes the position first: a kill during the call loses it, never repeats it. */
static int send_noted(struct port *port, struct mmsghdr *msgs, unsigned n, size_t bytes)
{
    int sent;

    port->record->h = port->sent + bytes;
    shared_barrier();
    sent = sendmmsg(port->wfd, msgs, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent < 0 ? -errno : sent;
}

/* 1: the datagram is given up; 0: it has to wait; negative errno: the port is dead. */
static int refused(struct port *port, int error, size_t len)
{
    if (error == EAGAIN || error == EINTR || error == ENOBUFS || error == ENOMEM)
        return 0;
    port_count_refused(port,
                       error == EMSGSIZE ? &port->counters->drop_size : &port->counters->drop_error,
                       (uint32_t)len);
    return is_passing(error) || error == EMSGSIZE || error == EPERM || error == EINVAL ? 1 : -error;
}

static size_t collect(struct port_walk *walk, struct mmsghdr *msgs, struct iovec *iov)
{
    struct frame frame;
    size_t n = 0;

    while (n < SEND_SLOTS && port_walk_next(walk, &frame)) {
        iov[n] = (struct iovec){ .iov_base = (void *)frame.data, .iov_len = frame.len };
        msgs[n] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &iov[n], .msg_iovlen = 1 } };
        ++n;
    }
    return n;
}

static size_t framed_bytes(const struct iovec *iov, size_t n)
{
    size_t bytes = 0;

    for (size_t i = 0; i < n; ++i)
        bytes += FRAMING_HEADER + iov[i].iov_len;
    return bytes;
}

static ssize_t udp_send(struct port *port, const struct iovec *runs, size_t n_runs)
{
    struct port_walk walk = { .iov = runs, .n = n_runs };
    struct mmsghdr msgs[SEND_SLOTS];
    struct iovec iov[SEND_SLOTS];
    ssize_t done = 0;
    size_t n;

    while ((n = collect(&walk, msgs, iov)) > 0) {
        for (size_t at = 0; at < n;) {
            int sent =
                send_noted(port, msgs + at, (unsigned)(n - at), framed_bytes(iov + at, n - at));

            if (sent <= 0) {
                sent = refused(port, -sent, iov[at].iov_len);
                if (sent <= 0) {
                    port->record->h = port->sent;
                    return sent < 0 ? sent : done;
                }
            }
            port->sent += framed_bytes(iov + at, (size_t)sent);
            done += (ssize_t)framed_bytes(iov + at, (size_t)sent);
            at += (size_t)sent;
        }
    }
    port->record->h = port->sent;
    return done;
}

const struct port_ops port_udp_ops = {
    .name = "udp",
    .datagrams = true,
    .positions = udp_positions,
    .fill = udp_fill,
    .consume = udp_consume,
    .send = udp_send,
};
