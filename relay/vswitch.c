/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/vswitch.h"

#include "relay/shared.h"

/* 802.3x flow control is between two ends of one cable: repeated, it would stop strangers. Other
 * reserved addresses (spanning tree, LLDP) pass, as they do in every switch that does not speak
 * those protocols itself. */
static bool is_pause(struct mac dst)
{
    static const struct mac pause = { { 0x01, 0x80, 0xc2, 0x00, 0x00, 0x01 } };

    return mac_equal(dst, pause);
}

uint16_t vswitch_input(struct vswitch *sw, uint16_t in, struct frame frame)
{
    struct mac dst = frame_dst(frame);
    uint16_t out;

    if (sw->mode != VSWITCH_SWITCH)
        return VERDICT_FLOOD;
    fdb_learn(&sw->fdb, frame_src(frame), in, sw->now_s);
    if (mac_is_multicast(dst))
        return is_pause(dst) ? VERDICT_NONE : VERDICT_FLOOD;
    out = fdb_find(&sw->fdb, dst, sw->now_s);
    if (out == FDB_NONE)
        return VERDICT_FLOOD;
    return out == in ? VERDICT_NONE : out;
}
