/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A network as its file defines it. Plain data, read by network-xml.c. */
#ifndef NR_XML_NETWORK_H
#define NR_XML_NETWORK_H

#include "xml/addressing.h"
#include "xml/guest.h"

/* <match domain='web-*' type='udp' address='127.0.0.1' port='5000-5099'/>: which NICs are meant.
 * The address and port are those libvirt's <source> element has. A NULL or 0 member matches all. */
typedef struct {
    char *domain; /* glob over the guest's name (GPatternSpec) */
    int kind;     /* NrNicKind, or -1 */
    char *host;
    guint16 port_low, port_high;
    NrPin pin; /* for those; says more than the network's */
} NrMatch;

/* <multicast address='230.0.0.1' port='1234' dev='lo'/>: a group that the network is one with. */
typedef struct {
    NrAddress address; /* first: a list of groups can be read as one of addresses */
    char *dev;         /* where it is joined; NULL: where the route to it leads */
} NrGroup;

/* <portForward> with one <range>: ports of the host that lead to a guest's. */
typedef struct {
    gboolean udp;
    char *address;      /* the host's, or NULL: all it has */
    char *to;           /* the guest's, or NULL: the first that is given */
    guint16 start, end; /* of the host, both included */
    guint16 to_start;   /* the guest's for `start` */
} NrPortForward;

/* <route address='192.0.2.10' proxy='yes'/>: an address behind the bridge that is in no <ip>'s
 * subnet. */
typedef struct {
    char *destination; /* "192.0.2.10/32" */
    char *gateway;     /* the guest that leads there, or NULL */
    gboolean proxy;    /* the host answers for it where the way out is */
} NrRoute;

void nr_route_free(gpointer route);

/* <forward mode='...' dev='eth0'/>: what is behind the network. */
typedef enum {
    NR_FORWARD_NONE,   /* nothing: guests and their host */
    NR_FORWARD_ROUTE,  /* what the host can reach: it passes on what comes in by either side */
    NR_FORWARD_USER,   /* what the relay's user reaches, without a bridge and without privilege */
    NR_FORWARD_NAT,    /* as ROUTE, but what guests send leaves with the host's own address */
    NR_FORWARD_BRIDGE, /* a LAN: the bridge gets dev and its addresses, or is there and has one */
} NrForward;

typedef struct {
    char *name;         /* [A-Za-z0-9][A-Za-z0-9_.-]{0,63} */
    char *file;         /* where it was read, or NULL */
    GPtrArray *listens; /* NrAddress, heap */
    GPtrArray *udps;    /* NrAddress, heap: <udp>: our side of udp NICs */
    char *bridge;       /* kernel bridge, or NULL; one with addresses is made if it is not there */
    NrForward forward;
    char *forward_dev;        /* the device that leads out, or NULL: any */
    gboolean nat_v6;          /* NR_FORWARD_NAT: of IPv6, too, which is routed otherwise */
    GPtrArray *routes;        /* NrRoute */
    GPtrArray *ips;           /* char *: <ip>: the host's addresses on it, "192.168.9.1/24";
                           NR_FORWARD_USER: the gateway's */
    NrAddressing *addressing; /* what guests are told, or NULL: nothing */
    GPtrArray *port_forwards; /* NrPortForward */
    GPtrArray *peers;         /* NrAddress, heap: <peer>: relays of other hosts, to be dialled */
    GPtrArray *groups;        /* NrGroup: <multicast> */
    GPtrArray *matches;       /* NrMatch */
    NrPin pin;                /* for all that do not say otherwise */
    gboolean stopped;         /* a person has stopped it: no file says so */
} NrNetwork;

NrPortForward *nr_port_forward_copy(const NrPortForward *forward);
void nr_port_forward_free(NrPortForward *forward);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NrPortForward, nr_port_forward_free)

/* It takes its way out, and with it this host's own addresses, into its bridge. */
gboolean nr_network_takes_uplink(const NrNetwork *network);
NrNetwork *nr_network_new(void);
void nr_network_free(NrNetwork *network);
/* This host's kernel passes on what guests send to others, and back. */
gboolean nr_network_forwards(const NrNetwork *network);
/* How the subnet of one of its addresses is masqueraded, as net/nat.h has it, such as
 * "192.168.9.1/24,eth0". way: the one way out, or NULL. New string; NULL: it is not. */
char *nr_network_nat_value(const NrNetwork *network, const char *ip, const char *way);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NrNetwork, nr_network_free)

#endif
