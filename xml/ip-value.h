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

#endif
