/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Does the actions of plans. Those of one network are done in their order, those of one kind that
 * stand together at once; networks go beside one another, so that a relay which does not answer
 * keeps nobody waiting but who needs it.
 */
#ifndef NR_DAEMON_EXECUTE_H
#define NR_DAEMON_EXECUTE_H

#include "daemon/action.h"
#include "daemon/ground.h"
#include "daemon/relays.h"
#include "daemon/serving.h"

typedef struct NrExecutor NrExecutor;

typedef struct {
    /* 0 or negative errno and one sentence; called once for each action that is begun. */
    void (*result)(const NrAction *action, int error, const char *text, gpointer data);
    void (*done)(gpointer data); /* the work on some network has come to its end */
} NrExecuteEvents;

NrExecutor *nr_executor_new(NrRelays *relays, NrGround *ground, NrServing *serving,
                            const NrExecuteEvents *events, gpointer data);
/* Answers that are still to come are heard by nobody. */
void nr_executor_free(NrExecutor *executor);

/*
 * Takes the actions. What is under way goes on; actions for a network that is being worked on, or
 * that have to come after such ones, are put off: the next plan has them again.
 */
void nr_execute(NrExecutor *executor, GPtrArray *actions);

/* Of what is under way or was put off. */
gboolean nr_executor_works_on(const NrExecutor *executor, const char *network);
/* ... that some network lets go of an address with this number. */
gboolean nr_executor_frees(const NrExecutor *executor, guint l4_port);
gboolean nr_executor_is_idle(const NrExecutor *executor);
gboolean nr_executor_has_put_off(const NrExecutor *executor);

#endif
