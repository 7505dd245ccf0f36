/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Switches, plain hubs and guests, joined by cables that take their time: played in memory, with
 * time that passes as fast as it can. Every guest says a numbered broadcast now and then, and
 * counts what it hears.
 */
#ifndef NR_TESTS_UNIT_RELAY_PLAYED_NET_H
#define NR_TESTS_UNIT_RELAY_PLAYED_NET_H

#include <glib.h>
#include "relay/vswitch.h"

#define NODES_MAX  12
#define PORTS_MAX  24
#define CABLES_MAX 32
#define FRAMES_MAX 4096

enum kind { SWITCH, HUB, GUEST };

struct node {
    enum kind kind;
    struct vswitch *sw;
    struct fdb_table *table;
    int cable[PORTS_MAX]; /* -1: none */
    unsigned n_ports;
    unsigned blocks, opens, loops; /* what the switch told of */
    unsigned probes;               /* that reached a guest */
    uint16_t heard[FRAMES_MAX];    /* by number of the frame */
};

struct cable {
    int node[2];
    uint16_t port[2];
    bool cut;
    uint64_t last_us[2]; /* a cable keeps order */
};

struct world {
    GRand *rand;
    GSequence *events;
    uint64_t now_us, serial, played;
    uint64_t latency_us[2];
    struct node node[NODES_MAX];
    struct cable cable[CABLES_MAX];
    unsigned n_nodes, n_cables, n_frames;
    uint64_t said_us[FRAMES_MAX];
    int said_by[FRAMES_MAX];
};

extern struct world *w; /* the one that is being played */

/* Latencies of its cables are from least to most. */
void world_begin(guint32 seed, uint64_t least_us, uint64_t most_us);
void world_end(void);
/* A node; its number. */
int add(enum kind kind);
/* Plugs a cable between two nodes, or a node and itself; its number. */
int plug(int one, int two);
/* closed: both ends see it at once, as with a connection; otherwise nothing passes, that is all. */
void cut(int cable, bool closed);
/* Lets time pass; */
void play(uint64_t ms);
/* and has all guests talk meanwhile. */
void talk(uint64_t ms);
/* A broadcast of this guest. */
void say(int guest);
unsigned count_blocked(void);
/* What switches told of: ports blocked, opened again, loops behind them. */
unsigned count_lines(void);
/* Cables beyond those of a tree: so many ports have to be blocked. */
unsigned count_needless(void);
/* Nobody heard anything too often, and no guest of a switch a probe. */
void check_copies(void);
/* No guest missed another one's frames for longer than that, from frame `first` on. */
void check_gaps(unsigned first, uint64_t most_ms);
/* By now everything is heard exactly once. */
void check_settled(void);

#endif
