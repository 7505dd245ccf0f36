/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guests that listen, and have not taken our connection. QEMU serves one at a time, and the kernel
 * lets one more wait, which looks from here as if it were through. */
#ifndef NR_DAEMON_UNSERVED_H
#define NR_DAEMON_UNSERVED_H

#include "daemon/actual.h"
#include "daemon/desired.h"

typedef struct {
    const NrBinding *binding; /* of desired */
    char *served;             /* who has its one place, as far as it can be seen; or NULL */
} NrUnserved;

/* NrUnserved. Asks the kernel of each connection: for messages only. */
GPtrArray *nr_unserved_find(const NrDesired *desired, const NrActual *actual);

#endif
