/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/storm.h"

#define FRAME     1000 /* credit of one */
#define SECOND_MS 1000

void storm_init(struct storm *storm, uint32_t rate, uint64_t now_ms)
{
    *storm = (struct storm){ .rate = rate, .credit = (uint64_t)rate * FRAME, .at_ms = now_ms };
}

bool storm_admits(struct storm *storm, uint64_t now_ms)
{
    uint64_t full = (uint64_t)storm->rate * FRAME;

    if (!storm->rate)
        return true;
    if (now_ms > storm->at_ms) {
        uint64_t passed = now_ms - storm->at_ms;

        /* A thousandth of the rate a millisecond is a frame's thousandth each: no rounding. */
        storm->credit += (passed < SECOND_MS ? passed : SECOND_MS) * storm->rate;
        if (storm->credit > full)
            storm->credit = full;
        storm->at_ms = now_ms;
    }
    if (storm->credit < FRAME)
        return false;
    storm->credit -= FRAME;
    return true;
}
