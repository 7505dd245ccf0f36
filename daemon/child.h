/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making a keeper process: its identity, descriptors and privileges, and nothing else of ours. */
#ifndef NR_DAEMON_CHILD_H
#define NR_DAEMON_CHILD_H

#include <sys/types.h>
#include "daemon/relay-proc.h"

/* listener, the bound control socket, stays the caller's, as does its file (O_PATH, or -1), which
 * the keeper has and does not know (lost-relays.h), and what was deposited by the relay that it
 * follows (NULL: nothing). The child, to be reaped by the caller, or a negative errno. */
pid_t nr_child_spawn(const NrRelaySettings *settings, const char *network, int listener, int file,
                     const GArray *deposit);

#endif
