/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The elements that say what is beside the guests: <bridge>, <ip>, <forward>. */
#include "xml/network-reading.h"

#include <string.h>

#include "xml/ip-value.h"
#include "xml/user-network.h"
#include "xml/value.h"

#define IPS_MAX             32
#define NAT_NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"

gboolean nr_network_read_bridge(NrNetworkReading *reading)
{
    g_autofree char *name = nr_xml_attribute(reading->node, "name");
    g_autofree char *quoted = name ? nr_value_quote(name) : NULL;

    if (reading->network->bridge)
        return nr_network_refuse(reading, "given twice; one bridge was expected");
    if (!name)
        return nr_network_refuse(reading, "no name; the name of an existing bridge was expected");
    if (!nr_value_is_bridge_name(name))
        return nr_network_refuse(reading, "name %s: " NR_BRIDGE_NAME_EXPECTED " was expected",
                                 quoted);
    reading->network->bridge = g_steal_pointer(&name);
    return TRUE;
}

gboolean nr_network_read_ip(NrNetworkReading *reading)
{
    g_autofree char *address = nr_xml_attribute(reading->node, "address");
    g_autofree char *prefix = nr_xml_attribute(reading->node, "prefix");
    g_autofree char *netmask = nr_xml_attribute(reading->node, "netmask");
    g_autofree char *family = nr_xml_attribute(reading->node, "family");
    const NrIpAttributes ip = { address, prefix, netmask, family };
    GPtrArray *ips = reading->network->ips;
    g_autofree char *text = NULL;
    g_autofree char *fault = nr_ip_value(&ip, &text);

    if (fault)
        return nr_network_refuse(reading, "%s", fault);
    if (ips->len == IPS_MAX)
        return nr_network_refuse(reading, "too many; at most %d were expected", IPS_MAX);
    if (g_ptr_array_find_with_equal_func(ips, text, g_str_equal, NULL))
        return nr_network_refuse(reading, "%s is given twice", text);
    g_ptr_array_add(ips, text);
    return nr_network_read_ip_children(reading, g_steal_pointer(&text)); /* the list's */
}

static gboolean read_no_children(NrNetworkReading *reading)
{
    return nr_network_read_children(reading, NULL, 0, "with this mode nothing in <forward> was");
}

static gboolean read_nat(NrNetworkReading *reading)
{
    g_autofree char *ipv6 = nr_xml_attribute(reading->node, "ipv6");
    g_autofree char *quoted = ipv6 ? nr_value_quote(ipv6) : NULL;

    if (reading->has_nat)
        return nr_network_refuse(reading, "given twice; one was expected");
    reading->has_nat = TRUE;
    reading->network->nat_v6 = g_strcmp0(ipv6, "yes") == 0;
    return !ipv6 || reading->network->nat_v6 || strcmp(ipv6, "no") == 0 ||
           nr_network_refuse(reading, "ipv6 %s: yes or no was expected", quoted);
}

/* libvirt's <address> and <port> in it are not for us to choose: the kernel takes those of the
 * device that leads out. */
static const char *const nat_attributes[] = { "ipv6", NULL };
static const NrNetworkElement nat_elements[] = {
    { "nat", { nat_attributes, "ipv6 is" }, read_nat },
};

static gboolean read_nat_children(NrNetworkReading *reading)
{
    return nr_network_read_children(reading, nat_elements, G_N_ELEMENTS(nat_elements), "nat was");
}

/* libvirt's words. */
static const struct {
    const char *name;
    NrForward mode;
    gboolean dev; /* may name the way out */
    gboolean (*read_children)(NrNetworkReading *reading);
} modes[] = {
    { "none", NR_FORWARD_NONE, FALSE, read_no_children },
    { "route", NR_FORWARD_ROUTE, TRUE, read_no_children },
    { "nat", NR_FORWARD_NAT, TRUE, read_nat_children },
    { "bridge", NR_FORWARD_BRIDGE, TRUE, read_no_children },
    { "user", NR_FORWARD_USER, FALSE, nr_network_read_port_forwards },
};

/* "none, route or nat". New string. */
static char *modes_expected(void)
{
    GString *text = g_string_new(modes[0].name);

    for (guint i = 1; i < G_N_ELEMENTS(modes); i++)
        g_string_append_printf(text, "%s%s", i + 1 < G_N_ELEMENTS(modes) ? ", " : " or ",
                               modes[i].name);
    return g_string_free(text, FALSE);
}

static gboolean read_forward_dev(NrNetworkReading *reading, gboolean allowed)
{
    g_autofree char *dev = nr_xml_attribute(reading->node, "dev");
    g_autofree char *quoted = dev ? nr_value_quote(dev) : NULL;

    if (dev && !allowed)
        return nr_network_refuse(reading, "dev %s: with this mode no dev was expected", quoted);
    if (dev && !nr_value_is_bridge_name(dev))
        return nr_network_refuse(reading, "dev %s: " NR_BRIDGE_NAME_EXPECTED " was expected",
                                 quoted);
    reading->network->forward_dev = g_steal_pointer(&dev);
    return TRUE;
}

gboolean nr_network_read_forward(NrNetworkReading *reading)
{
    g_autofree char *mode = nr_xml_attribute(reading->node, "mode");
    g_autofree char *quoted = mode ? nr_value_quote(mode) : NULL;
    g_autofree char *expected = modes_expected();

    if (reading->has_forward)
        return nr_network_refuse(reading, "given twice; one was expected");
    reading->has_forward = TRUE;
    if (!mode)
        return nr_network_refuse(reading, "no mode; %s was expected", expected);
    for (guint i = 0; i < G_N_ELEMENTS(modes); i++) {
        if (strcmp(mode, modes[i].name) == 0) {
            reading->network->forward = modes[i].mode;
            return read_forward_dev(reading, modes[i].dev) && modes[i].read_children(reading);
        }
    }
    return nr_network_refuse(reading, "mode %s: %s was expected", quoted, expected);
}

/* The name becomes a word of nft(8), which would take another one for a pattern, say. */
static gboolean check_nat_name(NrNetworkReading *reading, const char *what, const char *name)
{
    g_autofree char *quoted = name ? nr_value_quote(name) : NULL;

    return !name || name[strspn(name, NAT_NAME_CHARACTERS)] == '\0' ||
           nr_network_refuse(reading,
                             "<forward mode='nat'> with the %s %s: a name of letters, digits, "
                             "'.', '_' and '-' was expected",
                             what, quoted);
}

static gboolean check_forward(NrNetworkReading *reading)
{
    const NrNetwork *network = reading->network;

    if (!nr_network_forwards(network))
        return TRUE;
    if (network->ips->len == 0)
        return nr_network_refuse(reading, "<forward> without an <ip>; <ip address='...'/> was "
                                          "expected: whom the guests take for their router");
    if (g_strcmp0(network->forward_dev, network->bridge) == 0)
        return nr_network_refuse(reading,
                                 "<forward dev='%s'> is the network's own bridge; the device that "
                                 "leads out was expected",
                                 network->forward_dev);
    return network->forward != NR_FORWARD_NAT ||
           (check_nat_name(reading, "bridge", network->bridge) &&
            check_nat_name(reading, "dev", network->forward_dev));
}

/* A device that becomes a member cannot be what it is a member of. */
static gboolean check_bridged(NrNetworkReading *reading)
{
    const NrNetwork *network = reading->network;

    if (network->forward != NR_FORWARD_BRIDGE)
        return TRUE;
    if (!network->bridge)
        return nr_network_refuse(reading, "mode 'bridge' without a <bridge>; <bridge name='...'/> "
                                          "was expected");
    if (nr_addressing_is_served(network->addressing))
        return nr_network_refuse(reading,
                                 "<dhcp> or <dns> with mode 'bridge': the LAN's own server "
                                 "gives addresses and names there; none was expected");
    return g_strcmp0(network->bridge, network->forward_dev) != 0 ||
           nr_network_refuse(reading, "dev is the <bridge> itself; the device that leads to the "
                                      "LAN was expected");
}

gboolean nr_network_check_ground(NrNetworkReading *reading)
{
    const NrNetwork *network = reading->network;
    g_autofree char *fault =
        network->forward == NR_FORWARD_USER ? nr_user_network_fault(network) : NULL;

    if (fault)
        return nr_network_refuse(reading, "%s", fault);
    if (network->forward != NR_FORWARD_USER && !network->bridge && network->ips->len > 0)
        return nr_network_refuse(
            reading, "<ip> without a <bridge>; <bridge name='...'/> was expected: the device that "
                     "gets the address (or <forward mode='user'/>)");
    return check_bridged(reading) && check_forward(reading) && nr_network_check_routes(reading);
}
