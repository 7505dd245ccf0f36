/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NICs of one guest that dial one address are told apart by the order of QEMU's descriptors. What
 * their frames say of it: found is a NIC whose first frame came from the address of another one
 * beside it. Pure.
 */
#ifndef NR_DAEMON_MIXED_UP_H
#define NR_DAEMON_MIXED_UP_H

#include "daemon/actual.h"
#include "daemon/desired.h"

typedef struct {
    const NrBinding *binding, *other; /* of desired */
} NrMixedUp;

GPtrArray *nr_mixed_up_find(const NrDesired *desired, const NrActual *actual); /* NrMixedUp */

#endif
