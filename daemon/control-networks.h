/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a person asks of the networks that files define: shown, started, stopped. Said in sentences;
 * control-api.c carries them. */
#ifndef NR_DAEMON_CONTROL_NETWORKS_H
#define NR_DAEMON_CONTROL_NETWORKS_H

#include "daemon/control-api.h"

/* Rows as manager-dbus.xml has them; floating. */
GVariant *nr_control_networks_rows(const NrControlParts *parts);
/* The same, or NULL, and *ret_fault says why (new string). */
GVariant *nr_control_networks_leases(const NrControlParts *parts, const char *name,
                                     char **ret_fault);
/*
 * Notes it; the next pass does it. NULL, or why it is not done (new string). A network that a
 * guest's QEMU has dialled is only stopped by force: that connection is never made again.
 */
char *nr_control_networks_start(const NrControlParts *parts, const char *name, gboolean force,
                                guint confirm_s);
/* What is said of one that did not come up whole, for `failure`. It is tried again, unless it takes
 * this host's addresses: what nobody waits for is not moved. New string. */
char *nr_control_networks_not_started(const NrControlParts *parts, const char *name,
                                      const char *failure);
char *nr_control_networks_confirm(const NrControlParts *parts, const char *name);
/* From here on a network that is not confirmed in time is stopped. */
void nr_control_networks_watch(const NrControlParts *parts);
char *nr_control_networks_stop(const NrControlParts *parts, const char *name, gboolean force);
/* What failed of the network in the last pass, and is tried again; NULL, or a new string. */
char *nr_control_networks_failure(const NrControlParts *parts, const char *name);

#endif
