/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is wrong, or good to know, and stands in no row of the status: for netrelayctl's doctor.
 * Pure. */
#ifndef NR_DAEMON_EXAMINE_H
#define NR_DAEMON_EXAMINE_H

#include "daemon/desired.h"
#include "daemon/ground.h"
#include "daemon/mixed-up.h"

typedef struct {
    const GPtrArray *guests;      /* NrGuest, one for each UUID */
    const GPtrArray *unannounced; /* names, as nr_inventory_unannounced() has them */
    const GPtrArray *unserved;    /* as nr_unserved_find() has them; or NULL */
    const GPtrArray *mixed_up;    /* as nr_mixed_up_find() has them; or NULL */
    const GPtrArray *ground;      /* as nr_ground_faults() has them; or NULL */
    GHashTable *resolved;         /* as in NrDesiredInput */
    const char *hook;             /* libvirt's hook, where one serves us; or NULL */
    gboolean system;              /* root's manager */
} NrExamined;

/* aa{sv}, floating: findings with level, kind, about, text and cure, all s, of netrelayctl(1). */
GVariant *nr_examine(const NrExamined *examined);

#endif
