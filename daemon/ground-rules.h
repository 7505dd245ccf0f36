/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ground is what networks need of the host's kernel: a bridge, addresses. Each is a text of
 * host-change.h. What was made once is not made again as long as it is wanted: if it is not there,
 * somebody has taken it away. Pure.
 */
#ifndef NR_DAEMON_GROUND_RULES_H
#define NR_DAEMON_GROUND_RULES_H

#include "daemon/actual.h"
#include "daemon/desired.h"

/* What of the endpoint's ground has still to be made, in its order; NULL: nothing. New list. */
GPtrArray *nr_ground_missing(const NrDesiredEndpoint *endpoint, const NrActual *actual);
/* Marks the endpoints which lack some of it. */
void nr_ground_mark(const NrDesired *desired, NrActual *actual);
/* NrActualChange, borrowed: what was made and nobody wants, the last one first. New list. */
GPtrArray *nr_ground_unwanted(const NrDesired *desired, const NrActual *actual);

#endif
