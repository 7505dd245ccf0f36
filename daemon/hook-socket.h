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

/* Takes the bound socket, and listens on it. */
NrHookSocket *nr_hook_socket_new(int sock, const NrWorld *world, NrReconcile *reconcile,
                                 NrGuestSource *source, NrNews *news);
/* Listens on this one instead, which it takes; who waits for an answer still gets it. */
void nr_hook_socket_listen(NrHookSocket *hooks, int sock);
void nr_hook_socket_free(NrHookSocket *hooks);

#endif
