/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reference.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define VNET_MAX (FRAME_MAX + 12) /* a frame and the header that says how to cut it */
#define ROUND    64

static uint8_t buffer[BUFFER + HEADER + FRAME_MAX];
static size_t carry_len;
static uint8_t carry[HEADER + FRAME_MAX];

/* End 0 is the stream. */
static void stream_to_tap(struct ends *ends)
{
    size_t have = carry_len, at = 0;

    memcpy(buffer, carry, have);
    have += receive(ends->fd[0], buffer + have, BUFFER);
    while (have - at >= HEADER && have - at >= HEADER + frame_len(buffer + at)) {
        size_t len = frame_len(buffer + at);

        if (write(ends->fd[1], buffer + at + HEADER, len) < 0 && errno == EBADFD)
            return;
        at += HEADER + len;
    }
    carry_len = have - at;
    memcpy(carry, buffer + at, carry_len);
}

static void tap_to_stream(struct ends *ends)
{
    size_t len = 0;
    ssize_t n;

    while (len < BUFFER) {
        n = read(ends->fd[1], buffer + len + HEADER, FRAME_MAX);
        if (n <= 0)
            break;
        write_header(buffer + len, (size_t)n);
        len += HEADER + (size_t)n;
    }
    send_all(ends->fd[0], buffer, len);
}

static void stream_and_tap(struct ends *ends, unsigned from, unsigned to)
{
    if (from == 0)
        stream_to_tap(ends);
    else
        tap_to_stream(ends);
}

int reference_tap(struct ends *ends)
{
    if (ends->count != 2 || fcntl(ends->fd[1], F_SETFL, O_NONBLOCK) < 0)
        return -EINVAL;
    return for_each_readable(ends, stream_and_tap);
}

static void tap_to_tap(struct ends *ends, unsigned from, unsigned to)
{
    for (int i = 0; i < ROUND; i++) {
        ssize_t n = read(ends->fd[from], buffer, VNET_MAX);

        if (n <= 0 || (write(ends->fd[to], buffer, (size_t)n) < 0 && errno == EBADFD))
            return;
    }
}

/* The TAPs are made by whoever starts this, with or without vnet headers, but both alike. */
int reference_tso(struct ends *ends)
{
    for (unsigned i = 0; i < ends->count; i++)
        if (fcntl(ends->fd[i], F_SETFL, O_NONBLOCK) < 0)
            return -errno;
    return for_each_readable(ends, tap_to_tap);
}
