/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What dnsmasq is told to do for a network. Pure. */
#ifndef NR_DAEMON_DNSMASQ_CONF_H
#define NR_DAEMON_DNSMASQ_CONF_H

#include "xml/network.h"

/* Of dnsmasq's user, who writes the leases in it. */
#define NR_LEASES_DIR NR_STATE_DIR "/dnsmasq"

/* NULL: the network's file asks for none. New strings. */
char *nr_dnsmasq_conf(const NrNetwork *network);
char *nr_dnsmasq_leases_name(const char *network);

#endif
