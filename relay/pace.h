/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When it pays to let frames gather. A guest writes each frame with a call of its own, and waking
 * for each costs us, and the guest which has to wake us, more than the frame does. So while frames
 * come fast, few at a time, and from ports that get hardly any back, the forwarder begins a round
 * every so many microseconds only. Never where a frame is answered by a frame: who waits for an
 * answer is not to wait for us. Pure: the clock is passed in.
 */
#ifndef NR_RELAY_PACE_H
#define NR_RELAY_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define PACE_ROUND_NS 75000

struct pace {
    uint64_t round_ns; /* when the last round with frames was */
    uint64_t frame_ns; /* between two frames, on average */
    uint32_t frames;   /* of this round */
    bool is_one_way;   /* a port of this round leads */
};

/* Of a port: how much more it says than it hears. */
struct pace_lead {
    uint64_t rx_frames, tx_frames; /* as they were when it was last read */
    uint32_t lead;
};

/* The port was read, and has counted so many in all. */
void pace_read(struct pace *pace, struct pace_lead *lead, uint64_t rx_frames, uint64_t tx_frames);
/* The round that began now is over: how long it is to last, with a rest; 0: as long as it did. */
uint32_t pace_round_ns(struct pace *pace, uint64_t now_ns);

#endif
