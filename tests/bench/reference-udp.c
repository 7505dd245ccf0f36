/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reference.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define ROUND    64 /* datagrams of one end before the other one's turn */
#define SEGS_MAX 64
#define GSO_MAX  65000

static uint8_t buffer[BUFFER];
static uint8_t framed[BUFFER + SEGS_MAX * HEADER];
static bool is_stream[ENDS_MAX];
static uint8_t carry[ENDS_MAX][2048]; /* an unfinished frame; they are small on the way to UDP */
static size_t carry_len[ENDS_MAX];

static void forward(struct ends *ends, unsigned from, unsigned to)
{
    for (int i = 0; i < ROUND; i++) {
        ssize_t n = recvfrom(ends->fd[from], buffer, FRAME_MAX, MSG_DONTWAIT, NULL, NULL);

        if (n < 0)
            return;
        sendto(ends->fd[to], buffer, (size_t)n, 0, NULL, 0);
    }
}

int reference_udp(struct ends *ends)
{
    return for_each_readable(ends, forward);
}

/* Pieces of `size` bytes, the last one may be shorter, each its own datagram. */
static void send_segments(int fd, struct iovec *pieces, size_t count, size_t size)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(uint16_t))] = { 0 };
    uint16_t segment = (uint16_t)size;
    struct msghdr msg = { .msg_iov = pieces,
                          .msg_iovlen = count,
                          .msg_control = control,
                          .msg_controllen = sizeof(control) };
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

    c->cmsg_level = SOL_UDP;
    c->cmsg_type = UDP_SEGMENT;
    c->cmsg_len = CMSG_LEN(sizeof(segment));
    memcpy(CMSG_DATA(c), &segment, sizeof(segment));
    sendmsg(fd, &msg, 0);
}

/* Runs of frames of one length, each in one send. */
static void stream_to_udp(struct ends *ends, unsigned from, unsigned to)
{
    struct iovec pieces[SEGS_MAX];
    size_t have = carry_len[from], at = 0, count = 0, size = 0, sum = 0;

    memcpy(buffer, carry[from], have);
    have += receive(ends->fd[from], buffer + have, sizeof(buffer) - have);
    while (have - at >= HEADER && have - at >= HEADER + frame_len(buffer + at)) {
        size_t len = frame_len(buffer + at);

        if (count && (len != size || count == SEGS_MAX || sum + len > GSO_MAX)) {
            send_segments(ends->fd[to], pieces, count, size);
            count = sum = 0;
        }
        size = len;
        sum += len;
        pieces[count++] = (struct iovec){ buffer + at + HEADER, len };
        at += HEADER + len;
    }
    if (count)
        send_segments(ends->fd[to], pieces, count, size);
    carry_len[from] = have - at;
    if (carry_len[from] <= sizeof(carry[from]))
        memcpy(carry[from], buffer + at, carry_len[from]);
}

/* One receive of joined datagrams; the size of each. */
static size_t receive_joined(int fd, size_t *ret_size)
{
    _Alignas(struct cmsghdr) char control[64];
    struct iovec room = { buffer, FRAME_MAX };
    struct msghdr msg = {
        .msg_iov = &room, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
    };
    ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT);
    int size = (int)n;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); n > 0 && c; c = CMSG_NXTHDR(&msg, c))
        if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO)
            memcpy(&size, CMSG_DATA(c), sizeof(size));
    *ret_size = size > 0 ? (size_t)size : 1;
    return n > 0 ? (size_t)n : 0;
}

static void udp_to_udp(struct ends *ends, unsigned from, unsigned to)
{
    size_t size, n;

    for (int i = 0; i < ROUND && (n = receive_joined(ends->fd[from], &size)) > 0; i++)
        send_segments(ends->fd[to], &(struct iovec){ buffer, n }, 1, size);
}

static void udp_to_stream(struct ends *ends, unsigned from, unsigned to)
{
    size_t len = 0, size, n;

    while (len + FRAME_MAX + SEGS_MAX * HEADER <= sizeof(framed) &&
           (n = receive_joined(ends->fd[from], &size)) > 0)
        for (size_t at = 0; at < n; at += size) {
            size_t one = n - at < size ? n - at : size;

            write_header(framed + len, one);
            memcpy(framed + len + HEADER, buffer + at, one);
            len += HEADER + one;
        }
    send_all(ends->fd[to], framed, len);
}

static void cut_or_join(struct ends *ends, unsigned from, unsigned to)
{
    if (is_stream[from])
        stream_to_udp(ends, from, to);
    else if (is_stream[to])
        udp_to_stream(ends, from, to);
    else
        udp_to_udp(ends, from, to);
}

int reference_udp_gso(struct ends *ends)
{
    const int yes = 1;

    for (unsigned i = 0; i < ends->count; i++) {
        int type = 0;
        socklen_t len = sizeof(type);

        if (getsockopt(ends->fd[i], SOL_SOCKET, SO_TYPE, &type, &len) < 0)
            return -errno;
        is_stream[i] = type == SOCK_STREAM;
        if (!is_stream[i] && setsockopt(ends->fd[i], SOL_UDP, UDP_GRO, &yes, sizeof(yes)) < 0)
            return -errno;
    }
    return for_each_readable(ends, cut_or_join);
}
