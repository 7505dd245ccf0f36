/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What stands in <forward mode='user'>: <portForward>, with the words of libvirt's interfaces. */
#include "xml/network-reading.h"

#include <string.h>

#include "xml/user-network.h"
#include "xml/value.h"

static gboolean read_proto(NrNetworkReading *reading, gboolean *ret_udp)
{
    g_autofree char *text = nr_xml_attribute(reading->node, "proto");
    g_autofree char *quoted = text ? nr_value_quote(text) : NULL;

    if (!text)
        return nr_network_refuse(reading, "no proto; tcp or udp was expected");
    *ret_udp = strcmp(text, "udp") == 0;
    return *ret_udp || strcmp(text, "tcp") == 0 ||
           nr_network_refuse(reading, "proto %s: tcp or udp was expected", quoted);
}

/* *ret: new string, or NULL where there is no such attribute. */
static gboolean read_ipv4(NrNetworkReading *reading, const char *name, char **ret)
{
    g_autofree char *text = nr_xml_attribute(reading->node, name);
    g_autofree char *quoted = text ? nr_value_quote(text) : NULL;

    *ret = NULL;
    return !text || nr_value_host(text, ret) == NR_HOST_IPV4 ||
           nr_network_refuse(reading, "%s %s: an IPv4 address was expected", name, quoted);
}

/* Without the attribute *ret stays. */
static gboolean read_l4_port(NrNetworkReading *reading, const char *name, guint16 *ret)
{
    g_autofree char *text = nr_xml_attribute(reading->node, name);
    g_autofree char *quoted = text ? nr_value_quote(text) : NULL;

    return !text || nr_value_l4_port(text, ret) ||
           nr_network_refuse(reading, "%s %s is not " NR_L4_PORT_EXPECTED, name, quoted);
}

static gboolean read_range(NrNetworkReading *reading)
{
    NrPortForward *range = nr_port_forward_copy(reading->port_forward);

    g_ptr_array_add(reading->network->port_forwards, range);
    if (!read_l4_port(reading, "start", &range->start))
        return FALSE;
    if (range->start == 0)
        return nr_network_refuse(reading, "no start; " NR_L4_PORT_EXPECTED " was expected");
    range->end = range->start;
    range->to_start = range->start;
    if (!read_l4_port(reading, "end", &range->end) ||
        !read_l4_port(reading, "to", &range->to_start))
        return FALSE;
    if (range->end < range->start)
        return nr_network_refuse(reading, "end %u: %u or more was expected", range->end,
                                 range->start);
    return range->to_start + (range->end - range->start) <= G_MAXUINT16 ||
           nr_network_refuse(reading, "to %u: the guest's last port would be beyond 65535",
                             range->to_start);
}

static const char *const range_attributes[] = { "start", "end", "to", NULL };
static const NrNetworkElement forward_elements[] = {
    { "range", { range_attributes, "start, end and to are" }, read_range },
};

static gboolean read_port_forward(NrNetworkReading *reading)
{
    g_autoptr(NrPortForward) forward = g_new0(NrPortForward, 1);
    const GPtrArray *all = reading->network->port_forwards;
    guint before = all->len;
    gboolean good;

    reading->port_forward = forward;
    good = read_proto(reading, &forward->udp) && read_ipv4(reading, "address", &forward->address) &&
           read_ipv4(reading, "to", &forward->to) &&
           nr_network_read_children(reading, forward_elements, G_N_ELEMENTS(forward_elements),
                                    "range was");
    reading->port_forward = NULL;
    return good &&
           (all->len > before || nr_network_refuse(reading, "no <range> in it; one was expected"));
}

static const char *const forward_attributes[] = { "proto", "address", "to", NULL };
static const NrNetworkElement user_elements[] = {
    { "portForward",
      { forward_attributes, "proto, address and to are", .children = TRUE },
      read_port_forward },
};

gboolean nr_network_read_port_forwards(NrNetworkReading *reading)
{
    return nr_network_read_children(reading, user_elements, G_N_ELEMENTS(user_elements),
                                    "portForward was");
}
