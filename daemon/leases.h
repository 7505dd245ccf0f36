/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which addresses dnsmasq has given to whom: its file of leases, as rows. */
#ifndef NR_DAEMON_LEASES_H
#define NR_DAEMON_LEASES_H

#include "xml/network.h"

/* Rows as in manager-dbus.xml (aa{sv}, floating) of those that have not expired at now_s; what is
 * none is passed over. Pure. */
GVariant *nr_leases_parse(const char *text, const NrNetwork *network, gint64 now_s);
/* The same of the network's file; without one there are no rows. NULL: *ret_fault says why it
 * cannot be read (new string). */
GVariant *nr_leases_read(const NrNetwork *network, char **ret_fault);

#endif
