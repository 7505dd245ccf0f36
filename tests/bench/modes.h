/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What bench-load can measure. Each prints one line of JSON and returns 0, or a negative errno. */
#ifndef BENCH_MODES_H
#define BENCH_MODES_H

#include "flows.h"

struct mode_options {
    struct flow_options flow;
    double seconds, warm_up;
    unsigned ping_one, ping_other; /* stations of the round trip */
    bool has_flows;                /* beside it */
    unsigned clients;
    uint16_t l4_port; /* that the clients dial */
};

/* The flows that were added: frames, what was wrong, CPU time, memory, the longest silence. */
int mode_throughput(const struct mode_options *o);

/* A frame there and one back, again and again, beside the flows that were added, if any. */
int mode_ping(const struct mode_options *o);

/* That many clients connect at once, and all get a broadcast of station 0. */
int mode_burst(const struct mode_options *o);

#endif
