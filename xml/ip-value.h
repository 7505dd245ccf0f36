/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An address of this host with its prefix, from the attributes of <ip>. Pure. */
#ifndef NR_XML_IP_VALUE_H
#define NR_XML_IP_VALUE_H

#include <glib.h>

/* As in XML; NULL is an attribute that is not there. */
typedef struct {
    const char *address, *prefix, *netmask, *family;
} NrIpAttributes;

/* NULL, and *ret is "192.168.9.1/24" (new string); or what is wrong and what was expected (new
 * string). */
char *nr_ip_value(const NrIpAttributes *ip, char **ret);

/* The prefix of "192.168.9.1/24", as nr_ip_value() gives it, and its family. */
guint nr_ip_prefix(const char *ip);
gboolean nr_ip_is_v6(const char *ip);
/* The first address of its subnet (new string). */
char *nr_ip_subnet(const char *ip);
/* An address without prefix as inet_ntop() writes it (new string), or NULL: it is none. */
char *nr_ip_plain(const char *text);
/* Can another host of ip's subnet have this address? As nr_ip_plain() gives it. */
gboolean nr_ip_is_neighbour(const char *ip, const char *plain);
/* Of two addresses of one family, as nr_ip_plain() gives them: is a before b? */
gboolean nr_ip_is_before(const char *a, const char *b);

#endif
