/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "companion/stream.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

void stream_init(struct stream *stream, int fd)
{
    stream->fd = fd;
    stream->in_start = stream->in_end = 0;
    stream->out_start = stream->out_end = 0;
}

/* Moves what is left to the front, when more than half has been used up. */
static void compact(uint8_t *buf, size_t *start, size_t *end)
{
    if (*start < STREAM_BUFFER / 2 && *start != *end)
        return;
    memmove(buf, buf + *start, *end - *start);
    *end -= *start;
    *start = 0;
}

short stream_events(const struct stream *stream)
{
    bool has_room = stream->in_end - stream->in_start < STREAM_BUFFER / 2;

    return (short)((has_room ? POLLIN : 0) | (stream->out_end > stream->out_start ? POLLOUT : 0));
}

int stream_fill(struct stream *stream)
{
    ssize_t n;

    compact(stream->in, &stream->in_start, &stream->in_end);
    n = recv(stream->fd, stream->in + stream->in_end, STREAM_BUFFER - stream->in_end, MSG_DONTWAIT);
    if (n == 0)
        return -EPIPE;
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    stream->in_end += (size_t)n;
    return 0;
}

int stream_peek(const struct stream *stream, struct frame *ret)
{
    int r = framing_next(stream->in + stream->in_start, stream->in_end - stream->in_start, ret);

    return r == FRAMING_E_LENGTH ? -EPROTO : r;
}

void stream_skip(struct stream *stream, struct frame frame)
{
    stream->in_start += FRAMING_HEADER + frame.len;
}

bool stream_has_room(struct stream *stream, size_t len)
{
    compact(stream->out, &stream->out_start, &stream->out_end);
    return FRAMING_HEADER + len <= STREAM_BUFFER - stream->out_end;
}

bool stream_put(struct stream *stream, const void *frame, size_t len)
{
    if (len > FRAME_MAX || !stream_has_room(stream, len))
        return false;
    framing_put_length(stream->out + stream->out_end, (uint32_t)len);
    memcpy(stream->out + stream->out_end + FRAMING_HEADER, frame, len);
    stream->out_end += FRAMING_HEADER + len;
    return true;
}

int stream_flush(struct stream *stream)
{
    while (stream->out_end > stream->out_start) {
        ssize_t n = send(stream->fd, stream->out + stream->out_start,
                         stream->out_end - stream->out_start, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        stream->out_start += (size_t)n;
    }
    return 0;
}
