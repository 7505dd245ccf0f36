/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libvirt's domain XML -> NrGuest. No network, no entities, no DTD; size, depth and number of
 * interfaces bounded. A NIC that is wrong gets its `fault`; only XML that is no domain is an
 * error. */
#ifndef NR_XML_DOMAIN_XML_H
#define NR_XML_DOMAIN_XML_H

#include "xml/guest.h"

#define NR_DOMAIN_XML_MAX   (16 * 1024 * 1024) /* bytes */
#define NR_DOMAIN_DEPTH_MAX 64
#define NR_DOMAIN_NICS_MAX  1024

typedef enum {
    NR_XML_ERROR_MALFORMED, /* not well-formed, a DTD, an entity, broken UTF-8 */
    NR_XML_ERROR_LIMIT,     /* too large, too deep, too many */
    NR_XML_ERROR_INVALID,   /* well-formed, but not what was expected */
} NrXmlError;
#define NR_XML_ERROR (nr_xml_error_quark())
GQuark nr_xml_error_quark(void);

/* The state becomes NR_GUEST_DEFINED; the caller knows better. text need not end with a NUL. */
NrGuest *nr_domain_xml_parse(const char *text, gsize length, GError **error);

#endif
