/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a person says of where a guest's NIC belongs: judged by the rules that a pass goes by,
 * before it is written; control-api.c carries it. */
#ifndef NR_DAEMON_CONTROL_REWIRE_H
#define NR_DAEMON_CONTROL_REWIRE_H

#include "daemon/control-api.h"
#include "daemon/rewire.h"

/* outcome: as manager-dbus.xml has it, floating; or NULL, and fault is why not. */
typedef void (*NrControlRewired)(GVariant *outcome, const char *fault, gpointer data);

/* guest: name or UUID. Takes rewire, whose uuid is filled in. `done` is called once a pass has been
 * made with what is new. */
void nr_control_rewire(const NrControlParts *parts, const char *guest, NrRewire *rewire,
                       NrControlRewired done, gpointer data);
/* A row for each NIC of each guest, as manager-dbus.xml has them; floating. */
GVariant *nr_control_nics(const NrControlParts *parts);

#endif
