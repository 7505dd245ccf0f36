/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many frames a second one port may have flooded to all others: a bucket that holds as many as
 * may pass in a second, and is filled at that rate. Pure: time comes in. A zeroed one has no limit.
 */
#ifndef NR_RELAY_STORM_H
#define NR_RELAY_STORM_H

#include <stdbool.h>
#include <stdint.h>

struct storm {
    uint32_t rate;   /* frames a second; 0: no limit */
    uint64_t credit; /* thousandths of a frame */
    uint64_t at_ms;  /* when it was reckoned */
};

void storm_init(struct storm *storm, uint32_t rate, uint64_t now_ms);
/* Takes one frame's worth. False: this frame is too many. */
bool storm_admits(struct storm *storm, uint64_t now_ms);

#endif
