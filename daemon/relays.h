/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All relays of this runtime directory, by network: adopted, started, asked, ended. Every reply
 * comes within a deadline; a reply may come before the call returns.
 */
#ifndef NR_DAEMON_RELAYS_H
#define NR_DAEMON_RELAYS_H

#include "daemon/relay-proc.h"

typedef struct NrRelays NrRelays;

typedef struct {
    void (*changed)(gpointer data); /* what exists differs from the last snapshot */
    /* A relay is gone that nobody told to end. */
    void (*died)(const char *network, gint64 age_ms, const char *text, gpointer data);
    /* A relay has another forwarder; how the one before ended. */
    void (*replaced)(const char *network, const char *how, gpointer data);
} NrRelaysEvents;

NrRelays *nr_relays_new(const NrRelaySettings *settings, const NrRelaysEvents *events,
                        gpointer data);
/* The processes go on. */
void nr_relays_free(NrRelays *relays);

/* Connects to every socket of the directory, removes those with nobody behind, and looks for relays
 * that have none there any more; done when each relay has answered or had its time. */
void nr_relays_adopt(NrRelays *relays, void (*done)(gpointer data), gpointer data);
/* Has a relay lost its socket to somebody who removed it? */
gboolean nr_relays_lost_sockets(const NrRelays *relays);
/* Gives each of these another one. 0 or negative errno. */
int nr_relays_renew_sockets(NrRelays *relays);
/* For --cleanup: ends all of them. */
void nr_relays_stop_all(NrRelays *relays, void (*done)(gpointer data), gpointer data);

/* A copy of what all relays that ever answered have. */
NrActual *nr_relays_snapshot(const NrRelays *relays);
/* Borrowed, live; NULL where there is none. */
const NrActualNetwork *nr_relays_network(const NrRelays *relays, const char *network);
/* See nr_relay_look(); -ENOENT where there is none. */
int nr_relays_look(const NrRelays *relays, const char *network);
/* The network's relay is gone, and another one has its connections, or will have them. */
gboolean nr_relays_goes_on(const NrRelays *relays, const char *network);
/* Also those that are gone and that others are to go on for. */
guint nr_relays_count(const NrRelays *relays);

/* Does its relay run another program than the installed one? */
gboolean nr_relays_is_outdated(const NrRelays *relays, const char *network);
/* Replaces it by that one, under its guests. -EALREADY: there is nothing to do; other errors: the
 * relay is the one of before. One at a time. */
void nr_relays_upgrade(NrRelays *relays, const char *network, NrReply reply, gpointer data);

void nr_relays_spawn(NrRelays *relays, const char *network, NrReply reply, gpointer data);
void nr_relays_stop(NrRelays *relays, const char *network, NrReply reply, gpointer data);
/* pass_fd stays the caller's. hosts: of NrAdmit, for a listener, whose users are the settings'. */
void nr_relays_attach(NrRelays *relays, const char *network, const char *endpoint,
                      const char *label, int pass_fd, const char *const *hosts, NrReply reply,
                      gpointer data);
void nr_relays_detach(NrRelays *relays, const char *network, guint32 endpoint_id, NrReply reply,
                      gpointer data);
void nr_relays_label_port(NrRelays *relays, const char *network, guint32 port_id,
                          const char *label);
/* NULL: no label yet, its listener's options. */
void nr_relays_admit_port(NrRelays *relays, const char *network, guint32 port_id, const char *label,
                          const char *options);
void nr_relays_set_options(NrRelays *relays, const char *network, guint32 port_id,
                           const char *options, NrReply reply, gpointer data);
/* To the relay of the network `other`, which has to answer; see nr_relay_link_move_port(). */
void nr_relays_move_port(NrRelays *relays, const char *network, guint32 port_id, const char *other,
                         NrReply reply, gpointer data);
void nr_relays_close_port(NrRelays *relays, const char *network, guint32 port_id);
/* Reads the counters of all of them. */
void nr_relays_refresh(NrRelays *relays, void (*done)(gpointer data), gpointer data);

#endif
