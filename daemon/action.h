/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One step from what exists to what should, as plain data. */
#ifndef NR_DAEMON_ACTION_H
#define NR_DAEMON_ACTION_H

#include <glib.h>

typedef enum {
    NR_ACTION_UNSERVE,     /* the network's dnsmasq ends */
    NR_ACTION_DETACH,      /* endpoint_id of network */
    NR_ACTION_SPAWN,       /* a relay for network */
    NR_ACTION_ATTACH,      /* endpoint to network */
    NR_ACTION_ENSLAVE,     /* the TAP `detail` of endpoint (a bridge) back into its bridge */
    NR_ACTION_SET_OPTIONS, /* `detail` to the port of a guest */
    NR_ACTION_MOVE,        /* the port of a guest to the network `detail` */
    NR_ACTION_LAY,         /* `ground`, which endpoint lacks */
    NR_ACTION_SERVE,       /* the network by a dnsmasq that is told `detail`, on `ground` */
    NR_ACTION_STOP,        /* the network's relay */
    NR_ACTION_LIFT,        /* `ground`, which nobody needs any more */
} NrActionKind;

typedef struct {
    NrActionKind kind;
    char *network;
    char *endpoint;      /* canonical text, or NULL; SET_OPTIONS, MOVE: the port's label */
    guint32 endpoint_id; /* DETACH, ENSLAVE */
    guint32 port_id;     /* SET_OPTIONS, MOVE */
    char *label;         /* ATTACH */
    char *admit;         /* ATTACH: of NrDesiredEndpoint */
    char *detail;        /* ENSLAVE: the TAP's name; SET_OPTIONS: the options; MOVE: a network;
                            SERVE: a configuration */
    gboolean named;      /* ATTACH, SPAWN: of NrDesiredEndpoint */
    int newest_id;       /* ATTACH */
    gboolean first;      /* DETACH, STOP: of an address that something new needs */
    GPtrArray *ground;   /* ATTACH: to be laid first, or NULL; LAY, LIFT: char * of host-change.h;
                            SERVE: what has to be there */
    GPtrArray *after;    /* ATTACH: names of networks that let go of an address first, or NULL */
} NrAction;

#define NR_ACTION_DNSMASQ "dnsmasq" /* the `endpoint` of SERVE */

NrAction *nr_action_new(NrActionKind kind, const char *network);
void nr_action_free(gpointer action); /* not NULL */
/* It takes away, and makes nothing. */
gboolean nr_action_takes(const NrAction *action);
/* A text of host-change.h, for a person: "give 192.168.9.1/24 to virbr9". New string. */
char *nr_action_change_words(const char *text);
/* One line for a person: "lab: listen on 127.0.0.1:12345". New string. */
char *nr_action_format(const NrAction *action);

#endif
