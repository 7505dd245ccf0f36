/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Relays whose control sockets somebody has removed while no manager was there to notice. Each has
 * a descriptor of its socket's file (child.c), which leads to the socket for as long as it lives,
 * and which nobody can use who could not trace the process.
 */
#ifndef NR_DAEMON_LOST_RELAYS_H
#define NR_DAEMON_LOST_RELAYS_H

#include <glib.h>
#include <sys/types.h>

/* sock: connected to the relay's keeper, and found's. */
typedef void (*NrLostRelayFound)(const char *socket_name, int sock, gpointer data);

/* Among the processes of this host, not of containers, that are this user's. */
void nr_lost_relays_find(uid_t uid, NrLostRelayFound found, gpointer data);

#endif
