/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What relays.c has, for relays-ask.c and relays-look.c. */
#ifndef NR_DAEMON_RELAYS_PRIVATE_H
#define NR_DAEMON_RELAYS_PRIVATE_H

#include "daemon/relays.h"

/* Also one that has not said its name yet; NULL where there is none. */
NrRelay *nr_relays_find(const NrRelays *relays, const char *network);
GList *nr_relays_all(const NrRelays *relays); /* the list is the caller's */
const NrRelaySettings *nr_relays_settings(const NrRelays *relays);

#endif
