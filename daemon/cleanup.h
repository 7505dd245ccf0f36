/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --cleanup: ends every relay, takes back what was changed in the kernel, removes our sockets. */
#ifndef NR_DAEMON_CLEANUP_H
#define NR_DAEMON_CLEANUP_H

#include "daemon/relays.h"
#include "daemon/runtime-dir.h"
#include "daemon/world.h"

/* What relays tell while they end: nothing that anybody waits for. */
extern const NrRelaysEvents nr_cleanup_events;

typedef struct {
    const NrWorld *world;
    const NrRuntimeDir *runtime;
    void (*done)(gboolean whole, gpointer data);
    gpointer data;
} NrCleanup;

/* The parts are borrowed until done is called. */
void nr_cleanup(const NrCleanup *parts);

#endif
