/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs the actions of one plan: in their order, those of one kind that stand together at once. */
#ifndef NR_DAEMON_EXECUTE_H
#define NR_DAEMON_EXECUTE_H

#include "daemon/plan.h"
#include "daemon/relays.h"

typedef struct {
    /* 0 or negative errno and one sentence; called once for each action. */
    void (*result)(const NrAction *action, int error, const char *text, gpointer data);
    void (*done)(gpointer data); /* the last call */
} NrExecuteEvents;

/* Takes the actions. done may come before the call returns; it always comes. */
void nr_execute(NrRelays *relays, GPtrArray *actions, const NrExecuteEvents *events, gpointer data);

#endif
