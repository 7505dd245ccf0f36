/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The relay's end of a companion: frames on a socket in QEMU's framing, through buffers of one
 * size. Frames are taken where they lie, so who cannot take one just leaves it there: the stream
 * then fills up and the relay queues, counts and drops.
 */
#ifndef NR_COMPANION_STREAM_H
#define NR_COMPANION_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include "relay/framing.h"

#define STREAM_BUFFER (4 * FRAMING_MAX)

struct stream {
    int fd;
    size_t in_start, in_end;
    size_t out_start, out_end;
    uint8_t in[STREAM_BUFFER];
    uint8_t out[STREAM_BUFFER];
};

/* fd stays the caller's. */
void stream_init(struct stream *stream, int fd);
/* What to poll for: POLLIN while there is room, POLLOUT while something waits. */
short stream_events(const struct stream *stream);
/* Reads once. 0; -EPIPE at the other side's end; or another negative errno. */
int stream_fill(struct stream *stream);
/* The next frame, until stream_skip(). 0; FRAMING_E_MORE: none is there; -EPROTO: not frames. */
int stream_peek(const struct stream *stream, struct frame *ret);
void stream_skip(struct stream *stream, struct frame frame);
/* Room for a frame of that length? Nothing waits for it. */
bool stream_has_room(struct stream *stream, size_t len);
/* Adds a frame to what waits to be written; false, and it is dropped, where it has no room. */
bool stream_put(struct stream *stream, const void *frame, size_t len);
/* Writes what waits, as much as goes. 0 or negative errno. */
int stream_flush(struct stream *stream);

#endif
