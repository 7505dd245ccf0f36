/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Does one action: asks its relay, and makes the TAP that goes with it, and what that stands on. */
#ifndef NR_DAEMON_STEP_H
#define NR_DAEMON_STEP_H

#include "daemon/action.h"
#include "daemon/ground.h"
#include "daemon/relays.h"
#include "daemon/serving.h"

/* The reply comes once, maybe before the call returns; the action is borrowed until then. */
void nr_step(NrRelays *relays, NrGround *ground, NrServing *serving, const NrAction *action,
             NrReply reply, gpointer data);
/* What a person is told of a failure, from what the reply said. New string. */
char *nr_step_explain(const NrAction *action, int error, const char *text);
/* Who has the address now of an endpoint whose address was taken. New string. */
char *nr_step_explain_foreign(const char *endpoint);

#endif
