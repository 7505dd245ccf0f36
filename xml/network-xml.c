/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The same grammar as network.rng, but said to a person: a schema's messages do not tell what to
 * write instead. A test holds the two together. */
#include "xml/network-xml.h"

#include <string.h>

#include "common/prefix.h"
#include "xml/domain-xml.h"
#include "xml/value.h"
#include "xml/network-reading.h"

#define ADMIT_MAX 32 /* as many as a relay takes */

static const NrXmlBounds bounds = {
    .bytes = NR_NETWORK_XML_MAX,
    .depth = 8,
    .nodes = 50000,
    .attributes = 16,
};

static gboolean read_name(NrNetworkReading *reading)
{
    g_autofree char *text = nr_xml_text(reading->node);
    g_autofree char *quoted = nr_value_quote(text);

    if (reading->network->name)
        return nr_network_refuse(reading, "given twice; one name was expected");
    if (!nr_value_is_network_name(text))
        return nr_network_refuse(reading, "%s: " NR_NETWORK_NAME_EXPECTED " was expected", quoted);
    reading->network->name = g_steal_pointer(&text);
    return TRUE;
}

/* *ret_host: new string. */
static gboolean read_host(NrNetworkReading *reading, const char *text, gboolean ipv6,
                          char **ret_host)
{
    g_autofree char *quoted = nr_value_quote(text);
    NrHostKind kind = nr_value_host(text, ret_host);

    if (kind == NR_HOST_NONE)
        return nr_network_refuse(reading, "address %s: an IP address or a host name was expected",
                                 quoted);
    if (kind == NR_HOST_IPV6 && !ipv6)
        return nr_network_refuse(reading,
                                 "address %s is IPv6, and QEMU's socket NICs speak IPv4 only; an "
                                 "IPv4 address or a host name was expected",
                                 quoted);
    return TRUE;
}

static gboolean read_l4_port(NrNetworkReading *reading, guint16 *ret)
{
    g_autofree char *text = nr_xml_attribute(reading->node, "port");
    g_autofree char *quoted = text ? nr_value_quote(text) : NULL;

    if (!text)
        return nr_network_refuse(reading, "no port; " NR_L4_PORT_EXPECTED " was expected");
    if (!nr_value_l4_port(text, ret))
        return nr_network_refuse(reading, "port %s is not " NR_L4_PORT_EXPECTED, quoted);
    return TRUE;
}

/* The last one of the list. */
static gboolean check_twice(NrNetworkReading *reading, const GPtrArray *addresses)
{
    const NrAddress *last = g_ptr_array_index(addresses, addresses->len - 1);

    for (guint i = 0; i + 1 < addresses->len; i++) {
        g_autofree char *shown = NULL;

        if (!nr_address_equal(g_ptr_array_index(addresses, i), last))
            continue;
        shown = nr_address_format(last);
        return nr_network_refuse(reading, "%s is given twice", shown);
    }
    return TRUE;
}

/* Takes the host. */
static gboolean add_address(NrNetworkReading *reading, GPtrArray *addresses, char *host,
                            guint16 l4_port)
{
    NrAddress *address = g_new0(NrAddress, 1);

    address->host = host;
    address->l4_port = l4_port;
    g_ptr_array_add(addresses, address);
    return check_twice(reading, addresses);
}

/* *ret: new string, a blank between two; or NULL. */
static gboolean read_admit(NrNetworkReading *reading, char **ret)
{
    g_autofree char *text = nr_xml_attribute(reading->node, "admit");
    g_auto(GStrv) words = text ? g_strsplit_set(text, " \t\r\n", -1) : NULL;
    g_autoptr(GPtrArray) hosts = g_ptr_array_new();
    struct prefix prefix;

    for (guint i = 0; words && words[i]; i++) {
        g_autofree char *quoted = nr_value_quote(words[i]);

        if (!*words[i])
            continue;
        if (!prefix_parse(&prefix, words[i]))
            return nr_network_refuse(reading, "admit %s: " PREFIX_EXPECTED " was expected", quoted);
        g_ptr_array_add(hosts, words[i]);
    }
    if (text && (hosts->len == 0 || hosts->len > ADMIT_MAX))
        return nr_network_refuse(
            reading, "admit: 1 to %d hosts were expected, with blanks between them", ADMIT_MAX);
    g_ptr_array_add(hosts, NULL);
    *ret = text ? g_strjoinv(" ", (char **)hosts->pdata) : NULL;
    return TRUE;
}

static gboolean read_listen(NrNetworkReading *reading)
{
    g_autofree char *text = nr_xml_attribute(reading->node, "address");
    g_autofree char *host = NULL, *admit = NULL;
    NrAddress *address;
    guint16 l4_port;

    if (text && !*text)
        return nr_network_refuse(reading, "address '': leave it out to listen on any address");
    if (!text)
        host = g_strdup("");
    else if (!read_host(reading, text, TRUE, &host))
        return FALSE;
    if (!read_l4_port(reading, &l4_port) || !read_admit(reading, &admit) ||
        !add_address(reading, reading->network->listens, g_steal_pointer(&host), l4_port))
        return FALSE;
    address = g_ptr_array_index(reading->network->listens, reading->network->listens->len - 1);
    address->admit = g_steal_pointer(&admit);
    return TRUE;
}

static gboolean read_udp(NrNetworkReading *reading)
{
    g_autofree char *text = nr_xml_attribute(reading->node, "address");
    g_autofree char *host = NULL;
    guint16 l4_port;

    if (!text)
        return nr_network_refuse(reading,
                                 "no address; the one that guests' <source> has was expected");
    if (!read_host(reading, text, FALSE, &host))
        return FALSE;
    if (strcmp(host, "0.0.0.0") == 0)
        return nr_network_refuse(reading,
                                 "address 0.0.0.0: the one that guests' <source> has was expected");
    return read_l4_port(reading, &l4_port) &&
           add_address(reading, reading->network->udps, g_steal_pointer(&host), l4_port);
}

/* Only the relay resolves its name, again for each attempt: here it stays as it is written. */
static gboolean read_peer(NrNetworkReading *reading)
{
    g_autofree char *text = nr_xml_attribute(reading->node, "address");
    g_autofree char *quoted = text ? nr_value_quote(text) : NULL;
    g_autofree char *host = NULL;
    guint16 l4_port;

    if (!text)
        return nr_network_refuse(reading, "no address; " NR_PEER_HOST_EXPECTED " was expected");
    if (!read_host(reading, text, TRUE, &host))
        return FALSE;
    if (!nr_value_is_one_host(host))
        return nr_network_refuse(reading, "address %s: " NR_PEER_HOST_EXPECTED " was expected",
                                 quoted);
    return read_l4_port(reading, &l4_port) &&
           add_address(reading, reading->network->peers, g_steal_pointer(&host), l4_port);
}

static gboolean read_group_host(NrNetworkReading *reading, char **ret_host)
{
    g_autofree char *text = nr_xml_attribute(reading->node, "address");
    g_autofree char *quoted = text ? nr_value_quote(text) : NULL;

    if (!text)
        return nr_network_refuse(
            reading, "no address; a group from 224.0.0.0 to 239.255.255.255 was expected");
    if (nr_value_host(text, ret_host) != NR_HOST_IPV4 || !nr_value_is_group(*ret_host))
        return nr_network_refuse(
            reading, "address %s: a group from 224.0.0.0 to 239.255.255.255 was expected", quoted);
    return TRUE;
}

static gboolean read_multicast(NrNetworkReading *reading)
{
    g_autofree char *dev = nr_xml_attribute(reading->node, "dev");
    g_autofree char *quoted = dev ? nr_value_quote(dev) : NULL;
    NrGroup *group = g_new0(NrGroup, 1);

    g_ptr_array_add(reading->network->groups, group);
    if (!read_group_host(reading, &group->address.host) ||
        !read_l4_port(reading, &group->address.l4_port))
        return FALSE;
    if (dev && !nr_value_is_bridge_name(dev))
        return nr_network_refuse(reading, "dev %s: " NR_BRIDGE_NAME_EXPECTED " was expected",
                                 quoted);
    group->dev = g_steal_pointer(&dev);
    return check_twice(reading, reading->network->groups);
}

static gboolean read_match_kind(NrNetworkReading *reading, int *ret)
{
    g_autofree char *text = nr_xml_attribute(reading->node, "type");
    g_autofree char *quoted = text ? nr_value_quote(text) : NULL;

    *ret = -1;
    if (!text)
        return TRUE;
    for (NrNicKind kind = NR_NIC_DIALS; kind <= NR_NIC_UDP; kind++) {
        if (strcmp(text, nr_nic_kind_name(kind)) == 0) {
            *ret = (int)kind;
            return TRUE;
        }
    }
    return nr_network_refuse(reading, "type %s: client, server or udp was expected", quoted);
}

/* "5000", or "5000-5099". */
static gboolean read_match_l4_ports(NrNetworkReading *reading, NrMatch *match)
{
    g_autofree char *text = nr_xml_attribute(reading->node, "port");
    g_autofree char *quoted = text ? nr_value_quote(text) : NULL;
    g_auto(GStrv) ends = text ? g_strsplit(text, "-", 2) : NULL;

    if (!text)
        return TRUE;
    if (!ends[0] || !nr_value_l4_port(ends[0], &match->port_low) ||
        !nr_value_l4_port(ends[1] ? ends[1] : ends[0], &match->port_high))
        return nr_network_refuse(reading,
                                 "port %s: " NR_L4_PORT_EXPECTED ", or two as in 5000-5099, was "
                                 "expected",
                                 quoted);
    if (match->port_low > match->port_high)
        return nr_network_refuse(reading, "port %s: the lower number was expected first", quoted);
    return TRUE;
}

static gboolean read_pin(NrNetworkReading *reading, NrPin *ret)
{
    g_autofree char *text = nr_xml_attribute(reading->node, "pin");
    g_autofree char *quoted = text ? nr_value_quote(text) : NULL;

    if (text && !nr_value_pin(text, ret))
        return nr_network_refuse(reading, "pin %s: yes or no was expected", quoted);
    return TRUE;
}

/* An attribute besides pin, which says nothing about which NICs are meant. */
static gboolean says_which(const xmlNode *match)
{
    for (const xmlAttr *attr = match->properties; attr; attr = attr->next)
        if (strcmp((const char *)attr->name, "pin") != 0)
            return TRUE;
    return FALSE;
}

static gboolean read_match(NrNetworkReading *reading)
{
    g_autofree char *address = nr_xml_attribute(reading->node, "address");
    NrMatch *match = g_new0(NrMatch, 1);

    g_ptr_array_add(reading->network->matches, match);
    if (!says_which(reading->node))
        return nr_network_refuse(reading,
                                 "no attribute; at least one of domain, type, address, port was "
                                 "expected (domain='*' is every guest)");
    match->domain = nr_xml_attribute(reading->node, "domain");
    if (match->domain && !*match->domain)
        return nr_network_refuse(reading, "domain '': a pattern such as web-* was expected");
    return read_match_kind(reading, &match->kind) &&
           (!address || read_host(reading, address, FALSE, &match->host)) &&
           read_match_l4_ports(reading, match) && read_pin(reading, &match->pin);
}

static const char *const no_attributes[] = { NULL };
static const char *const address_attributes[] = { "address", "port", NULL };
static const char *const listen_attributes[] = { "address", "port", "admit", NULL };
static const char *const bridge_attributes[] = { "name", NULL };
static const char *const route_attributes[] = { "address", "prefix", "gateway",
                                                "family",  "proxy",  NULL };
static const char *const forward_attributes[] = { "mode", "dev", NULL };
static const char *const ip_attributes[] = { "address", "prefix", "netmask", "family", NULL };
static const char *const domain_attributes[] = { "name", "localOnly", NULL };
static const char *const dns_attributes[] = { "enable", NULL };
static const char *const multicast_attributes[] = { "address", "port", "dev", NULL };
static const char *const match_attributes[] = { "domain", "type", "address", "port", "pin", NULL };
static const char *const root_attributes[] = { "pin", NULL };

static const NrXmlShape root_shape = { .attributes = root_attributes,
                                       .expected = "pin is",
                                       .children = TRUE };

static const NrNetworkElement elements[] = {
    { "name", { no_attributes, "no attribute is", .text = TRUE }, read_name },
    { "listen", { listen_attributes, "address, port and admit are" }, read_listen },
    { "udp", { address_attributes, "address and port are" }, read_udp },
    { "bridge", { bridge_attributes, "name is" }, nr_network_read_bridge },
    { "forward",
      { forward_attributes, "mode and dev are", .children = TRUE },
      nr_network_read_forward },
    { "route",
      { route_attributes, "address, prefix, gateway, family and proxy are" },
      nr_network_read_route },
    { "ip",
      { ip_attributes, "address, prefix, netmask and family are", .children = TRUE },
      nr_network_read_ip },
    { "domain", { domain_attributes, "name and localOnly are" }, nr_network_read_domain },
    { "dns", { dns_attributes, "enable is", .children = TRUE }, nr_network_read_dns },
    { "peer", { address_attributes, "address and port are" }, read_peer },
    { "multicast", { multicast_attributes, "address, port and dev are" }, read_multicast },
    { "match", { match_attributes, "domain, type, address, port and pin are" }, read_match },
};

static gboolean read_network(NrNetworkReading *reading, const xmlNode *root)
{
    reading->node = root;
    if (!nr_xml_is(root, NULL, "network"))
        return nr_network_refuse(reading, "<network> without a namespace was expected");
    if (!nr_network_check_shape(reading, &root_shape) || !read_pin(reading, &reading->network->pin))
        return FALSE;
    if (!nr_network_read_children(reading, elements, G_N_ELEMENTS(elements),
                                  "name, listen, udp, bridge, forward, ip, domain, dns, peer, "
                                  "multicast or match was"))
        return FALSE;
    if (!reading->network->name)
        return nr_network_refuse(reading, "no <name>; one was expected");
    return nr_network_check_ground(reading) && nr_network_check_addressing(reading);
}

NrNetwork *nr_network_xml_parse(const char *text, gsize length, const char *file, GError **error)
{
    g_autoptr(NrNetwork) network = nr_network_new();
    g_autoptr(xmlDoc) doc = nr_xml_read(text, length, &bounds, file, error);
    NrNetworkReading reading = { .network = network, .file = file, .error = error };

    if (!doc || !read_network(&reading, xmlDocGetRootElement(doc)))
        return NULL;
    network->file = g_strdup(file);
    return g_steal_pointer(&network);
}
