/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TCP: the kind with witnesses. Input is peeked and let go only once the batch is out, so what a
 * killed forwarder had in hand is still in the socket; what it had sent, the kernel has counted.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include "relay/port.h"

#define AGREE_TRIES 10000

/* The kernel's numbers; <netinet/tcp.h>, which names them, does not go with <linux/tcp.h>. */
enum {
    STATE_TIME_WAIT = 6,
    STATE_CLOSE = 7,
    STATE_CLOSE_WAIT = 8,
    STATE_LAST_ACK = 9,
    STATE_CLOSING = 11,
};

static int tcp_state_of(int fd, struct tcp_info *ret)
{
    socklen_t len = sizeof(*ret);

    memset(ret, 0, sizeof(*ret));
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, ret, &len) < 0)
        return -errno;
    return len < offsetof(struct tcp_info, tcpi_bytes_received) + sizeof(uint64_t) ? -ENOTSUP : 0;
}

static bool has_fin(uint8_t state)
{
    return state == STATE_CLOSE_WAIT || state == STATE_LAST_ACK || state == STATE_CLOSING ||
           state == STATE_TIME_WAIT;
}

/*
 * Both counts are read around the socket's queue lengths until nothing moved in between. The
 * peer's FIN counts as one received byte. Of a socket that was reset (CLOSE) the counts are void.
 */
static int tcp_positions(struct port *port, uint64_t *ret_consumed, uint64_t *ret_sent)
{
    struct tcp_info before, after;
    int in, out, r;

    for (int i = 0; i < AGREE_TRIES; ++i) {
        r = tcp_state_of(port->rfd, &before);
        if (r < 0)
            return r;
        if (ioctl(port->rfd, SIOCINQ, &in) < 0 || ioctl(port->rfd, SIOCOUTQ, &out) < 0)
            return -errno;
        r = tcp_state_of(port->rfd, &after);
        if (r < 0)
            return r;
        if (after.tcpi_state == STATE_CLOSE)
            return -ECONNRESET;
        if (before.tcpi_bytes_received != after.tcpi_bytes_received ||
            before.tcpi_bytes_acked != after.tcpi_bytes_acked ||
            before.tcpi_state != after.tcpi_state)
            continue;
        *ret_consumed = after.tcpi_bytes_received - (uint64_t)in - has_fin(after.tcpi_state);
        *ret_sent = after.tcpi_bytes_acked + (uint64_t)out;
        return 0;
    }
    return -EAGAIN;
}

static ssize_t tcp_fill(struct port *port, uint8_t *work, size_t room)
{
    ssize_t carry = port_copy_carry(port, work);
    ssize_t n;

    if (carry < 0)
        return carry;
    n = recv(port->rfd, work + carry, room, MSG_PEEK | MSG_DONTWAIT);
    if (n == 0)
        return -EPIPE;
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    return carry + n;
}

static int tcp_consume(struct port *port, uint64_t position)
{
    while (port->consumed < position) {
        /* Without a buffer MSG_TRUNC throws the bytes away unseen. */
        ssize_t n = recv(port->rfd, NULL, position - port->consumed, MSG_TRUNC | MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EPIPE;
        port->consumed += (uint64_t)n;
    }
    return 0;
}

static ssize_t tcp_send(struct port *port, const struct iovec *iov, size_t n_iov)
{
    struct msghdr header = { .msg_iov = (struct iovec *)iov, .msg_iovlen = n_iov };
    ssize_t n = sendmsg(port->wfd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR || errno == ENOBUFS || errno == ENOMEM ? 0
                                                                                        : -errno;
    port->sent += (uint64_t)n;
    return n;
}

const struct port_ops port_tcp_ops = {
    .name = "tcp",
    .positions = tcp_positions,
    .fill = tcp_fill,
    .consume = tcp_consume,
    .send = tcp_send,
};
