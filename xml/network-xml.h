/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A network file's text -> NrNetwork, by the grammar of network.rng. */
#ifndef NR_XML_NETWORK_XML_H
#define NR_XML_NETWORK_XML_H

#include "xml/network.h"

#define NR_NETWORK_XML_MAX (1024 * 1024) /* bytes */

/* file is for messages only ("lab.xml:4: <bridge>: ..."). Domain NR_XML_ERROR. */
NrNetwork *nr_network_xml_parse(const char *text, gsize length, const char *file, GError **error);

#endif
