/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which NIC is behind a connection that a listener accepted: its socket is some process's, that
 * process is some guest's QEMU, and there the order of descriptors is the order of NICs. What is
 * found becomes the port's label, and the connection is admitted: until then its relay holds it.
 * One that is certainly somebody else's is closed; one that cannot be told is admitted without a
 * label.
 */
#ifndef NR_DAEMON_ADMISSION_H
#define NR_DAEMON_ADMISSION_H

#include "daemon/reconcile.h"

typedef struct NrAdmission NrAdmission;

/* The users whose processes may be guests, whoever else is to be asked: how many. */
guint nr_admission_users(gboolean system, uid_t ret[NR_RELAY_USERS]);
NrAdmission *nr_admission_new(const NrWorld *world, NrReconcile *reconcile,
                              const NrRelaySettings *settings);
void nr_admission_free(NrAdmission *admission);
/* Soon. news: relays or guests have changed, so what was not to be known may be now. */
void nr_admission_look(NrAdmission *admission, gboolean news);

#endif
