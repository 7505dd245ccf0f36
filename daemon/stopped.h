/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which networks a person has stopped. It is kept in the runtime directory, so that it survives
 * the manager and not the host's next boot: then all networks come up but those that do not
 * autostart (nr_networks_manual()). A manager that is only restarted changes nothing.
 *
 * A network that takes this host's own addresses into its bridge comes up with the host, or where a
 * person starts it, and not because its file has appeared: a mistake in it would cut off whoever
 * has written it. So it counts as stopped at first.
 */
#ifndef NR_DAEMON_STOPPED_H
#define NR_DAEMON_STOPPED_H

#include "daemon/networks.h"
#include "daemon/stopped-note.h"

typedef struct NrStopped NrStopped;

/* first_start: nothing in the runtime directory (dir_fd) is from a manager before us. */
NrStopped *nr_stopped_new(int dir_fd, const char *networks_dir, gboolean first_start);
void nr_stopped_free(NrStopped *stopped);

/* Marks the networks, which have just been loaded, and forgets those that are gone. */
void nr_stopped_apply(NrStopped *stopped, NrNetworks *networks);
/* Notes it, and marks the network. Negative errno: it could not be noted, and all is as before. */
int nr_stopped_set(NrStopped *stopped, NrNetwork *network, gboolean value);
/* Stops it whether that can be noted or not. */
int nr_stopped_insist(NrStopped *stopped, NrNetwork *network);

#endif
