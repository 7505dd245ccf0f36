/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flows from station to station, and the loop that keeps them going. A flow keeps at most a window
 * of bytes on the way, less than what a relay may hold for a port: so nothing has to be dropped,
 * and what is missing is a fault, or a relay whose buffers are smaller than that.
 */
#ifndef BENCH_FLOWS_H
#define BENCH_FLOWS_H

#include "station.h"

#define STATIONS_MAX 1100
#define FLOWS_MAX    16

struct flow_options {
    const char *sizes;
    size_t window;   /* bytes on the way */
    bool one_by_one; /* one write a frame, as QEMU does, in place of 256 KiB */
};

/* "FROM:TO", "FROM:all", or with ":FRAMES-A-SECOND" one that is paced and not counted. */
int flow_add(const char *text, const struct flow_options *options);
int flows_add_station(const char *text);

struct station *flows_station(unsigned index); /* NULL where there is none */
void flows_deafen(struct station *s);          /* it is not read, and not waited for */

/* Waits until the sinks have heard their sources and these them; 0 or -ETIME. */
int flows_introduce(void);

/* Keeps them all going until then. */
void flows_run(uint64_t until_ns);

/* Sends no more, and waits for what is on its way. */
void flows_drain(void);

/* Of all stations; `frames` and `bytes` only of flows that are not paced. */
struct counts flows_counts(void);
unsigned flows_closed(void);

/* The longest silence of a sink that is counted, since the last call. */
uint64_t flows_gap_ns(void);

uint64_t now_ns(void);

#endif
