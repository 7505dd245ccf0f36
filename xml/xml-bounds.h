/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks at XML text before libxml2 does, so that what is too much costs nothing. Pure. */
#ifndef NR_XML_XML_BOUNDS_H
#define NR_XML_XML_BOUNDS_H

#include "xml/xml-reader.h"

/* FALSE: too deep, too many, a DTD, or a tag without end. Whether the text is well-formed is for
 * libxml2 to say. *ret_offset is the place of the fault, also for a message. */
gboolean nr_xml_bounds_check(const char *text, gsize length, const NrXmlBounds *bounds,
                             gsize *ret_offset, GError **error);

#endif
