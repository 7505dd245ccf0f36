/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define WATCHED_MAX 16

static pid_t watched[WATCHED_MAX];
static unsigned watched_count;

int watch_add(const char *pid)
{
    if (watched_count == WATCHED_MAX || atoi(pid) <= 0)
        return -EINVAL;
    watched[watched_count++] = atoi(pid);
    return 0;
}

uint64_t watch_cpu_ns(void)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < watched_count; i++) {
        struct timespec t;
        clockid_t clock;

        if (clock_getcpuclockid(watched[i], &clock) == 0 && clock_gettime(clock, &t) == 0)
            sum += (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
    }
    return sum;
}

long watch_memory_kib(void)
{
    long own = 0, shared = 0, kib;

    for (unsigned i = 0; i < watched_count; i++) {
        char text[256];
        FILE *file;

        snprintf(text, sizeof(text), "/proc/%d/status", (int)watched[i]);
        file = fopen(text, "re");
        while (file && fgets(text, sizeof(text), file)) {
            if (sscanf(text, "RssAnon: %ld", &kib) == 1)
                own += kib;
            else if (sscanf(text, "RssShmem: %ld", &kib) == 1 && kib > shared)
                shared = kib;
        }
        if (file)
            fclose(file);
    }
    return own + shared;
}

uint64_t watch_own_wait_ns(void)
{
    unsigned long long waited = 0;
    FILE *file = fopen("/proc/self/schedstat", "re");

    if (file) {
        if (fscanf(file, "%*u %llu", &waited) != 1)
            waited = 0;
        fclose(file);
    }
    return waited;
}
