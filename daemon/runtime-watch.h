/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The runtime directory lies where others clean up: a user's ~/.cache, say. What of it is taken
 * away under the manager, the directory, its sockets or those of relays, is made again: without
 * them no hook and no successor would find us, and a second manager could start.
 */
#ifndef NR_DAEMON_RUNTIME_WATCH_H
#define NR_DAEMON_RUNTIME_WATCH_H

#include "daemon/control-api.h"
#include "daemon/hook-socket.h"
#include "daemon/relays.h"
#include "daemon/runtime-dir.h"

typedef struct NrRuntimeWatch NrRuntimeWatch;

/* Borrowed for the life of the watch. */
typedef struct {
    NrRuntimeDir *runtime;
    NrRelays *relays;
    NrHookSocket *hooks;   /* NULL: nobody is answered */
    NrControlApi *control; /* the same */
    gboolean *hooks_ours;  /* set once the hook's socket is one that we bound */
    void (*renewed)(gpointer data);
    gpointer data;
} NrRuntimeParts;

NrRuntimeWatch *nr_runtime_watch_new(const NrRuntimeParts *parts);
void nr_runtime_watch_free(NrRuntimeWatch *watch);
/* Soon, whether anything was noticed or not. */
void nr_runtime_watch_look(NrRuntimeWatch *watch);

#endif
