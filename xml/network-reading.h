/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the readers of a network file's elements share. Each reads reading->node into the network;
 * FALSE: reading->error says why. */
#ifndef NR_XML_NETWORK_READING_H
#define NR_XML_NETWORK_READING_H

#include "xml/network.h"
#include "xml/xml-reader.h"

typedef struct {
    NrNetwork *network;
    const char *file;
    const xmlNode *node; /* being read, for messages */
    GError **error;
    gboolean has_forward, has_nat, has_dns, has_lease;
    NrDhcp *dhcp;                /* inside an <ip>; without lists before its <dhcp> */
    NrDnsHost *host;             /* inside a <host> of <dns> */
    NrPortForward *port_forward; /* inside a <portForward> */
} NrNetworkReading;

/* An element that may stand somewhere: its row in a table. */
typedef struct {
    const char *name;
    NrXmlShape shape;
    gboolean (*read)(NrNetworkReading *reading);
} NrNetworkElement;

/* "lab.xml:4: <ip>: ..."; returns FALSE. */
gboolean G_GNUC_PRINTF(2, 3) nr_network_refuse(NrNetworkReading *reading, const char *format, ...);
gboolean nr_network_check_shape(NrNetworkReading *reading, const NrXmlShape *shape);
/* The elements in reading->node, each by its row in the table; expected is for messages: "range or
 * host was". reading->node is the same afterwards. */
gboolean nr_network_read_children(NrNetworkReading *reading, const NrNetworkElement *elements,
                                  gsize count, const char *expected);

/* network-xml-ground.c: what is asked of the host's kernel */
gboolean nr_network_read_bridge(NrNetworkReading *reading);
gboolean nr_network_read_forward(NrNetworkReading *reading);
gboolean nr_network_read_ip(NrNetworkReading *reading);
/* When all has been read: do they go together? reading->node is the root. */
gboolean nr_network_check_ground(NrNetworkReading *reading);

/* network-xml-route.c */
gboolean nr_network_read_route(NrNetworkReading *reading);
gboolean nr_network_check_routes(NrNetworkReading *reading);

/* network-xml-user.c: what is done without the kernel; of a <forward> its <portForward> */
gboolean nr_network_read_port_forwards(NrNetworkReading *reading);

/* network-xml-dhcp.c: what guests are told; of an <ip>, whose text is given, its <dhcp> */
gboolean nr_network_read_ip_children(NrNetworkReading *reading, const char *ip);
gboolean nr_network_read_domain(NrNetworkReading *reading);
gboolean nr_network_read_dns(NrNetworkReading *reading);
gboolean nr_network_check_addressing(NrNetworkReading *reading);

#endif
