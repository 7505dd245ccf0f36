/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many bytes a second may pass: a bucket that fills at the average and holds the burst, and a
 * small one that fills at the peak. Something passes while there is enough in both for a frame or
 * two; what passes may be more than that, and is waited for afterwards. A bucket begins empty, so
 * that however often it is begun anew no more than one bucketful is ever ahead of its rate. Pure:
 * time comes in. A zeroed one has no limit.
 */
#ifndef NR_RELAY_RATE_H
#define NR_RELAY_RATE_H

#include <stddef.h>
#include <stdint.h>
#include "common/port-options.h"

struct rate_bucket {
    uint64_t rate;     /* bytes a second; 0: no limit */
    uint64_t full_ns;  /* how long it fills */
    uint64_t worth_ns; /* and until it is worth while to let something pass */
    uint64_t empty_ns; /* when it was empty, or will be: all it knows */
};

struct rate {
    struct rate_bucket average, peak;
};

void rate_init(struct rate *rate, const struct port_rate *limit, uint64_t now_ns);
/* How many bytes may pass now; 0 where it is too little to be worth while. */
size_t rate_room(const struct rate *rate, uint64_t now_ns);
void rate_take(struct rate *rate, size_t bytes, uint64_t now_ns);
/* How long rate_room() is going to be 0. */
uint64_t rate_wait_ns(const struct rate *rate, uint64_t now_ns);

#endif
