/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All that a pass looks at, and what the model makes of it. */
#ifndef NR_DAEMON_WORLD_H
#define NR_DAEMON_WORLD_H

#include "daemon/desired.h"
#include "daemon/ground.h"
#include "daemon/inventory.h"
#include "daemon/networks.h"
#include "daemon/news.h"
#include "daemon/relays.h"
#include "daemon/resolver.h"
#include "daemon/serving.h"
#include "daemon/udp-guard.h"

/* The members are main's, and may be exchanged between passes. */
typedef struct {
    NrInventory *inventory;
    NrRelays *relays;
    NrGround *ground;
    NrUdpGuard *udp_guard;
    NrServing *serving;
    NrResolver *resolver;
    NrPolicy *policy;
    NrNetworks *networks;
    NrNews *news;
    int link_monitor;     /* is to tell of routes, too, once one matters; or -1 */
    gboolean retiring;    /* nothing new is made, see retire.h */
    char *settings_fault; /* what is wrong with the settings file since the last reload, or NULL */
} NrWorld;

/* What should exist. Has host names looked up that are wanted for it. */
NrDesired *nr_world_desired(const NrWorld *world);
/* What exists; where something is lacking of what is wanted (NULL: unknown) is marked. */
NrActual *nr_world_actual(const NrWorld *world, const NrDesired *desired);
/* What would be decided if the guest were this one. Changes nothing. */
NrDesired *nr_world_imagine(const NrWorld *world, NrGuest *guest);

#endif
