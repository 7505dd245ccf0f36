/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is left to do for a manager whose package is removed: nobody loses what he has. Pure. */
#ifndef NR_DAEMON_RETIRE_H
#define NR_DAEMON_RETIRE_H

#include "daemon/actual.h"
#include "daemon/desired.h"

/* Leaves of what is desired the networks in which a running guest is already, without listeners. */
void nr_retire_desired(NrDesired *desired, const NrActual *actual);
/* Leaves of a plan (NrAction) what gives back, and what serves those who stay. */
void nr_retire_plan(GPtrArray *actions);

#endif
