/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The frame by which relays look for loops. It is for a group of our own (locally administered, so
 * that bridges pass it on like any multicast) and of a type meant for experiments. Pure.
 */
#ifndef NR_RELAY_PROBE_H
#define NR_RELAY_PROBE_H

#include <stdbool.h>
#include <stdint.h>
#include "relay/frame.h"

#define PROBE_LEN   FRAME_PAD
#define PROBE_GROUP 0x03 /* first byte of its destination: a frame without it is none */

struct probe {
    uint64_t relay;  /* who sent it */
    uint32_t port;   /* on which port: its id, */
    uint16_t slot;   /* and where it is */
    uint8_t hops;    /* relays that have passed it on */
    bool changed;    /* a way has just been opened or blocked: what is learned may be wrong */
    uint32_t serial; /* no two of a relay are alike */
    uint64_t sent_ms;
    uint64_t tag; /* tells the sender that it is really his */
};

void probe_write(const struct probe *probe, uint8_t frame[PROBE_LEN]);
/* False: it is no probe, but somebody's frame. */
bool probe_read(struct probe *ret, struct frame frame);
/* What the tag of a probe has to be. */
uint64_t probe_tag(const struct probe *probe, const uint64_t key[2]);

#endif
