/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keeper's side of the forwarder: starts it, passes it ports, hears what became of them, and
 * starts another as soon as one is dead. One that dies before it runs is retried with back-off. A
 * manager's relay has its first one once there is something to move.
 */
#ifndef NR_RELAY_FORWARDER_PROC_H
#define NR_RELAY_FORWARDER_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "relay/loop.h"

struct keeper;
struct holding;

struct forwarder_proc {
    struct keeper *keeper;
    struct loop_io io; /* our end of its socket; fd -1: none runs */
    struct loop_timer retry;
    struct loop_timer stats_timeout;
    pid_t pid; /* 0: none */
    bool config_sent;
    bool ready_sent;
    bool running; /* it said so */
    bool crashed; /* the one before died of its own doing */
    bool dirty;   /* something is to be passed or told */
    unsigned failures;
    uint64_t stats_serial;
    bool stats_wanted, stats_pending;
};

void forwarder_proc_init(struct forwarder_proc *proc, struct keeper *keeper);
/* Starts one. 0 or negative errno; later failures are retried by itself. */
int forwarder_proc_start(struct forwarder_proc *proc);
/* A child of ours is dead; true if it was the forwarder. */
bool forwarder_proc_reaped(struct forwarder_proc *proc, pid_t pid, int status);
/* Passes and tells what is due, to a first forwarder, if need be; called once a round. */
void forwarder_proc_flush(struct forwarder_proc *proc);
/* Fetches all counters, then tells control and tally, within half a second in any case. */
void forwarder_proc_ask_stats(struct forwarder_proc *proc);
/* Kills and waits for it. */
void forwarder_proc_end(struct forwarder_proc *proc);

#endif
