/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A snapshot of what exists: the live relays, their endpoints and ports. Plain data. */
#ifndef NR_DAEMON_ACTUAL_H
#define NR_DAEMON_ACTUAL_H

#include <glib.h>
#include "common/ctl-proto.h"

#define NR_ACTUAL_SOCKET_MAX 38 /* "32 hex digits.sock" and its NUL */

typedef struct {
    guint32 id;
    char *text; /* canonical */
    char *label;
    enum ctl_endpoint_state state;
    char *admit;     /* a listener's: other hosts, a blank between; NULL is none */
    char *detail;    /* a TAP's name; why a dialer is not through; whom a listener refused last */
    guint64 since;   /* of the state, in seconds since the epoch */
    guint64 refused; /* a listener's: connections of hosts that it does not admit */
    gboolean astray; /* a TAP of ours that is not in its bridge, or not up */
    gboolean groundless; /* not all that it is to stand on has been made, see ground-rules.h */
} NrActualEndpoint;

typedef struct {
    guint32 id;
    guint32 endpoint; /* id */
    char *label;      /* "UUID/MAC", or NULL while unknown */
    char *local, *peer, *detail;
    char *options; /* as port-options.h has them, or NULL */
    char *source;  /* the address of its first frame, or NULL */
    enum ctl_port_state state;
    guint64 since; /* seconds since the epoch */
    guint64 rx_frames, rx_bytes, tx_frames, tx_bytes, drops, queued;
} NrActualPort;

typedef struct {
    char *name;
    pid_t pid;            /* the keeper */
    pid_t forwarder;      /* who has taken over all ports; 0: nobody yet, as of the last dump */
    gboolean mute;        /* it does not answer: this is what it had when it did */
    GPtrArray *endpoints; /* NrActualEndpoint */
    GPtrArray *ports;     /* NrActualPort */
} NrActualNetwork;

/* What was changed in the host's kernel, and is to be taken back once nobody needs it. */
typedef struct {
    char *change;  /* as host-change.h has it */
    char *network; /* for which it was made first */
    gboolean done; /* else its making was interrupted */
    gboolean kept; /* others use it, so it cannot be taken back yet */
} NrActualChange;

/* A dnsmasq of ours. */
typedef struct {
    char *network;
    char *conf;
    gboolean astray; /* the bridge that it serves is not what it was */
} NrActualService;

typedef struct {
    GPtrArray *networks; /* NrActualNetwork */
    GPtrArray *services; /* NrActualService */
    GPtrArray *changes;  /* NrActualChange, in the order in which they were made */
} NrActual;

NrActual *nr_actual_new(void);
void nr_actual_free(NrActual *actual);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NrActual, nr_actual_free)
NrActualNetwork *nr_actual_network_new(const char *name, pid_t pid);
void nr_actual_network_free(NrActualNetwork *network);
NrActualNetwork *nr_actual_network_copy(const NrActualNetwork *network);
NrActualEndpoint *nr_actual_endpoint_new(guint32 id, const char *text);
void nr_actual_endpoint_free(NrActualEndpoint *endpoint);
NrActualPort *nr_actual_port_new(guint32 id, guint32 endpoint);
void nr_actual_port_free(NrActualPort *port);
NrActualChange *nr_actual_change_new(const char *change, const char *network);
NrActualService *nr_actual_service_new(const char *network, const char *conf);
/* Borrowed, or NULL. */
NrActualService *nr_actual_service(const NrActual *actual, const char *network);
/* The name of a relay's control socket follows from its network's by a checksum: names are data. */
void nr_actual_socket_name(const char *network, char ret[NR_ACTUAL_SOCKET_MAX]);
/* The open port of the guest's NIC with this label; borrowed, or NULL. network may be NULL. */
NrActualPort *nr_actual_port_labelled(const NrActualNetwork *network, const char *label);
NrActualNetwork *nr_actual_find(const NrActual *actual, const char *name); /* borrowed, or NULL */

#endif
