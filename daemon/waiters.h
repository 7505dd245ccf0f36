/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who waits for the work of a pass: hooks, and people's commands. One who waits has seen a pass
 * begin since, and is called when nothing that concerns him is under way or put off.
 */
#ifndef NR_DAEMON_WAITERS_H
#define NR_DAEMON_WAITERS_H

#include "daemon/desired.h"
#include "daemon/execute.h"

typedef struct NrWaiters NrWaiters;

NrWaiters *nr_waiters_new(void);
void nr_waiters_free(NrWaiters *waiters);

/* done is called once, from nr_waiters_serve(): when the guest's NICs have what they need ... */
void nr_waiters_add_guest(NrWaiters *waiters, const char *uuid, void (*done)(gpointer data),
                          gpointer data);
/* ... or the work on this network is done; NULL: all of it. */
void nr_waiters_add(NrWaiters *waiters, const char *network, void (*done)(gpointer data),
                    gpointer data);
/* Of all with this data; also from within a done. */
void nr_waiters_cancel(NrWaiters *waiters, gpointer data);

/* Whoever waits now has seen this pass. */
void nr_waiters_pass_begins(NrWaiters *waiters);
/* Calls those whose wait is over. A done may add others: they are not called before the next. */
void nr_waiters_serve(NrWaiters *waiters, const NrDesired *desired, const NrExecutor *executor);

#endif
