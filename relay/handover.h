/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What keeper and forwarder say to each other over their socket pair, a packet a message. A new
 * forwarder gets CONFIG, a PORT with its descriptors for each port, READY; then it recovers what a
 * predecessor left and says RUNNING. Each PORT is answered, sooner or later, by exactly one GONE,
 * after which the forwarder has no descriptor of it. End of file: the other one is dead.
 */
#ifndef NR_RELAY_HANDOVER_H
#define NR_RELAY_HANDOVER_H

#include <stdint.h>
#include "common/port-options.h"
#include "relay/shared.h"

#define HANDOVER_FD        3 /* the forwarder's end, and */
#define HANDOVER_MEMORY_FD 4 /* the memory, in its hands from the start */
#define HANDOVER_FDS_MAX   2

enum handover_type {
    HANDOVER_CONFIG = 1, /* keeper: mode, stall_ms, crashed, storm, drop_link_local,
                            ignore_loops */
    HANDOVER_PORT,  /* keeper: slot, id, kind, head_size, options, captured; one descriptor, or one
                       each way */
    HANDOVER_READY, /* keeper */
    HANDOVER_CLOSE, /* keeper: slot, id */
    HANDOVER_STATS, /* keeper: serial */
    HANDOVER_CAPTURED,  /* keeper: slot, id, captured: who captures this port now */
    HANDOVER_CAPTURE,   /* keeper: slot (an index), id, snaplen, all; the socket */
    HANDOVER_UNCAPTURE, /* keeper: slot (an index), id */
    HANDOVER_OPTIONS,   /* keeper: slot, id, options: other ones */
    HANDOVER_LEAVE,     /* keeper: slot, id, leaving: is it to be let go of between two frames? */
    HANDOVER_RUNNING,   /* forwarder */
    HANDOVER_GONE,      /* forwarder: slot, id, error, counters, leaving: between two frames */
    HANDOVER_COUNTERS,  /* forwarder: slot, id, counters, queued, source: the first one, or 0 */
    HANDOVER_STATS_END, /* forwarder: serial */
    HANDOVER_NOTICE,    /* forwarder: slot, id, notice, source or other */
};

/* What the frames of a port have brought about, for people to know. */
enum handover_notice {
    NOTICE_FILTERED, /* this source address may not come in there */
    NOTICE_STORMED,  /* it floods more than it may */
    NOTICE_TOO_LONG, /* it cannot take such long frames */
    NOTICE_SLOW,     /* it takes fewer frames than there are for it */
    NOTICE_BLOCKED,  /* it closes a loop with port `other` */
    NOTICE_OPENED,   /* it does so no more */
    NOTICE_LOOPED,   /* a loop is behind it, out of our reach */
};

struct handover {
    uint32_t type;
    uint32_t slot;
    uint32_t id;
    uint32_t kind;      /* enum port_kind */
    uint32_t head_size; /* TAP: of what is before each frame */
    int32_t error;      /* 0: closed because it was asked for; or negative errno */
    uint32_t mode;      /* enum vswitch_mode */
    uint32_t stall_ms;
    uint32_t crashed;         /* the predecessor died of its own doing */
    uint32_t storm;           /* floods a second that a port may send unless its options say more */
    uint32_t drop_link_local; /* else they are passed on */
    uint32_t ignore_loops;
    uint32_t other;  /* id of a port; 0: gone */
    uint32_t notice; /* enum handover_notice */
    struct mac source;
    uint32_t captured; /* bits, see capture.h */
    uint32_t snaplen;
    uint32_t all; /* every frame, where it comes in */
    uint32_t leaving;
    uint64_t serial;
    uint64_t queued;
    struct port_counters counters;
    struct port_options options; /* PORT, OPTIONS */
};

/* fds stay the caller's. 0 or negative errno; -EAGAIN: full. */
int handover_send(int sock, const struct handover *message, const int *fds, unsigned n_fds);
/* fds: -1, or close-on-exec ones that are the caller's. 0; -EAGAIN: nothing there; -EPIPE: the
 * other one is gone; -EPROTO. Descriptors that did not fit into this process are -1. */
int handover_recv(int sock, struct handover *message, int fds[HANDOVER_FDS_MAX]);

#endif
