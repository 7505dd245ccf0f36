/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A port as the keeper has it: its descriptors, which outlast any forwarder, and what is told of
 * it. Frames are none of its business. */
#ifndef NR_RELAY_HOLDING_H
#define NR_RELAY_HOLDING_H

#include <stdint.h>
#include "common/ctl-proto.h"
#include "common/endpoint.h"
#include "relay/inet.h"
#include "relay/loop.h"
#include "relay/port.h"

enum holding_state {
    HOLDING_HELD,    /* nobody has admitted it, and no forwarder gets it */
    HOLDING_NEW,     /* this forwarder has not got it yet */
    HOLDING_PASSED,  /* it has */
    HOLDING_CLOSING, /* it is to be told to close it */
    HOLDING_TOLD,    /* it has been told; GONE will come */
    HOLDING_OFFERED, /* no forwarder has it; another relay does if it says so */
};

#define HOLDING_NAME_MAX (ENDPOINT_TEXT_MAX + INET_TEXT_MAX + 32)

struct attachment;
struct move;

struct holding {
    uint32_t slot;
    uint32_t id;
    enum port_kind kind;
    enum holding_state state;
    struct port_options options;
    bool options_changed; /* and this forwarder does not know it */
    struct move *move;    /* NULL: it goes nowhere */
    bool move_told;       /* what the forwarder knows of that */
    bool blocked;         /* by the guard against loops */
    bool lasting;         /* a connection that may outlast the keeper, see deposit.h, and */
    bool deposited;       /* whoever keeps has it */
    bool to_be_claimed;   /* its endpoint was a dialer that is not yet attached again */
    uint32_t head_size;   /* TAP: of what is before each frame */
    int rfd;
    int wfd;
    struct loop_timer held_timer;
    struct attachment *attachment; /* NULL once its listener is detached */
    uint32_t endpoint_id;
    char label[CTL_LABEL_MAX + 1];
    char endpoint[128]; /* the beginning of its text, for when it is detached */
    char local[INET_TEXT_MAX];
    char peer[INET_TEXT_MAX];
    char detail[32];
    uint64_t since_s;
    uint8_t captured;              /* by whom: see capture.h */
    uint8_t captured_told;         /* what the forwarder knows of that */
    struct port_counters counters; /* as last told */
    uint64_t strangers;            /* whom the forwarder cannot see, on top of those it does */
    uint64_t queued;
    struct mac source; /* of its first frame, as last told; 0: none yet */
};

/* How much of an endpoint's text stands before a colon: that of "user:" has one of its own. */
int holding_name_length(const char *endpoint);
/* "port 7, 127.0.0.1:12345 with 127.0.0.1:40000": what a person can find it by. Returns buf. */
const char *holding_name(const struct holding *holding, char buf[HOLDING_NAME_MAX]);
/* As it is told to others. */
enum ctl_port_state holding_state(const struct holding *holding);
/* All that was counted of it, by the forwarder and by us. */
struct port_counters holding_counters(const struct holding *holding);

#endif
