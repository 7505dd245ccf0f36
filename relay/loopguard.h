/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Watches for loops: says which flooded frames have gone round often enough, sends probes, and
 * blocks the port that closes a loop until it is gone. loopguard.c has the theory. Pure: frames and
 * time come in, probes to be sent and changes come out. It knows ports by their slot.
 */
#ifndef NR_RELAY_LOOPGUARD_H
#define NR_RELAY_LOOPGUARD_H

#include "relay/damping.h"
#include "relay/probe.h"
#include "relay/storm.h"

#define LOOPGUARD_PORTS 4096
#define LOOPGUARD_OUT   256 /* probes that may wait to be taken */
#define LOOPGUARD_KNOWN 64  /* probes of others that were passed on lately */

enum loopguard_state {
    LOOPGUARD_OPEN,
    LOOPGUARD_SUSPECT, /* frames came back through it: probes are out */
    LOOPGUARD_BEHIND,  /* its probes come back through itself: the loop is beyond it */
    LOOPGUARD_BLOCKED, /* nothing but probes passes */
};

struct loopguard_port {
    uint32_t id; /* 0: none */
    bool is_guest;
    bool by_copies; /* why it is suspect */
    bool told;      /* that the loop is behind it */
    enum loopguard_state state;
    uint16_t other;     /* blocked: the open port at the loop's other end */
    unsigned tries;     /* probes sent since it is suspect, or since one came back */
    uint64_t due_ms;    /* of the next probe */
    uint64_t since_ms;  /* of the state */
    uint64_t back_ms;   /* when a probe came back last */
    uint64_t copies_ms; /* the second in which copies are counted begins here */
    uint32_t n_copies;
    uint64_t copy_ms;   /* when a copy, or a probe, came in last; 0: never */
    uint64_t relay_ms;  /* when a probe of another relay did */
    uint64_t answer_ms; /* when one was answered last */
    uint64_t opened_ms; /* when it was blocked last until; 0: never */
    uint64_t patience_ms;
    uint64_t trusted_ms; /* until then it may repeat others' frames */
    uint64_t changed_ms; /* until then its probes say that ways have changed */
};

enum loopguard_change {
    LOOPGUARD_BLOCKS,  /* the port; other: with which it closes the loop */
    LOOPGUARD_OPENS,   /* it passes frames again */
    LOOPGUARD_LOOPS,   /* there is a loop behind it, which no port of ours closes */
    LOOPGUARD_FORGETS, /* what was learned behind it may be elsewhere now */
    LOOPGUARD_CHANGES,
};

struct loopguard {
    bool off;
    uint64_t relay;  /* who we are, to other relays */
    uint64_t key[2]; /* secret: what makes probes ours */
    uint32_t n_slots;
    uint32_t serial;      /* of the last probe */
    uint64_t due_ms;      /* loopguard_tick() has something to do then; 0: never */
    uint64_t opened_ms;   /* when a port was opened again last */
    uint64_t forgot_ms;   /* when another relay told of a change last */
    struct storm passing; /* probes of others */
    uint64_t known[LOOPGUARD_KNOWN];
    uint32_t n_known;
    uint32_t n_out;
    struct {
        uint16_t slot;
        uint8_t frame[PROBE_LEN];
    } out[LOOPGUARD_OUT]; /* the owner sends them and sets n_out to 0 */
    void (*on_change)(struct loopguard *guard, uint16_t slot, enum loopguard_change what,
                      uint16_t other);
    struct loopguard_port ports[LOOPGUARD_PORTS];
    struct damping damping;
};

enum loopguard_view {
    LOOPGUARD_NEW,      /* flood it */
    LOOPGUARD_COPY,     /* flood it, but where it comes from is not where its station is */
    LOOPGUARD_TOO_MANY, /* drop it */
};

/* The rest is zeroed. */
void loopguard_init(struct loopguard *guard, uint64_t relay, const uint64_t key[2]);
void loopguard_open_port(struct loopguard *guard, uint16_t slot, uint32_t id, bool is_guest);
/* What is under way comes to its end. */
void loopguard_mark_port(struct loopguard *guard, uint16_t slot, bool is_guest);
void loopguard_close_port(struct loopguard *guard, uint16_t slot, uint64_t now_ms);
/* A frame is about to be flooded. many: more than one station is behind that port. */
enum loopguard_view loopguard_flood(struct loopguard *guard, uint16_t in, struct frame frame,
                                    bool many, uint64_t now_ms);
/* True: it was a probe, which is for nobody else. */
bool loopguard_take(struct loopguard *guard, uint16_t in, struct frame frame, uint64_t now_ms);
void loopguard_tick(struct loopguard *guard, uint64_t now_ms);

static inline bool loopguard_is_blocked(const struct loopguard *guard, uint32_t slot)
{
    return guard->ports[slot].state == LOOPGUARD_BLOCKED;
}

#endif
