/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Captures, in the keeper: it holds a copy of each reader's socket, so that another forwarder can
 * go on with it, and says which ports are meant. A capture ends when its reader is gone.
 */
#ifndef NR_RELAY_CAPTURE_KEEP_H
#define NR_RELAY_CAPTURE_KEEP_H

#include "common/ctl-proto.h"
#include "relay/capture.h"

struct keeper;
struct holding;
struct forwarder_proc;

enum capture_state {
    CAPTURE_FREE,
    CAPTURE_NEW,    /* this forwarder has not got it yet */
    CAPTURE_PASSED, /* it has */
    CAPTURE_ENDING, /* it is to be told that it ends */
};

/* What is asked for. Nothing named: all ports. */
struct capture_wish {
    uint32_t snaplen;
    unsigned n_ports, n_endpoints;
    uint32_t port[CAPTURE_NAMES_MAX];     /* ids */
    uint32_t endpoint[CAPTURE_NAMES_MAX]; /* ids: all ports of each, those to come too */
    char label[CTL_LABEL_MAX + 1];        /* all ports whose label begins so, too; "": none */
};

struct capture_kept {
    struct keeper *keeper;
    struct loop_io io; /* our copy */
    enum capture_state state;
    uint32_t id;
    struct capture_wish wish;
};

struct capture_keep {
    struct capture_kept kept[CAPTURES_MAX];
    uint32_t last_id;
};

/* sock is ours if this succeeds. 0; -EINVAL: not such a socket; -EBUSY: too many; or another. */
int capture_keep_begin(struct keeper *keeper, const struct capture_wish *wish, int sock);
/* Who captures this port: bits. */
uint8_t capture_keep_bits(const struct keeper *keeper, const struct holding *holding);
/* Tells the forwarder what is due. 0 or negative errno. */
int capture_keep_flush(struct keeper *keeper, int forwarder_sock);
/* There is no forwarder any more: the next one gets them all. */
void capture_keep_disown(struct keeper *keeper);

#endif
