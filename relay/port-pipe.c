/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Byte streams without any counts: pipes, terminals, files, and sockets in their place. Input is
 * read into the carry ring, where a successor finds it; output is noted after each call. A kill
 * between such a call and its note can lose one read, or repeat one write.
 */
#include <errno.h>
#include <limits.h>
#include <sys/socket.h>
#include <unistd.h>
#include "relay/port.h"

#define WRITE_MAX (32 * 1024) /* small calls: little to repeat */

static int pipe_positions(struct port *port, uint64_t *ret_consumed, uint64_t *ret_sent)
{
    *ret_consumed = port->record->c1;
    *ret_sent = port->record->h;
    return 0;
}

/* Sockets are not made non-blocking: the description may be shared with strangers. */
static ssize_t read_some(int fd, uint8_t *buf, size_t size)
{
    ssize_t n = recv(fd, buf, size, MSG_DONTWAIT);

    return n < 0 && errno == ENOTSOCK ? read(fd, buf, size) : n;
}

static ssize_t pipe_fill(struct port *port, uint8_t *work, size_t room)
{
    uint64_t used = port->record->c1 - port->record->c0;
    uint8_t *at = port_carry_at(port, port->record->c1);
    ssize_t n;

    if (!at)
        return -ENOMEM;
    if (room > SHARED_CARRY - used)
        room = SHARED_CARRY - used;
    n = read_some(port->rfd, at, room);
    if (n == 0)
        return -EPIPE;
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    shared_barrier();
    port->record->c1 += (uint64_t)n;
    return port_copy_carry(port, work);
}

static int pipe_consume(struct port *port, uint64_t position)
{
    return 0; /* fill did */
}

static ssize_t write_some(int fd, const struct iovec *iov, size_t n_iov)
{
    struct msghdr header = { .msg_iov = (struct iovec *)iov, .msg_iovlen = n_iov };
    ssize_t n = sendmsg(fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);

    return n < 0 && errno == ENOTSOCK ? writev(fd, iov, (int)n_iov) : n;
}

static ssize_t pipe_send(struct port *port, const struct iovec *iov, size_t n_iov)
{
    ssize_t done = 0;

    for (size_t i = 0; i < n_iov; ++i) {
        for (size_t at = 0; at < iov[i].iov_len;) {
            struct iovec part = { .iov_base = (uint8_t *)iov[i].iov_base + at };
            ssize_t n;

            part.iov_len = iov[i].iov_len - at < WRITE_MAX ? iov[i].iov_len - at : WRITE_MAX;
            n = write_some(port->wfd, &part, 1);
            if (n < 0)
                return errno == EAGAIN || errno == EINTR ? done : -errno;
            port->sent += (uint64_t)n;
            port->record->h = port->sent;
            at += (size_t)n;
            done += n;
            if ((size_t)n < part.iov_len)
                return done;
        }
    }
    return done;
}

const struct port_ops port_pipe_ops = {
    .name = "stream",
    .positions = pipe_positions,
    .fill = pipe_fill,
    .consume = pipe_consume,
    .send = pipe_send,
};
