/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What should exist: guests x network files x policy -> a binding for every NIC, and networks with
 * their endpoints. A pure function: the rules of who meets whom are here and nowhere else.
 */
#ifndef NR_DAEMON_DESIRED_H
#define NR_DAEMON_DESIRED_H

#include "daemon/policy.h"
#include "xml/network.h"

/* A device of this host, as far as guests' frames may leave by it. */
typedef struct {
    char *name;
    char *bridge;                /* it is a member of, or NULL */
    gboolean leads_v4, leads_v6; /* a default route goes there */
    gboolean hears;              /* it takes addresses and routes from IPv6's routers */
    gboolean hears_always;       /* ... which does not end where this host is a router, too */
} NrDevice;

NrDevice *nr_device_new(const char *name);
void nr_device_free(gpointer device);

/* What the world contributes to the decision; everything borrowed. */
typedef struct {
    const GPtrArray *guests;   /* NrGuest, one for each UUID */
    const GPtrArray *networks; /* NrNetwork, all names different */
    const NrPolicy *policy;
    const char *const *addresses; /* this host's, inet_ntop() text, NULL-terminated */
    const GPtrArray *devices;     /* NrDevice: all of this host's; NULL: they are not known */
    /* Host name -> address text; "" where it does not resolve. A name that is not in it is still
     * being resolved. NULL is empty. */
    GHashTable *resolved;
} NrDesiredInput;

typedef enum {
    NR_BINDING_SERVED,      /* a network of ours has an endpoint for it */
    NR_BINDING_DIRECT,      /* two guests meet without us */
    NR_BINDING_REMOTE,      /* its address is another host's */
    NR_BINDING_UNCONNECTED, /* left alone; reason names the line that would connect it */
    NR_BINDING_IGNORED,     /* left alone because somebody said so, or not a socket NIC */
    NR_BINDING_RESOLVING,   /* waits for a host name */
    NR_BINDING_REFUSED,     /* cannot be: reason says why; refuses the start only if `named` */
} NrBindingKind;

typedef struct {
    NrGuest *guest; /* reference */
    NrNic *nic;     /* the guest's */
    char *label;    /* "UUID/MAC", as its port has it */
    NrBindingKind kind;
    gboolean named;    /* a network file or metadata names it: failure refuses the start */
    gboolean conflict; /* REFUSED, two active guests bind one address: refuses even if not named */
    char *network;     /* SERVED: the network's name */
    char *endpoint;   /* SERVED: canonical text of its endpoint (shared by all NICs that dial it) */
    char *options;    /* what its port is to have: see port-options.h; "": nothing */
    char *peer_guest; /* DIRECT: the other guest's name */
    char *stopped;    /* REFUSED: its network, which a person has stopped and that lets go of it */
    char *reason;     /* one sentence for a person, without full stop; NULL for SERVED */
} NrBinding;

typedef struct {
    char *text;        /* canonical endpoint text: the key within its network */
    gboolean named;    /* else implicit: an address in use is a foreign process's, left alone */
    char *admit;       /* LISTEN: other hosts, a blank between; NULL is none */
    GPtrArray *ground; /* char *, as host-change.h has them: what the host's kernel is to have for
                          it, in this order; or NULL */
    char *lacks;       /* why there is less of it than the file asks for: a sentence, or NULL */
    char *label;       /* "UUID/MAC" where exactly one NIC is behind it, else NULL */
    int newest_id;     /* highest domain id of the active guests behind it, -1 none: a foreign
                       address is tried again only when this grows */
} NrDesiredEndpoint;

typedef enum { NR_ORIGIN_FILE, NR_ORIGIN_METADATA, NR_ORIGIN_IMPLICIT } NrOrigin;

typedef struct {
    char *name; /* of the file; for metadata "bridge:br0", or "peer:52:54:00:12:34:56", which is
                   that one NIC's; implicit: "127.0.0.1:12345", or "udp:127.0.0.1:5601", whose
                   ports are not those of TCP */
    NrOrigin origin;
    GPtrArray *endpoints; /* NrDesiredEndpoint, in a stable order */
    char *dnsmasq;        /* what dnsmasq is told to do for it, or NULL: there is to be none */
    GPtrArray *served;    /* with it: the ground that it needs; the bridge's own */
} NrDesiredNetwork;

typedef struct {
    GPtrArray *networks; /* NrDesiredNetwork, by name */
    GPtrArray *stopped;  /* names of networks that a person has stopped, by name */
    GPtrArray *guarded;  /* char *, "127.0.0.1:5602": where only our side and other guests may send
                            by udp, by name; NULL: that is not asked for */
    GPtrArray *bindings; /* NrBinding, by guest's UUID, then XML order; socket NICs only */
} NrDesired;

NrDesired *nr_desired_new(const NrDesiredInput *input);
void nr_desired_free(NrDesired *desired);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NrDesired, nr_desired_free)
/* Host names to be resolved before the input is complete; new strings, NULL-terminated. */
char **nr_desired_hostnames(const GPtrArray *guests, const GPtrArray *networks);
const char *nr_binding_kind_name(NrBindingKind kind);
/* A network as a person knows it who may not have named it: "the network lab", "the bridge br0".
 * New string. */
char *nr_network_words(const char *name);
/* Whether both are of one guest and dial one listener of ours: which is which, the order tells. */
gboolean nr_binding_is_beside(const NrBinding *binding, const NrBinding *other);
/* Whether the guest's start is refused because of it. */
gboolean nr_binding_refuses_start(const NrBinding *binding);
/* The kind's name for a person: what cannot be, and yet refuses no start, is "faulty". */
const char *nr_binding_word(const NrBinding *binding);

#endif
