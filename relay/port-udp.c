/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * UDP: a frame a datagram, on a socket that is connected to its one peer. A datagram that QEMU
 * gets empty stops its NIC for good, so nothing short leaves (vswitch never passes it), and what
 * comes in too short is dropped by the batch.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include "relay/port.h"

#define DATAGRAM_MAX 65536 /* none is longer */
#define SEGMENTS_MAX 128   /* that the kernel puts into one, or cuts one into */
#define SLOT         (DATAGRAM_MAX + SEGMENTS_MAX * FRAMING_HEADER)
#define READ_SLOTS   (SHARED_WORK / SLOT)
#define SEND_FRAMES  64    /* a call: what a kill can cost */
#define SEND_JOINED  65000 /* bytes, so that headers fit too */

static int udp_positions(struct port *port, uint64_t *ret_consumed, uint64_t *ret_sent)
{
    *ret_consumed = port->record->c1;
    *ret_sent = port->record->h;
    return 0;
}

/* What the network says of a datagram that had left: nobody was there, or some router could not
 * pass it on. That one is lost; the next may find somebody there. */
static bool is_of_the_past(int error)
{
    return error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH ||
           error == EHOSTDOWN || error == ENETDOWN || error == EMSGSIZE;
}

static void count_lost(struct port *port, int error, size_t len)
{
    struct port_counters *counters = port->counters;

    port_count_refused(port, error == EMSGSIZE ? &counters->drop_size : &counters->drop_error,
                       (uint32_t)len);
}

/* The length of the datagrams that the kernel has put together into this message. */
static size_t segment_of(struct msghdr *header, size_t len)
{
    struct cmsghdr *cmsg = CMSG_FIRSTHDR(header);
    int segment = 0;

    if (cmsg && cmsg->cmsg_level == IPPROTO_UDP && cmsg->cmsg_type == UDP_GRO)
        memcpy(&segment, CMSG_DATA(cmsg), sizeof(segment));
    return segment > 0 ? (size_t)segment : len;
}

/* A message's datagrams, each after its length; room for the lengths lies before the message. */
static size_t unpack(uint8_t *to, const uint8_t *from, size_t len, size_t segment)
{
    size_t at = 0;

    do {
        size_t part = len < segment ? len : segment;

        framing_put_length(to + at, (uint32_t)part);
        memmove(to + at + FRAMING_HEADER, from, part);
        at += FRAMING_HEADER + part;
        from += part;
        len -= part;
    } while (len > 0);
    return at;
}

struct reading {
    struct mmsghdr msgs[READ_SLOTS];
    struct iovec iov[READ_SLOTS];
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control[READ_SLOTS];
};

/* Messages lie a slot apart; the work area has their datagrams in one piece. */
static size_t pack(struct port *port, uint8_t *work, struct reading *reading, int n)
{
    size_t at = 0;

    for (int i = 0; i < n; ++i) {
        size_t len = reading->msgs[i].msg_len;
        size_t segment = segment_of(&reading->msgs[i].msg_hdr, len);

        if (len > segment * SEGMENTS_MAX)
            ++port->counters->drop_error;
        else
            at += unpack(work + at, reading->iov[i].iov_base, len, segment);
    }
    return at;
}

/* As many messages as there is room for; how many there were, or negative errno. */
static int read_slots(struct port *port, uint8_t *work, size_t n_slots, size_t *ret_bytes)
{
    struct reading reading;
    int n;

    for (size_t i = 0; i < n_slots; ++i) {
        reading.iov[i] = (struct iovec){
            .iov_base = work + i * SLOT + SEGMENTS_MAX * FRAMING_HEADER,
            .iov_len = DATAGRAM_MAX,
        };
        reading.msgs[i].msg_hdr = (struct msghdr){
            .msg_iov = &reading.iov[i],
            .msg_iovlen = 1,
            .msg_control = &reading.control[i],
            .msg_controllen = sizeof(reading.control[i]),
        };
    }
    n = recvmmsg(port->rfd, reading.msgs, (unsigned)n_slots, MSG_DONTWAIT, NULL);
    *ret_bytes = pack(port, work, &reading, n);
    return n < 0 ? -errno : n;
}

static ssize_t udp_fill(struct port *port, uint8_t *work, size_t room)
{
    size_t at = 0, bytes, n_slots;
    int n;

    do {
        n_slots = (SHARED_WORK - at) / SLOT;
        n = read_slots(port, work + at, n_slots, &bytes);
        if (n < 0)
            break;
        at += bytes;
        port_filled(port, at);
    } while ((size_t)n == n_slots && at < room);
    if (n < 0 && is_of_the_past(-n))
        count_lost(port, -n, 0);
    else if (n < 0 && n != -EAGAIN && n != -EINTR && at == 0)
        return n;
    return (ssize_t)at;
}

static int udp_consume(struct port *port, uint64_t position)
{
    return 0; /* fill did */
}

/* What goes out in one call: messages of one or more frames. */
struct sending {
    struct mmsghdr msgs[SEND_FRAMES];
    struct iovec iov[SEND_FRAMES];
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(uint16_t))];
    } control[SEND_FRAMES];
    unsigned n;
    size_t bytes; /* framed */
};

/* Frames of one length, of which the last may be shorter, leave in one message that the kernel
 * cuts (UDP_SEGMENT). */
static bool joins(const struct msghdr *header, size_t joined, size_t len, size_t longest)
{
    size_t segment = header->msg_iov[0].iov_len;

    return header->msg_iov[header->msg_iovlen - 1].iov_len == segment && len <= segment &&
           segment <= longest && joined + len <= SEND_JOINED;
}

static void tell_segment(struct msghdr *header, void *control)
{
    uint16_t segment = (uint16_t)header->msg_iov[0].iov_len;
    struct cmsghdr *cmsg = control;

    header->msg_control = control;
    header->msg_controllen = CMSG_SPACE(sizeof(segment));
    cmsg->cmsg_level = IPPROTO_UDP;
    cmsg->cmsg_type = UDP_SEGMENT;
    cmsg->cmsg_len = CMSG_LEN(sizeof(segment));
    memcpy(CMSG_DATA(cmsg), &segment, sizeof(segment));
}

static void collect(struct sending *sending, struct port_walk walk, size_t longest)
{
    struct msghdr *header = NULL;
    struct frame frame;
    size_t joined = 0;

    sending->n = 0;
    sending->bytes = 0;
    for (size_t i = 0; i < SEND_FRAMES && port_walk_next(&walk, &frame); ++i) {
        sending->iov[i] = (struct iovec){ .iov_base = (void *)frame.data, .iov_len = frame.len };
        sending->bytes += FRAMING_HEADER + frame.len;
        if (header && joins(header, joined, frame.len, longest)) {
            if (++header->msg_iovlen == 2)
                tell_segment(header, &sending->control[sending->n - 1]);
            joined += frame.len;
            continue;
        }
        header = &sending->msgs[sending->n++].msg_hdr;
        *header = (struct msghdr){ .msg_iov = &sending->iov[i], .msg_iovlen = 1 };
        joined = frame.len;
    }
}

/* Notes the position first: a kill during the call loses it, never repeats it. Returns how many
 * frames went, or negative errno. */
static int send_noted(struct port *port, struct sending *sending)
{
    int sent, frames = 0;

    port->record->h = port->sent + sending->bytes;
    shared_barrier();
    sent = sendmmsg(port->wfd, sending->msgs, sending->n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0)
        return -errno;
    for (int i = 0; i < sent; ++i)
        frames += (int)sending->msgs[i].msg_hdr.msg_iovlen;
    return frames;
}

/* Joined frames were refused: not again, or not such long ones (a segment must fit the path as it
 * is, a frame alone is fragmented). */
static bool parts_company(struct port *port, const struct msghdr *header, int error)
{
    if (header->msg_iovlen == 1)
        return false;
    if (error == EMSGSIZE || error == EINVAL)
        port->joined_max = (uint32_t)header->msg_iov[0].iov_len - 1;
    else if (error == EIO || error == EOPNOTSUPP || error == ENOPROTOOPT)
        port->joined_max = 0;
    else
        return false;
    return true;
}

/* 1: the datagram is given up; 0: it has to wait; negative errno: the port is dead. */
static int refused(struct port *port, int error, size_t len)
{
    if (error == EAGAIN || error == EINTR || error == ENOBUFS || error == ENOMEM)
        return 0;
    count_lost(port, error, len);
    return is_of_the_past(error) || error == EPERM || error == EINVAL ? 1 : -error;
}

static size_t pass(struct port_walk *walk, int n_frames)
{
    size_t bytes = 0;
    struct frame frame;

    for (; n_frames > 0 && port_walk_next(walk, &frame); --n_frames)
        bytes += FRAMING_HEADER + frame.len;
    return bytes;
}

static ssize_t udp_send(struct port *port, const struct iovec *runs, size_t n_runs)
{
    struct port_walk walk = { .iov = runs, .n = n_runs };
    struct sending sending;
    uint64_t began = port->sent;
    int n = 0, past;

    for (;;) {
        collect(&sending, walk, port->joined_max);
        if (sending.n == 0)
            break;
        n = send_noted(port, &sending);
        if (n < 0 && is_of_the_past(-n)) {
            past = -n;
            n = send_noted(port, &sending);
            if (n != -past)
                count_lost(port, past, 0);
        }
        if (n < 0 && parts_company(port, &sending.msgs[0].msg_hdr, -n))
            continue;
        if (n < 0)
            n = refused(port, -n, sending.iov[0].iov_len);
        if (n <= 0)
            break;
        port->sent += pass(&walk, n);
    }
    port->record->h = port->sent;
    return n < 0 ? n : (ssize_t)(port->sent - began);
}

const struct port_ops port_udp_ops = {
    .name = "udp",
    .datagrams = true,
    .positions = udp_positions,
    .fill = udp_fill,
    .consume = udp_consume,
    .send = udp_send,
};
