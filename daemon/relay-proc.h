/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One relay: a keeper process of ours, started here or found alive, and the link to it. It outlives
 * us; only nr_relay_stop() ends it. A keeper that does not answer is left alone and never replaced
 * while it lives: it holds guests' connections.
 */
#ifndef NR_DAEMON_RELAY_PROC_H
#define NR_DAEMON_RELAY_PROC_H

#include "daemon/relay-link.h"
#include "daemon/store.h"

#define NR_RELAY_START_MS 5000 /* for a new relay's greeting */
#define NR_RELAY_STOP_MS  3000 /* for its end after STOP; then it is killed */
#define NR_RELAY_USERS    3

typedef enum {
    NR_RELAY_STARTING, /* spawned, or found: its greeting is waited for */
    NR_RELAY_READY,
    NR_RELAY_MUTE,     /* lives and does not answer (stopped?): waited for without end */
    NR_RELAY_STOPPING, /* told to end */
    NR_RELAY_ENDED,    /* gone; free it */
} NrRelayState;

typedef struct NrRelay NrRelay;

/* What every relay of this manager has in common; borrowed for as long as relays live. */
typedef struct {
    int relays_fd;       /* the folder of their sockets */
    NrStore *store;      /* what they have deposited */
    const char *program; /* absolute path of netrelay */
    gboolean switch_user;
    uid_t uid; /* with switch_user */
    gid_t gid;
    uid_t users[NR_RELAY_USERS]; /* whose processes' connections may be admitted */
    guint n_users;
} NrRelaySettings;

typedef struct {
    void (*state)(NrRelay *relay, gpointer data); /* it has changed; may free the relay if ENDED */
    void (*changed)(NrRelay *relay, gpointer data); /* an endpoint or port of a READY relay */
    void (*replaced)(NrRelay *relay, const char *how, gpointer data); /* its forwarder */
} NrRelayEvents;

/*
 * Starts a process, which goes on with what the store has of its network. image: a descriptor of
 * the program's file; -1: the installed one. NULL, with one sentence in *ret_text (the caller's),
 * where that fails at once.
 */
NrRelay *nr_relay_spawn(const NrRelaySettings *settings, const char *network, int image,
                        const NrRelayEvents *events, gpointer data, char **ret_text);
/* Connects to a live one. NULL and a negative errno where nobody is behind the socket. */
NrRelay *nr_relay_adopt(const NrRelaySettings *settings, const char *socket_name,
                        const NrRelayEvents *events, gpointer data, int *ret_error);
/* The same over a connection to it, which becomes its own. */
NrRelay *nr_relay_adopt_over(const NrRelaySettings *settings, const char *socket_name, int sock,
                             const NrRelayEvents *events, gpointer data);
/* Lets go of it; the process goes on. */
void nr_relay_free(NrRelay *relay);

NrRelayState nr_relay_state(const NrRelay *relay);
const char *
nr_relay_name(const NrRelay *relay); /* the network, NULL before an adopted one's greeting */
const char *nr_relay_socket(const NrRelay *relay);
NrRelayLink *nr_relay_link(NrRelay *relay); /* borrowed; NULL before it is connected */
pid_t nr_relay_pid(const NrRelay *relay);
/* "its relay does not answer", and its pid where it is known. */
char *nr_relay_silence(const NrRelay *relay);
gint64 nr_relay_age_ms(const NrRelay *relay);
const char *nr_relay_end_text(const NrRelay *relay); /* ENDED: how, one sentence */
/* Another connection to its control socket, or negative errno. */
int nr_relay_connect(const NrRelay *relay);
/* Another connection to it, on which nobody can change anything: to be given away. The descriptor
 * is the caller's; or negative errno. */
int nr_relay_look(const NrRelay *relay);
/* Has the socket of one that is connected been taken away? */
gboolean nr_relay_lost_socket(const NrRelay *relay);
/* Gives it another one. 0 or negative errno. */
int nr_relay_renew_socket(NrRelay *relay);
/* A request was not answered: MUTE until it answers again. */
void nr_relay_mark_mute(NrRelay *relay);
/* Kills it: ENDED follows, and its guests' connections are for another relay to go on with. */
void nr_relay_kill(NrRelay *relay);
/* Asks it to end, and kills it if it does not: ENDED follows. */
void nr_relay_stop(NrRelay *relay);

#endif
