/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xml/network-reading.h"

#include "xml/domain-xml.h"

gboolean nr_network_refuse(NrNetworkReading *reading, const char *format, ...)
{
    g_autofree char *place = nr_xml_place(reading->file, xmlGetLineNo(reading->node));
    g_autofree char *name = nr_xml_name(reading->node);
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(reading->error, NR_XML_ERROR, NR_XML_ERROR_INVALID, "%s: <%s>: %s", place, name,
                text);
    return FALSE;
}

gboolean nr_network_check_shape(NrNetworkReading *reading, const NrXmlShape *shape)
{
    long line;
    g_autofree char *fault = nr_xml_check_shape(reading->node, shape, &line);
    g_autofree char *place = fault ? nr_xml_place(reading->file, line) : NULL;

    if (fault)
        g_set_error(reading->error, NR_XML_ERROR, NR_XML_ERROR_INVALID, "%s: %s", place, fault);
    return !fault;
}

static gboolean read_child(NrNetworkReading *reading, const NrNetworkElement *elements, gsize count,
                           const char *expected)
{
    for (gsize i = 0; i < count; i++) {
        if (nr_xml_is(reading->node, NULL, elements[i].name))
            return nr_network_check_shape(reading, &elements[i].shape) && elements[i].read(reading);
    }
    return nr_network_refuse(reading, "not known here; %s expected", expected);
}

gboolean nr_network_read_children(NrNetworkReading *reading, const NrNetworkElement *elements,
                                  gsize count, const char *expected)
{
    const xmlNode *parent = reading->node;

    for (const xmlNode *node = parent->children; node; node = node->next) {
        reading->node = node;
        if (node->type == XML_ELEMENT_NODE && !read_child(reading, elements, count, expected))
            return FALSE;
    }
    reading->node = parent;
    return TRUE;
}
