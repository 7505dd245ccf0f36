/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a person sees: a row for each port, and for each NIC and endpoint without one. Pure. */
#ifndef NR_DAEMON_STATUS_H
#define NR_DAEMON_STATUS_H

#include "daemon/actual.h"
#include "daemon/attempts.h"
#include "daemon/desired.h"

/*
 * aa{sv} as manager-dbus.xml describes it; floating. Where a hook serves the connection a guest
 * that does not run has no row: nothing is there for it before it starts. meetings, of
 * nr_meetings_look(), tells whether guests have met that may meet without us; NULL: they have.
 */
GVariant *nr_status_rows(const NrDesired *desired, const NrActual *actual,
                         const NrAttempts *attempts, gboolean hooked, GHashTable *meetings);
/* "UUID/MAC": the label of a NIC's port. New string. */
char *nr_port_label(const NrGuest *guest, const NrNic *nic);

#endif
