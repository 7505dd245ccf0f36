/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a network tells its guests: addresses, by DHCP and router advertisements, and names, by DNS.
 * Plain data, complete before anybody else has it, and not changed any more. */
#ifndef NR_XML_ADDRESSING_H
#define NR_XML_ADDRESSING_H

#include <glib.h>

#define NR_LEASE_DEFAULT_S 3600

/* <range start='192.168.9.2' end='192.168.9.99'><lease expiry='2' unit='hours'/></range> */
typedef struct {
    char *start, *end; /* inet_ntop() text */
    guint lease_s;     /* 0: for ever */
} NrDhcpRange;

/* <host mac='52:54:00:00:00:01' name='web' ip='192.168.9.10'/> */
typedef struct {
    char *mac;  /* NULL: it is known by its name */
    char *name; /* or NULL; not both */
    char *ip;   /* inet_ntop() text */
} NrDhcpHost;

/* The <dhcp> of an <ip>. Without ranges and hosts, which only one of IPv6 may be, the subnet is
 * announced, and guests make their addresses themselves. */
typedef struct {
    char *ip;          /* "192.168.9.1/24" */
    GPtrArray *ranges; /* NrDhcpRange */
    GPtrArray *hosts;  /* NrDhcpHost */
} NrDhcp;

/* <host ip='192.168.9.1'><hostname>gateway</hostname></host> */
typedef struct {
    char *ip;         /* inet_ntop() text */
    GPtrArray *names; /* char *, one at least */
} NrDnsHost;

typedef struct {
    GPtrArray *dhcps;      /* NrDhcp */
    gboolean dns;          /* <dns> is there, and not switched off */
    gboolean no_dns;       /* it is switched off, whatever else there is */
    char *domain;          /* what the guests' names end in, or NULL */
    gboolean domain_local; /* nobody else is asked for names in it */
    GPtrArray *dns_hosts;  /* NrDnsHost */
    GPtrArray *forwarders; /* char *, inet_ntop() text: who is asked; none: whom the host asks */
} NrAddressing;

NrAddressing *nr_addressing_new(void);
NrAddressing *nr_addressing_ref(NrAddressing *addressing);
void nr_addressing_unref(NrAddressing *addressing); /* may be NULL */

/* It asks for a server: a domain alone has nobody to be told. May be NULL. */
gboolean nr_addressing_is_served(const NrAddressing *addressing);

/* Empty, and owned by the list that they are put into. */
NrDhcp *nr_dhcp_add(NrAddressing *addressing, const char *ip);
NrDhcpRange *nr_dhcp_range_add(NrDhcp *dhcp);
NrDhcpHost *nr_dhcp_host_add(NrDhcp *dhcp);
NrDnsHost *nr_dns_host_add(NrAddressing *addressing);

#endif
