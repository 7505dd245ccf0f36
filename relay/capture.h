/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Captures, in the forwarder: frames are copied into a bounded buffer and sent on at the end of a
 * batch. Nobody waits for the reader; what it has no room for is left out, and that is told. Where
 * nothing is captured all of it costs one comparison a batch and port.
 */
#ifndef NR_RELAY_CAPTURE_H
#define NR_RELAY_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include "common/capture-proto.h"
#include "relay/loop.h"

#define CAPTURES_MAX 4 /* at once; a port knows its own as a bit for each */

struct capture;

/* In the shared memory: how many frames a capture has met, whatever became of them. What a killed
 * forwarder had not sent is thereby known to its successor, and told. */
struct capture_seen {
    uint32_t id;
    uint32_t frames; /* goes round */
};

struct captures {
    struct loop *loop;
    struct capture_seen *seen; /* CAPTURES_MAX */
    struct capture *one[CAPTURES_MAX];
    uint8_t running;  /* bits: those there are */
    uint8_t all;      /* bits: those that want every frame, once, where it comes in */
    uint64_t time_ns; /* of this batch; 0: not yet looked at */
};

void captures_init(struct captures *captures, struct loop *loop, struct capture_seen *seen);
/* sock is the capture's if this succeeds. 0 or negative errno. */
int captures_begin(struct captures *captures, unsigned index, uint32_t id, int sock,
                   uint32_t snaplen, bool all);
/* Nothing where another one has this index by now. */
void captures_end(struct captures *captures, unsigned index, uint32_t id);
/* Frames in QEMU framing that begin within the first limit of len bytes, for the captures `who`. */
void captures_take(struct captures *captures, uint8_t who, uint32_t port_id, enum capture_kind kind,
                   const uint8_t *framed, size_t len, size_t limit);
/* The end of a batch: on their way, as far as that goes. */
void captures_flush(struct captures *captures);

#endif
