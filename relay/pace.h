/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who has much to say, and when it pays to let frames gather. A guest writes each frame with a call
 * of its own, and waking for each costs us, and the guest which has to wake us, more than the frame
 * does. So while frames come fast, few at a time, and from ports that get hardly any back, the
 * forwarder begins a round every so many microseconds only. Never where a frame is answered by a
 * frame: who waits for an answer is not to wait for us; nor beside a port that has much at once.
 * Pure: the clock is passed in.
 */
#ifndef NR_RELAY_PACE_H
#define NR_RELAY_PACE_H

#include <stdbool.h>
#include <stdint.h>
#include "relay/shared.h"

#define PACE_ROUND_NS 75000

struct pace {
    uint64_t round_ns; /* when the last round with frames was */
    uint64_t frame_ns; /* between two frames, on average */
    uint32_t frames;   /* of this round */
    bool is_one_way;   /* a port of this round leads */
    bool is_bulk;      /* a port of this round has much at once */
};

struct pace_port {
    uint64_t rx_frames, rx_bytes, tx_frames; /* as they were when it was last read */
    uint32_t lead;                           /* how much more it says than it hears */
    uint32_t calm;                           /* reads in a row that did not bring much */
    bool is_bulk;                            /* the last one did */
};

/* The port was read, room bytes at most. */
void pace_read(struct pace *pace, struct pace_port *port, const struct port_counters *counters,
               size_t room);
/* The round that began now is over: how long it is to last, with a rest; 0: as long as it did. */
uint32_t pace_round_ns(struct pace *pace, uint64_t now_ns);

#endif
