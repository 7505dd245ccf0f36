/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Desired minus actual: the actions of one pass, in the order they are done. Pure. */
#ifndef NR_DAEMON_PLAN_H
#define NR_DAEMON_PLAN_H

#include "daemon/action.h"
#include "daemon/actual.h"
#include "daemon/desired.h"

/*
 * Order: detach what holds an address that another network needs (the whole relay is stopped where
 * nothing else is left in it), spawn, attach, lay ground, enslave, set options, move ports, detach
 * stale, stop, lift ground. Two networks never hold one address. Within one network that order
 * holds; between two it does where an attachment says so (`after`). A second plan after a whole
 * pass is empty, but for ports that go to a relay which is new, and for what they leave behind.
 */
GPtrArray *nr_plan_new(const NrDesired *desired, const NrActual *actual); /* NrAction */

#endif
