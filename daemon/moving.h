/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why a guest's connection is still in another network's relay than that of its own, for people.
 * Pure. */
#ifndef NR_DAEMON_MOVING_H
#define NR_DAEMON_MOVING_H

#include "daemon/actual.h"
#include "daemon/attempts.h"

/* from: where the port is; to: the network of its NIC, or NULL, which is none. One sentence, what
 * can be done about it behind "; ". New string. */
char *nr_moving_reason(const NrActual *actual, const NrAttempts *attempts,
                       const NrActualNetwork *from, const NrActualPort *port, const char *to);

#endif
