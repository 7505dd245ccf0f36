/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which relays run another program than the installed one, and their replacement, for the control
 * socket. */
#ifndef NR_DAEMON_CONTROL_UPGRADE_H
#define NR_DAEMON_CONTROL_UPGRADE_H

#include "daemon/control-api.h"

/* aa{sv}, floating: of each relay its network, pid, and whether it is outdated. */
GVariant *nr_control_relays(const NrControlParts *parts);
/* outcome: "upgraded", or "current": there was nothing to do; or "", and fault says why. Both are
 * the caller's until done returns. */
typedef void (*NrUpgraded)(const char *outcome, const char *fault, gpointer data);
void nr_control_upgrade(const NrControlParts *parts, const char *network, NrUpgraded done,
                        gpointer data);

#endif
