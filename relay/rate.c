/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/rate.h"

#define SECOND_NS 1000000000ull
#define KIB       1024
#define WORTH     2048 /* bytes */
#define BURST_MS  50   /* of the average, where no burst was given */
#define BURST_MIN (32 * KIB)
/* A bucket holds no less than this brings: timers tick in milliseconds, and come late. */
#define LATE_MS 4

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* A full bucket's bytes times SECOND_NS fit into 64 bits: see PORT_BURST_MAX. */
static void bucket_init(struct rate_bucket *bucket, uint64_t rate, uint64_t holds, uint64_t now_ns)
{
    uint64_t depth = larger(larger(holds, rate * LATE_MS / 1000), WORTH);

    *bucket = (struct rate_bucket){
        .rate = rate,
        .full_ns = depth * SECOND_NS / rate,
        .worth_ns = larger(WORTH, rate / 1000) * SECOND_NS / rate,
        .empty_ns = now_ns,
    };
}

static uint64_t bucket_room(const struct rate_bucket *bucket, uint64_t now_ns)
{
    uint64_t filled_ns = now_ns > bucket->empty_ns ? now_ns - bucket->empty_ns : 0;

    if (!bucket->rate)
        return SIZE_MAX;
    if (filled_ns < bucket->worth_ns)
        return 0;
    return smaller(filled_ns, bucket->full_ns) * bucket->rate / SECOND_NS;
}

static void bucket_take(struct rate_bucket *bucket, size_t bytes, uint64_t now_ns)
{
    if (!bucket->rate)
        return;
    if (now_ns > bucket->full_ns)
        bucket->empty_ns = larger(bucket->empty_ns, now_ns - bucket->full_ns);
    bucket->empty_ns += bytes * SECOND_NS / bucket->rate;
}

static uint64_t bucket_wait_ns(const struct rate_bucket *bucket, uint64_t now_ns)
{
    uint64_t at_ns = bucket->empty_ns + bucket->worth_ns;

    return bucket->rate && at_ns > now_ns ? at_ns - now_ns : 0;
}

static uint64_t burst_of(const struct port_rate *limit)
{
    uint64_t bytes = (uint64_t)limit->burst * KIB;

    return bytes ? bytes : larger((uint64_t)limit->average * KIB * BURST_MS / 1000, BURST_MIN);
}

void rate_init(struct rate *rate, const struct port_rate *limit, uint64_t now_ns)
{
    *rate = (struct rate){ 0 };
    if (limit->average)
        bucket_init(&rate->average, (uint64_t)limit->average * KIB, burst_of(limit), now_ns);
    if (limit->average && limit->peak)
        bucket_init(&rate->peak, (uint64_t)limit->peak * KIB, 0, now_ns);
}

size_t rate_room(const struct rate *rate, uint64_t now_ns)
{
    return smaller(bucket_room(&rate->average, now_ns), bucket_room(&rate->peak, now_ns));
}

void rate_take(struct rate *rate, size_t bytes, uint64_t now_ns)
{
    bucket_take(&rate->average, bytes, now_ns);
    bucket_take(&rate->peak, bytes, now_ns);
}

uint64_t rate_wait_ns(const struct rate *rate, uint64_t now_ns)
{
    return larger(bucket_wait_ns(&rate->average, now_ns), bucket_wait_ns(&rate->peak, now_ns));
}
