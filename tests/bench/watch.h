/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the processes under test use up: their CPU time, of all threads, and their memory. */
#ifndef BENCH_WATCH_H
#define BENCH_WATCH_H

#include <stdint.h>

int watch_add(const char *pid);
uint64_t watch_cpu_ns(void);
long watch_memory_kib(void);      /* resident and not a file's; shared memory is counted once */
uint64_t watch_own_wait_ns(void); /* for which this process was ready to run and had no CPU */

#endif
