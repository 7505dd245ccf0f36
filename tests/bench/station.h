/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A station: one far end of the relay's ports, by an inherited descriptor. It may send one flow and
 * be the sink of one flow; everything else that it hears is counted as what it is.
 *
 *   s:FD  a stream in QEMU framing        d:FD  datagrams, many in a call (UDP, VDE's socket)
 *   t:FD  a TAP, one frame in a call      g:FD  UDP that the kernel cuts and joins, as a relay does
 */
#ifndef BENCH_STATION_H
#define BENCH_STATION_H

#include "content.h"

struct counts {
    uint64_t frames, bytes; /* received, of the flow that is meant for this station */
    uint64_t lost, repeated, corrupt, stray;
};

struct station {
    const struct station_kind *kind;
    int fd;
    unsigned index;
    bool closed;
    bool one_by_one; /* its descriptor blocks: one call at a time, so that it never waits twice */

    /* What it should hear. */
    const struct batch *batch; /* the frames of the flow it is the sink of, or NULL */
    uint64_t expect_who;
    uint64_t next; /* number */
    unsigned slot; /* of that number in the batch */
    unsigned until_check;
    int source, sink; /* stations it must hear an announcement of, or -1 */
    bool heard_source, heard_sink;

    struct counts counts;
    uint64_t heard_ns; /* when the last frame of its flow came */
    uint8_t *carry;    /* the unfinished frame at the end of the last read */
    size_t carry_len;
};

/* Where several stations hear one another by design: frames for others are no fault. */
extern bool station_hub;

/* From "KIND:FD". */
int station_init(struct station *s, const char *text, unsigned index);
bool station_is_stream(const struct station *s);

/* Reads once what is there; the number of frames for this station that came. */
unsigned station_read(struct station *s);

/*
 * Sends of the batch from byte `at`, in frame `slot`, up to frame `end`; returns where it got to.
 * A stream may stop inside a frame, the others do not.
 */
size_t station_send(struct station *s, const struct batch *b, size_t at, unsigned slot,
                    unsigned end);

#endif
