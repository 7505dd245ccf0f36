/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/pace.h"

#define ANSWER   8   /* frames that one frame answers at least, where no one waits for it */
#define LEADS    32  /* frames */
#define LEAD_MAX 128 /* so that it is soon forgotten */
#define GAP_MAX  1000000
#define WEIGHT   8           /* of the past */
#define MANY     64          /* frames in a read: somebody writes many at once */
#define MUCH     (96 * 1024) /* bytes */
#define CALM     16          /* reads without much, before it is believed */
#define WORTH_NS (PACE_ROUND_NS / 6)

void pace_read(struct pace *pace, struct pace_port *port, const struct port_counters *counters,
               size_t room)
{
    uint64_t much = room / 4 * 3 < MUCH ? room / 4 * 3 : MUCH;
    uint64_t said = counters->rx_frames - port->rx_frames;
    uint64_t heard = counters->tx_frames - port->tx_frames;

    port->is_bulk = said > MANY || counters->rx_bytes - port->rx_bytes > much;
    port->calm = port->is_bulk ? 0 : port->calm < CALM ? port->calm + 1 : CALM;
    port->rx_frames = counters->rx_frames;
    port->rx_bytes = counters->rx_bytes;
    port->tx_frames = counters->tx_frames;
    port->lead = port->lead > heard * ANSWER ? port->lead - (uint32_t)heard * ANSWER : 0;
    port->lead = port->lead + said > LEAD_MAX ? LEAD_MAX : port->lead + (uint32_t)said;
    pace->frames += (uint32_t)said;
    pace->is_one_way |= port->lead >= LEADS;
    pace->is_bulk |= port->calm < CALM;
}

uint32_t pace_round_ns(struct pace *pace, uint64_t now_ns)
{
    bool rests = pace->is_one_way && !pace->is_bulk;
    uint64_t gap;

    if (pace->frames == 0)
        return 0;
    gap = (now_ns - pace->round_ns < GAP_MAX ? now_ns - pace->round_ns : GAP_MAX) / pace->frames;
    pace->frame_ns = (pace->frame_ns * (WEIGHT - 1) + gap) / WEIGHT;
    pace->round_ns = now_ns;
    pace->frames = 0;
    pace->is_one_way = pace->is_bulk = false;
    return rests && pace->frame_ns < WORTH_NS ? PACE_ROUND_NS : 0;
}
