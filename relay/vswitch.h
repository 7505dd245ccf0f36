/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The switching core: says for each frame which port it goes to. It knows ports by their slot. */
#ifndef NR_RELAY_VSWITCH_H
#define NR_RELAY_VSWITCH_H

#include "relay/fdb.h"
#include "relay/frame.h"

enum vswitch_mode {
    VSWITCH_SWITCH, /* learns; a known unicast reaches one port */
    VSWITCH_HUB,    /* everything to everybody but its sender */
    VSWITCH_WIRE,   /* a hub of two that pushes back instead of dropping; see wire.h */
    VSWITCH_MODE_COUNT,
};

struct vswitch {
    enum vswitch_mode mode;
    uint32_t now_s; /* set by the owner, once a round */
    struct fdb fdb;
};

/* Learns from the frame (at least FRAME_MIN long): a slot, VERDICT_FLOOD or VERDICT_NONE. */
uint16_t vswitch_input(struct vswitch *sw, uint16_t in, struct frame frame);

#endif
