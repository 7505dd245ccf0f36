/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Byte streams without any counts: pipes, terminals, files, and sockets in their place. Input is
 * read into the carry ring, where a successor finds it; output is noted after each call. A kill
 * between such a call and its note can lose one read, or repeat one write.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>
#include "relay/port.h"

#define WRITE_MAX (32 * 1024)

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

/* Small calls: little to repeat. */
static size_t call_length(const struct port *port, const uint8_t *run, size_t len)
{
    return len < WRITE_MAX ? len : WRITE_MAX;
}

static ssize_t pipe_send(struct port *port, const struct iovec *iov, size_t n_iov)
{
    return port_send_by_calls(port, iov, n_iov, call_length);
}

const struct port_ops port_pipe_ops = {
    .name = "stream",
    .positions = pipe_positions,
    .fill = pipe_fill,
    .consume = pipe_consume,
    .send = pipe_send,
};
