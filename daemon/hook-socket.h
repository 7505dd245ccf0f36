/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hook's barrier: lets partners that start come up, announces the guest, waits for a pass,
 * answers. Asks nothing of libvirt, which holds the guest's lock meanwhile.
 */
#ifndef NR_DAEMON_HOOK_SOCKET_H
#define NR_DAEMON_HOOK_SOCKET_H

#include "daemon/guest-source.h"
#include "daemon/inventory.h"
#include "daemon/reconcile.h"

typedef struct NrHookSocket NrHookSocket;

/* Takes the bound socket, and listens on it. What hooks told the manager before is read from
 * runtime_fd, the directory where it is noted. */
NrHookSocket *nr_hook_socket_new(int sock, int runtime_fd, const NrWorld *world,
                                 NrReconcile *reconcile, NrGuestSource *source, NrNews *news);
/* Listens on this one instead, which it takes; who waits for an answer still gets it. */
void nr_hook_socket_listen(NrHookSocket *hooks, int sock);
/* libvirt has told of guests: what is noted of them changes, too. hooks may be NULL. */
void nr_hook_socket_guests_changed(NrHookSocket *hooks);
void nr_hook_socket_free(NrHookSocket *hooks);

#endif
