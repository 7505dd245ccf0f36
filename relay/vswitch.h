/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The switching core: says for each frame which port it goes to, if any. It knows ports by their
 * slot, and what may come in at each: its filter, its limit for floods, and what the guard against
 * loops says.
 */
#ifndef NR_RELAY_VSWITCH_H
#define NR_RELAY_VSWITCH_H

#include "relay/fdb.h"
#include "relay/filter.h"
#include "relay/frame.h"
#include "relay/loopguard.h"
#include "relay/storm.h"

#define VSWITCH_STORM   100000 /* floods a second from a port of a switch, unless told otherwise */
#define VSWITCH_TOLD_MS 60000  /* a port's refusal is told of once in this time */

enum vswitch_mode {
    VSWITCH_SWITCH, /* learns; a known unicast reaches one port */
    VSWITCH_HUB,    /* everything to everybody but its sender */
    VSWITCH_WIRE,   /* a hub of two that pushes back instead of dropping; see wire.h */
    VSWITCH_MODE_COUNT,
};

/* Why a frame did not come in. */
enum vswitch_refusal {
    VSWITCH_FILTERED, /* its source address may not */
    VSWITCH_STORMED,  /* the port has flooded too much */
    VSWITCH_REFUSALS,
};

struct vswitch_port {
    uint32_t id;
    bool checks;                        /* not everything may enter: blocked, or with a filter */
    const struct port_options *options; /* NULL: any source may come in */
    struct filter_pin *pin;
    struct filter_pin *first; /* NULL: it is known */
    struct storm storm;
    uint64_t told_ms[VSWITCH_REFUSALS];
};

struct vswitch {
    enum vswitch_mode mode;
    bool drop_link_local; /* frames for 01:80:c2:00:00:00 to 0f; a wire passes them all the same */
    uint32_t storm;       /* limit of ports that have none of their own; 0: none */
    uint64_t now_ms;      /* set by the owner, once a round */
    struct fdb fdb;
    struct loopguard guard;               /* off on a wire, where no frame can come back */
    struct vswitch_port ports[FDB_PORTS]; /* by slot */
    void *owner;                          /* for these: */
    /* Frames of this port are refused; told at the first of them, then at most once a minute. */
    void (*on_refused)(struct vswitch *sw, uint16_t slot, enum vswitch_refusal why,
                       struct mac source);
    /* other: the slot with which it closes the loop. */
    void (*on_loop)(struct vswitch *sw, uint16_t slot, enum loopguard_change what, uint16_t other);
};

struct port_counters;

/* The rest is zeroed. */
void vswitch_init(struct vswitch *sw, struct fdb_table *table, uint64_t relay,
                  const uint64_t key[2]);

/* A port begins. options, pin and first stay where they are until it ends. */
void vswitch_open_port(struct vswitch *sw, uint16_t slot, uint32_t id,
                       const struct port_options *options, struct filter_pin *pin,
                       struct filter_pin *first);
/* Its options are other ones now. */
void vswitch_change_port(struct vswitch *sw, uint16_t slot, const struct port_options *options);
/* It ends, or never was: forgets what was behind it. */
void vswitch_close_port(struct vswitch *sw, uint16_t slot);
/*
 * Learns from the frame (at least FRAME_MIN long): a slot, VERDICT_FLOOD or VERDICT_NONE. It is
 * counted as received, or as dropped for a reason.
 */
uint16_t vswitch_input(struct vswitch *sw, uint16_t in, struct frame frame,
                       struct port_counters *rx);

/* Whether nobody learns from a flood from there, looks for it to return, or counts it. */
static inline bool vswitch_floods_freely(const struct vswitch *sw, uint16_t in)
{
    return sw->mode != VSWITCH_SWITCH && sw->guard.off && sw->ports[in].storm.rate == 0;
}

#endif
