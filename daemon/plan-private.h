/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `plan` has found out when `plan-actions` writes down what follows from it. */
#ifndef NR_DAEMON_PLAN_PRIVATE_H
#define NR_DAEMON_PLAN_PRIVATE_H

#include "common/endpoint.h"
#include "daemon/place.h"
#include "daemon/plan.h"

/* An endpoint that exists and is wanted no more, or not as it is. */
typedef struct {
    NrActualNetwork *network;
    NrActualEndpoint *endpoint;
    struct endpoint parsed;
    gboolean first; /* in the way of something new */
} NrStale;

typedef struct {
    const NrDesired *desired;
    const NrActual *actual;
    GPtrArray *actions;
    GHashTable *wanted;  /* name -> NrDesiredNetwork, borrowed */
    GHashTable *present; /* name -> NrActualNetwork, borrowed */
    GHashTable *as_is;   /* set of NrActualEndpoint that stay */
    GHashTable *guests;  /* label -> NrBinding: NICs of running guests that dial */
    GHashTable *options; /* label -> what a port of a running guest is to have */
    GPtrArray *stale;    /* NrStale, owns */
    GHashTable *after;   /* name -> GPtrArray: the networks that are in its way */
    NrPlaceIndex *tcp;   /* NrStale by the address it holds: LISTEN its own, TCP the far end's */
    NrPlaceIndex *udp;
} NrPlan;

/* FALSE: it is wanted, or a guest that still runs has its connection in it. */
gboolean nr_plan_may_stop(const NrPlan *plan, const NrActualNetwork *network);
/* Text -> NrActualEndpoint, borrowed. */
GHashTable *nr_plan_endpoints(const NrActualNetwork *network);
/* have: of the network that is there; NULL where there is none. */
gboolean nr_plan_is_missing(const NrPlan *plan, const NrDesiredEndpoint *endpoint,
                            GHashTable *have);
/* All that is to be done, in its order, into plan->actions. */
void nr_plan_act(NrPlan *plan);

#endif
