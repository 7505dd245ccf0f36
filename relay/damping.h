/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What has been flooded within the last second, and through which port it came: so that a frame
 * that has gone round is known when it is back. Frames are told apart by a hash of their
 * beginning, their end and their length. Pure, and bounded: a flood forgets the oldest first.
 */
#ifndef NR_RELAY_DAMPING_H
#define NR_RELAY_DAMPING_H

#include <stdbool.h>
#include "relay/frame.h"

#define DAMPING_WINDOW_MS 1000
#define DAMPING_SETS      2048
#define DAMPING_WAYS      4

struct damping_entry {
    uint32_t tag;
    uint32_t since_ms; /* wraps; only differences count */
    uint16_t last_ms;  /* since then */
    uint16_t from;     /* slot of the port through which it came first */
    uint16_t through;  /* a bit for each port through which copies came: its slot modulo 16 */
    uint8_t copies;
    uint8_t repeats;
};

struct damping {
    uint64_t seed; /* secret, so that nobody can aim at one set */
    struct damping_entry entry[DAMPING_SETS][DAMPING_WAYS];
};

/* How often this frame has come by now, this time included. */
struct damping_count {
    unsigned copies;  /* through another port than before: it may have gone round */
    unsigned repeats; /* through the same port: somebody may just say it again */
    bool is_again;    /* it is not this port's first copy of it */
    uint32_t age_ms;  /* since the first time, */
    uint32_t gap_ms;  /* and since the last */
};

/* repeats_are_copies: what comes again by the same port has gone round too. */
struct damping_count damping_note(struct damping *damping, uint16_t in, struct frame frame,
                                  uint64_t now_ms, bool repeats_are_copies);

#endif
