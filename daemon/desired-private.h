/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of one decision, for desired*.c only. desired.c collects the NICs as cases;
 * desired-claims.c knows which network a person named for a case; desired-rules.c decides each
 * case; desired-options.c says what its port may; desired-endpoints.c makes networks of all,
 * and desired-ground.c says what they need of the host.
 */
#ifndef NR_DAEMON_DESIRED_PRIVATE_H
#define NR_DAEMON_DESIRED_PRIVATE_H

#include "daemon/desired.h"
#include "daemon/place.h"

/* A network in the making. */
typedef struct {
    NrDesiredNetwork *network;
    const NrNetwork *file; /* or NULL */
    char *uplink;          /* of metadata's: the endpoint that it is there for; or NULL */
    struct NrCase *tenant; /* whose own it is, or NULL */
    GHashTable *endpoints; /* text -> NrDesiredEndpoint, borrowed */
    gboolean held;         /* a running guest's connection is in it, whatever endpoints it has */
} NrSegment;

/* One NIC under decision. */
typedef struct NrCase {
    NrGuest *guest;     /* borrowed */
    NrNic *nic;         /* borrowed */
    NrBinding *binding; /* borrowed; what is decided */
    gboolean decided;
    gboolean active;
    gint64 rank;    /* in the order of starts; merely defined guests come last */
    guint position; /* in the order of the bindings */
    NrPlaceResult result;
    const char *unresolved; /* the host name behind a result that is not FOUND */
    NrPlace source;         /* libvirt's <source>, as written */
    NrPlace ours;           /* never a wildcard: who dials 0.0.0.0 comes out at 127.0.0.1 */
    NrPlace theirs;         /* may be one */
    NrSegment *claim;       /* the network that a person named for it, or NULL */
    const NrMatch *rule;    /* of that network's file, by which it is named; or NULL */
    NrPin pin;              /* what that network, or its rule, says */
} NrCase;

/* Whose an address of our side is. */
typedef struct {
    NrSegment *segment;
    NrCase *holder; /* NULL: the network's own file */
} NrOwner;

typedef struct {
    const NrDesiredInput *input;
    GHashTable *local;    /* this host's addresses */
    GHashTable *segments; /* name -> NrSegment, owns */
    GPtrArray *cases;     /* NrCase, in the order of the bindings, owns */
    GPtrArray *by_start;  /* the same in the order of starts, servers before others, borrowed */
    /* NrCase by place, each group in the order of starts; only what has good addresses. */
    NrPlaceIndex *dials;   /* DIALS by ours */
    NrPlaceIndex *listens; /* LISTENS by theirs */
    NrPlaceIndex *sends;   /* UDP by ours */
    NrPlaceIndex *binds;   /* UDP by theirs */
    /* NrOwner by place: no address ever gets two networks. */
    NrPlaceIndex *tcp_owners;
    NrPlaceIndex *udp_owners;
    GPtrArray *owners; /* NrOwner, owns */
    /* What the network files say (desired-claims.c). */
    NrPlaceIndex *file_listens; /* NrSegment by <listen> */
    NrPlaceIndex *file_udps;    /* NrSegment by <udp> */
    NrPlaceIndex *file_groups;  /* NrSegment by <multicast> */
    GHashTable *pending;        /* kind and port of file addresses that are being resolved */
    GPtrArray *rules;           /* <match> in order, owns */
} NrDecision;

/* --- desired.c */
NrSegment *nr_decision_segment(NrDecision *decision, const char *name, NrOrigin origin);
void nr_decision_own(NrDecision *decision, NrPlaceIndex *owners, const NrPlace *place,
                     NrSegment *segment, NrCase *holder);
/* An address of this host. */
gboolean nr_decision_is_local(const NrDecision *decision, const NrPlace *place);
/* a's guest runs or is about to, and started before b's. */
gboolean nr_case_starts_before(const NrCase *a, const NrCase *b);
/* The guest's QEMU holds, or will in a moment, the addresses of its side. */
gboolean nr_case_binds(const NrCase *c);

/* --- desired-claims.c */
typedef enum {
    NR_CLAIM_NONE,
    NR_CLAIM_NETWORK,   /* c->claim */
    NR_CLAIM_REFUSED,   /* *ret_reason: cause and what to do */
    NR_CLAIM_RESOLVING, /* a file's host name may be this NIC's address */
} NrClaimKind;

void nr_claims_load(NrDecision *decision);
/* The network that is in the NIC's multicast group, or NULL. */
NrSegment *nr_claims_group(const NrDecision *decision, const NrCase *c);
NrClaimKind nr_claims_find(NrDecision *decision, NrCase *c, char **ret_reason);
/* Why we are not to have the address that this guest asks for: what of it is said in no network
 * file, and not allowed. New string; NULL: we may. */
char *nr_claims_place_fault(const NrDecision *decision, const NrCase *c);

/* --- desired-rules.c */
void nr_rules_decide(NrDecision *decision);

/* --- desired-options.c */
void nr_options_decide(NrDecision *decision);

/* --- desired-ground.c */
/* What the file's bridge stands on, in the endpoint. NULL: it is there, and stays as it is. */
void nr_ground_of_file(const NrDecision *decision, const NrNetwork *file,
                       NrDesiredEndpoint *endpoint);

/* --- desired-endpoints.c */
/* The networks that are wanted become desired's; after all cases are decided. */
void nr_endpoints_hand_out(NrDecision *decision, NrDesired *desired);

#endif
