/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What there is to tell of, as facts: each is about one thing (a guest, a connection, a fault), is
 * in one state, and lasts from view to view. All of it follows from what the status shows, so no
 * event says what the status does not. Pure.
 */
#ifndef NR_DAEMON_VIEW_H
#define NR_DAEMON_VIEW_H

#include "daemon/actual.h"
#include "daemon/desired.h"

typedef enum {
    NR_FACT_LIBVIRT,
    NR_FACT_NETWORK,
    NR_FACT_RELAY,
    NR_FACT_GUEST,
    NR_FACT_NIC,    /* a connection of a guest, or of somebody unknown */
    NR_FACT_TUNNEL, /* an endpoint that the network dials for itself */
    NR_FACT_BRIDGE,
    NR_FACT_FAULT, /* what the doctor would tell */
} NrFactKind;

typedef enum {
    NR_STATE_NONE, /* there is no such fact */
    NR_STATE_UP,
    NR_STATE_DOWN,    /* of libvirt: not connected; of a network: a person has stopped it */
    NR_STATE_DEFINED, /* of a guest */
    NR_STATE_ANNOUNCED,
    NR_STATE_RUNNING,
    NR_STATE_PENDING, /* of a fault: it may pass by itself, so it is not told yet */
} NrFactState;

typedef struct {
    NrFactKind kind;
    NrFactState state;
    char *version;     /* another one in the same state is a change, too */
    GVariant *details; /* a{sv}: text s, and of network s, guest s ... what is known */
    gint64 since_ms;   /* of the state */
} NrFact;

typedef struct {
    GHashTable *facts;  /* key -> NrFact */
    gboolean listed;    /* libvirt has told all of its guests */
    gboolean pending;   /* some fact is: another look is due NR_VIEW_DEAF_MS later */
    GHashTable *places; /* "network port" -> key of the connection that is there */
} NrView;

/* Everything borrowed. */
typedef struct {
    GVariant *rows;      /* aa{sv}: of the status */
    GVariant *findings;  /* aa{sv}: of nr_examine() */
    const char *libvirt; /* the connection's state, as the status has it */
    GVariant *faults;    /* as: files that are refused */
    const NrActual *actual;
    const NrDesired *desired;
    const GPtrArray *networks; /* NrNetwork */
    gboolean listed;
    gint64 now_ms;
} NrViewInput;

/* A guest that runs without a connection for so long is deaf: QEMU dials before it runs. */
#define NR_VIEW_DEAF_MS 5000

/* before: the view before this one, or NULL; states that last keep the time when they began. */
NrView *nr_view_new(const NrViewInput *input, const NrView *before);
void nr_view_free(NrView *view);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NrView, nr_view_free)
/* The relay is told of by itself: it is forgotten, so that its end is no event. */
void nr_view_forget_relay(NrView *view, const char *network);

#endif
