/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "modes.h"

#include <stdio.h>
#include <time.h>

#include "watch.h"

struct moment {
    uint64_t time_ns, cpu_ns, own_ns, wait_ns;
    struct counts counts;
    long memory_kib;
};

static struct moment moment_now(void)
{
    struct timespec own;
    struct moment m = { .counts = flows_counts(), .memory_kib = watch_memory_kib() };

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own);
    m.own_ns = (uint64_t)own.tv_sec * 1000000000ull + (uint64_t)own.tv_nsec;
    m.wait_ns = watch_own_wait_ns();
    m.cpu_ns = watch_cpu_ns();
    m.time_ns = now_ns();
    return m;
}

static void report(const struct moment *first, const struct moment *last, uint64_t gap_ns)
{
    double seconds = (double)(last->time_ns - first->time_ns) / 1e9;
    double frames = (double)(last->counts.frames - first->counts.frames);
    struct counts sum = flows_counts();

    printf("{\"frames_per_s\": %.0f, \"gbit_per_s\": %.4f, \"frames\": %.0f, \"seconds\": %.4f, "
           "\"cpu_ns\": %llu, \"own_cpu_ns\": %llu, \"own_wait_ns\": %llu, \"lost\": %llu, "
           "\"repeated\": %llu, "
           "\"corrupt\": %llu, \"stray\": %llu, \"closed\": %u, \"gap_ms\": %.3f, "
           "\"memory_kib\": %ld, \"memory_growth_kib\": %ld}\n",
           frames / seconds, (double)(last->counts.bytes - first->counts.bytes) * 8 / seconds / 1e9,
           frames, seconds, (unsigned long long)(last->cpu_ns - first->cpu_ns),
           (unsigned long long)(last->own_ns - first->own_ns),
           (unsigned long long)(last->wait_ns - first->wait_ns), (unsigned long long)sum.lost,
           (unsigned long long)sum.repeated, (unsigned long long)sum.corrupt,
           (unsigned long long)sum.stray, flows_closed(), (double)gap_ns / 1e6, last->memory_kib,
           last->memory_kib - first->memory_kib);
}

int mode_throughput(const struct mode_options *o)
{
    struct moment first, last;
    uint64_t gap;
    int r = flows_introduce();
    long idle_kib = watch_memory_kib();

    if (r < 0)
        return r;
    flows_run(now_ns() + (uint64_t)(o->warm_up * 1e9));
    flows_gap_ns();
    first = moment_now();
    flows_run(first.time_ns + (uint64_t)(o->seconds * 1e9));
    last = moment_now();
    gap = flows_gap_ns();
    flows_drain();
    first.memory_kib = idle_kib;
    report(&first, &last, gap);
    return 0;
}
