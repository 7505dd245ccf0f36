/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which networks have a dnsmasq, and may have one: never on a bridge by which frames leave this
 * host, where it would answer others' machines and send them here.
 */
#ifndef NR_DAEMON_SERVING_H
#define NR_DAEMON_SERVING_H

#include "daemon/actual.h"
#include "daemon/networks.h"

typedef struct NrServing NrServing;
typedef void (*NrServed)(int error, const char *text, gpointer data);

/* died: one has ended, and nobody has asked it to. */
NrServing *nr_serving_new(void (*died)(const char *network, gint64 age_ms, const char *text,
                                       gpointer data),
                          gpointer data);
/* All end. */
void nr_serving_free(NrServing *serving);

/* Adds them to the snapshot. */
void nr_serving_show(const NrServing *serving, NrActual *actual);
/* Devices have changed: is each bridge still what it was? */
void nr_serving_look(NrServing *serving);
/* Has the network served like this, in place of what there was; ground is what has to be there
 * (texts of host-change.h, its bridge first). -EAGAIN: it is not, yet; -EXDEV: not on this
 * bridge. */
void nr_serving_begin(NrServing *serving, const char *network, const char *conf, GPtrArray *ground,
                      NrServed reply, gpointer data);
/* The reply comes when it has ended. */
void nr_serving_end(NrServing *serving, const char *network, NrServed reply, gpointer data);
/* Removes the leases of networks that there are no more. */
void nr_serving_forget(const NrNetworks *networks);
/* Removes all of them, and their place. */
void nr_serving_forget_all(void);

#endif
