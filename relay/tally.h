/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All endpoints, and the counters of all ports, on standard error, asked for by SIGUSR1: a line
 * each, as fast as they are taken there and no faster. */
#ifndef NR_RELAY_TALLY_H
#define NR_RELAY_TALLY_H

#include <stdbool.h>
#include "relay/loop.h"

struct keeper;

struct tally {
    struct keeper *keeper;
    struct loop_timer timer;
    bool asked;   /* the forwarder's numbers are waited for */
    bool telling; /* endpoints behind this one, then ports from slot on */
    uint32_t endpoint_id;
    uint32_t slot;
    unsigned stuck; /* tries in a row that brought nothing */
};

void tally_init(struct tally *tally, struct keeper *keeper);
/* Nothing where it is under way. */
void tally_ask(struct tally *tally);
/* The forwarder's numbers have come, as far as they will. */
void tally_stats_ready(struct tally *tally);

#endif
