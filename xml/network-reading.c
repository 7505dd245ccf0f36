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
