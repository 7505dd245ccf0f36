/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What may stand in an attribute: the one place that says which texts are a port number, a host, a
 * name. Pure. */
#ifndef NR_XML_VALUE_H
#define NR_XML_VALUE_H

#include <glib.h>
#include "xml/guest.h"

typedef enum {
    NR_HOST_NONE, /* not an address and not a host name */
    NR_HOST_IPV4,
    NR_HOST_IPV6,
    NR_HOST_NAME,
} NrHostKind;

#define NR_L4_PORT_EXPECTED "a number from 1 to 65535"
#define NR_NETWORK_NAME_EXPECTED                                                                   \
    "a name of 1 to 64 letters, digits, '_', '.' or '-' that begins with a letter or digit"
#define NR_BRIDGE_NAME_EXPECTED "an interface name of 1 to 15 characters without blanks, '/' or ':'"

#define NR_PEER_EXPECTED                                                                           \
    "a host and a port such as hostb.example:12345, 10.0.0.2:12345 or [2001:db8::2]:12345"
#define NR_PEER_HOST_EXPECTED "an address or name of another host"

/* Decimal digits and nothing else, 1-65535; *ret is untouched otherwise. */
gboolean nr_value_l4_port(const char *text, guint16 *ret);
/*
 * *ret becomes the text to compare by (new string): an address as inet_ntop() writes it, a name in
 * lower case; NULL for NR_HOST_NONE. QEMU and the resolver both take a text that begins with a
 * digit for an IPv4 address in any of inet_aton()'s spellings, so "127.1" is 127.0.0.1 here too.
 */
NrHostKind nr_value_host(const char *text, char **ret);
/* Of an address as nr_value_host() gives it. */
gboolean nr_value_is_group(const char *ipv4);
/* One that can be dialled, as nr_value_host() gives it: no wildcard and no group. */
gboolean nr_value_is_one_host(const char *host);
/* Another host's relay. NULL, and *ret is "HOST:PORT" to compare by (new string), with an IPv6
 * address in brackets; or what was expected. */
const char *nr_value_peer(const char *text, char **ret);
gboolean nr_value_is_network_name(const char *text);
/* By the kernel's rules, and ASCII: nobody can type or see the others. */
gboolean nr_value_is_bridge_name(const char *text);
/* A name that can stand in the DNS as it is, with or without a domain behind it. */
#define NR_DNS_NAME_EXPECTED "a name of letters, digits, '-' and dots, such as web-1,"
gboolean nr_value_is_dns_name(const char *text);
/* The text for a sentence: printable, and cut short. New strings. */
char *nr_value_shown(const char *text);
/* The same, in quotes unless it is a plain number. */
char *nr_value_quote(const char *text);

/* "yes" or "no". */
gboolean nr_value_pin(const char *text, NrPin *ret);

#endif
