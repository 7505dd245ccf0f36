/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/pace.h"

#define ANSWER   8   /* frames that one frame answers at least, where no one waits for it */
#define LEADS    32  /* frames */
#define LEAD_MAX 128 /* so that it is soon forgotten */
#define GAP_MAX  1000000
#define WEIGHT   8 /* of the past */
#define MANY     32
#define WORTH_NS (PACE_ROUND_NS / 6)

void pace_read(struct pace *pace, struct pace_lead *lead, uint64_t rx_frames, uint64_t tx_frames)
{
    uint64_t said = rx_frames - lead->rx_frames, heard = tx_frames - lead->tx_frames;

    lead->rx_frames = rx_frames;
    lead->tx_frames = tx_frames;
    lead->lead = lead->lead > heard * ANSWER ? lead->lead - (uint32_t)heard * ANSWER : 0;
    lead->lead = lead->lead + said > LEAD_MAX ? LEAD_MAX : lead->lead + (uint32_t)said;
    pace->frames += (uint32_t)said;
    if (lead->lead >= LEADS)
        pace->is_one_way = true;
}

uint32_t pace_round_ns(struct pace *pace, uint64_t now_ns)
{
    uint32_t frames = pace->frames;
    bool is_one_way = pace->is_one_way;
    uint64_t gap;

    if (frames == 0)
        return 0;
    gap = (now_ns - pace->round_ns < GAP_MAX ? now_ns - pace->round_ns : GAP_MAX) / frames;
    pace->frame_ns = (pace->frame_ns * (WEIGHT - 1) + gap) / WEIGHT;
    pace->round_ns = now_ns;
    pace->frames = 0;
    pace->is_one_way = false;
    return is_one_way && frames < MANY && pace->frame_ns < WORTH_NS ? PACE_ROUND_NS : 0;
}
