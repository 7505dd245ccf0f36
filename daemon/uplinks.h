/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * This host's own addresses on a network's bridge (<forward mode='bridge' dev='eth0'/>), moved
 * there and back by guards (net/uplink-guard.h). A record of each in the runtime directory is also
 * what says that it is done. Beside what ground.h has, a move can be refused for what the device
 * is, be insisted on, and be for a while only, until it is confirmed.
 */
#ifndef NR_DAEMON_UPLINKS_H
#define NR_DAEMON_UPLINKS_H

#include "common/host-change.h"
#include "daemon/actual.h"

typedef struct NrUplinks NrUplinks;

/* dir_fd: the runtime directory, borrowed. */
NrUplinks *nr_uplinks_new(int dir_fd);
void nr_uplinks_free(NrUplinks *uplinks);
/* expired: the network's move has not been confirmed in time, and is to be taken back. */
void nr_uplinks_watch(NrUplinks *uplinks, void (*expired)(const char *network, gpointer data),
                      gpointer data);

/* How the network's next move is to be: force: whoever else cares for the device; confirm_s: 0, or
 * for so long, unless nr_uplinks_confirm() is called. */
void nr_uplinks_set_terms(NrUplinks *uplinks, const char *network, gboolean force, guint confirm_s);
/* NULL: it stays; or why not (new string). */
char *nr_uplinks_confirm(NrUplinks *uplinks, const char *network);

/* Adds what is moved to the snapshot. */
void nr_uplinks_show(NrUplinks *uplinks, NrActual *actual);
/* 0, or a negative errno and a sentence (new string). */
int nr_uplinks_lay(NrUplinks *uplinks, const char *network, const struct host_change *change,
                   char **ret_text);
int nr_uplinks_lift(NrUplinks *uplinks, const struct host_change *change, char **ret_text);
/* Calls for each whose device somebody has taken out of its bridge, or has removed. */
void nr_uplinks_each_undone(NrUplinks *uplinks,
                            void (*undone)(const char *network, const struct host_change *change,
                                           gpointer data),
                            gpointer data);
/* What is recorded, as changes: struct host_change. New array. */
GArray *nr_uplinks_all(NrUplinks *uplinks);
/* The directory was made anew, and the records are to be in it. */
void nr_uplinks_note(NrUplinks *uplinks);

#endif
