/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One connection to a relay's control socket, and the live model of what the relay has: filled by a
 * DUMP after the greeting, kept by events. Requests are answered in the main loop, each within its
 * deadline; nothing here waits.
 */
#ifndef NR_DAEMON_RELAY_LINK_H
#define NR_DAEMON_RELAY_LINK_H

#include "daemon/actual.h"

#define NR_RELAY_REPLY_MS 5000

typedef struct NrRelayLink NrRelayLink;

/*
 * error: 0 or negative errno (-EPIPE: the relay is gone, -ETIMEDOUT); text: one sentence, or NULL.
 */
typedef void (*NrReply)(int error, const char *text, gpointer data);

typedef struct {
    void (*ready)(gpointer data);                     /* greeted and dumped: the model is whole */
    void (*changed)(gpointer data);                   /* an endpoint or a port of a ready link */
    void (*replaced)(const char *how, gpointer data); /* its forwarder: how the last one ended */
    /* It gives something to be kept (port_id: of a connection), which is the callee's. */
    void (*deposited)(enum ctl_deposit what, guint32 port_id, int fd, gpointer data);
    void (*port_gone)(guint32 port_id, gpointer data); /* also while the link is not ready */
    /* The last call of all; every open request has been answered before. */
    void (*ended)(int error, gpointer data);
} NrRelayLinkEvents;

/* Takes the connected socket. */
NrRelayLink *nr_relay_link_new(int sock, const NrRelayLinkEvents *events, gpointer data);
/* Answers what is open with -EPIPE; `ended` is not called. */
void nr_relay_link_free(NrRelayLink *link);

gboolean nr_relay_link_is_ready(const NrRelayLink *link);
/* Borrowed; its name is NULL before the greeting. */
const NrActualNetwork *nr_relay_link_network(const NrRelayLink *link);

/* Whose connections a listener admits; borrowed. */
typedef struct {
    const uid_t *users; /* of processes of this host */
    guint n_users;
    const char *const *hosts; /* others: as prefix.h has them, NULL-terminated; NULL is none */
} NrAdmit;

/* pass_fd stays the caller's; admit: NULL where all are. */
void nr_relay_link_attach(NrRelayLink *link, const char *endpoint, const char *label, int pass_fd,
                          const NrAdmit *admit, NrReply reply, gpointer data);
void nr_relay_link_detach(NrRelayLink *link, guint32 endpoint_id, NrReply reply, gpointer data);
void nr_relay_link_close_port(NrRelayLink *link, guint32 port_id, NrReply reply, gpointer data);
void nr_relay_link_label_port(NrRelayLink *link, guint32 port_id, const char *label, NrReply reply,
                              gpointer data);
/* A held one takes part from here on, with these options; NULL: no label yet, its listener's
 * options. */
void nr_relay_link_admit_port(NrRelayLink *link, guint32 port_id, const char *label,
                              const char *options, NrReply reply, gpointer data);
void nr_relay_link_set_options(NrRelayLink *link, guint32 port_id, const char *options,
                               NrReply reply, gpointer data);
/* other: a connection to another relay's control socket; it stays the caller's. The answer is that
 * the port is leaving. */
void nr_relay_link_move_port(NrRelayLink *link, guint32 port_id, int other, NrReply reply,
                             gpointer data);
/* sock: bound, for the relay to listen on in place of its own; it stays the caller's. */
void nr_relay_link_listen(NrRelayLink *link, int sock, NrReply reply, gpointer data);
void nr_relay_link_stop(NrRelayLink *link, NrReply reply, gpointer data);
/* Reads everything anew, counters too. */
void nr_relay_link_refresh(NrRelayLink *link, NrReply reply, gpointer data);
/* The same without a deadline: answered when the relay answers again. */
void nr_relay_link_probe(NrRelayLink *link, NrReply reply, gpointer data);

#endif
