/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The elements that say what guests are told: <dhcp> in <ip>, <domain>, <dns>. What they let
 * through can stand in a server's configuration as it is. */
#include "xml/network-reading.h"

#include <string.h>

#include "common/mac.h"
#include "xml/ip-value.h"
#include "xml/value.h"

#define LEASE_MIN_S    120
#define SLAAC_PREFIX   64
#define RANGES_MAX     32
#define HOSTS_MAX      4096
#define FORWARDERS_MAX 16

static NrAddressing *obtain(NrNetworkReading *reading)
{
    if (!reading->network->addressing)
        reading->network->addressing = nr_addressing_new();
    return reading->network->addressing;
}

/* Any address, or, with a <dhcp> around it, one that a guest can have there. *ret: new string. */
static gboolean read_plain(NrNetworkReading *reading, const char *attribute, char **ret)
{
    g_autofree char *text = nr_xml_attribute(reading->node, attribute);
    g_autofree char *quoted = text ? nr_value_quote(text) : NULL;
    const NrDhcp *dhcp = reading->dhcp;

    *ret = text ? nr_ip_plain(text) : NULL;
    if (!text)
        return nr_network_refuse(reading, "no %s; an IP address was expected", attribute);
    if (!*ret)
        return nr_network_refuse(reading, "%s %s: an IP address was expected", attribute, quoted);
    if (dhcp && !nr_ip_is_neighbour(dhcp->ip, *ret))
        return nr_network_refuse(reading,
                                 "%s %s: an address for a guest beside the host's own, %s, was "
                                 "expected",
                                 attribute, quoted, dhcp->ip);
    return TRUE;
}

/* --- <range> */

/* 0: there is no such unit. */
static guint unit_seconds(const char *name)
{
    static const struct {
        const char *name;
        guint seconds;
    } units[] = { { "seconds", 1 }, { "minutes", 60 }, { "hours", 3600 } };

    for (guint i = 0; i < G_N_ELEMENTS(units); i++) {
        if (strcmp(name, units[i].name) == 0)
            return units[i].seconds;
    }
    return 0;
}

static gboolean read_lease(NrNetworkReading *reading)
{
    g_autofree char *expiry = nr_xml_attribute(reading->node, "expiry");
    g_autofree char *unit = nr_xml_attribute(reading->node, "unit");
    g_autofree char *quoted = expiry ? nr_value_quote(expiry) : NULL;
    g_autofree char *quoted_unit = unit ? nr_value_quote(unit) : NULL;
    const GPtrArray *ranges = reading->dhcp->ranges;
    NrDhcpRange *range = g_ptr_array_index(ranges, ranges->len - 1);
    guint seconds = unit_seconds(unit ? unit : "minutes");
    guint64 number;

    if (reading->has_lease)
        return nr_network_refuse(reading, "given twice; one was expected");
    reading->has_lease = TRUE;
    if (!expiry || !g_ascii_string_to_unsigned(expiry, 10, 0, G_MAXINT32, &number, NULL))
        return nr_network_refuse(reading, "%s%s; a number was expected, 0 for a lease without end",
                                 expiry ? "expiry " : "no expiry", expiry ? quoted : "");
    if (seconds == 0)
        return nr_network_refuse(reading, "unit %s: seconds, minutes or hours was expected",
                                 quoted_unit);
    number *= seconds;
    if (number != 0 && (number < LEASE_MIN_S || number > G_MAXINT32))
        return nr_network_refuse(reading, "expiry %s: 2 minutes to 68 years were expected", quoted);
    range->lease_s = (guint)number;
    return TRUE;
}

static const char *const lease_attributes[] = { "expiry", "unit", NULL };
static const NrNetworkElement range_elements[] = {
    { "lease", { lease_attributes, "expiry and unit are" }, read_lease },
};

static gboolean read_range(NrNetworkReading *reading)
{
    NrDhcpRange *range = nr_dhcp_range_add(reading->dhcp);

    range->lease_s = NR_LEASE_DEFAULT_S;
    reading->has_lease = FALSE;
    if (!read_plain(reading, "start", &range->start) || !read_plain(reading, "end", &range->end))
        return FALSE;
    if (nr_ip_is_before(range->end, range->start))
        return nr_network_refuse(reading, "from %s to %s: the lower address was expected first",
                                 range->start, range->end);
    if (reading->dhcp->ranges->len > RANGES_MAX)
        return nr_network_refuse(reading, "too many; at most %d were expected", RANGES_MAX);
    return nr_network_read_children(reading, range_elements, G_N_ELEMENTS(range_elements),
                                    "lease was");
}

/* --- <host> */

static gboolean read_mac(NrNetworkReading *reading, char **ret)
{
    g_autofree char *text = nr_xml_attribute(reading->node, "mac");
    g_autofree char *quoted = text ? nr_value_quote(text) : NULL;
    char shown[MAC_TEXT_MAX];
    struct mac mac;

    if (!text)
        return TRUE;
    if (mac_parse(&mac, text) < 0 || mac_is_multicast(mac))
        return nr_network_refuse(reading,
                                 "mac %s: a NIC's address such as 52:54:00:12:34:56 was "
                                 "expected",
                                 quoted);
    *ret = g_strdup(mac_format(mac, shown));
    return TRUE;
}

/* dnsmasq takes a number for a time, and some words for orders. */
static gboolean is_servers_word(const char *name)
{
    gsize digits = strspn(name, "0123456789");

    return strcmp(name, "ignore") == 0 || strcmp(name, "infinite") == 0 ||
           (digits > 0 && strlen(name) == digits + 1 && strchr("smhdw", name[digits]));
}

static gboolean has_letter(const char *name)
{
    return name[strspn(name, "0123456789.-")] != '\0';
}

static gboolean check_dns_name(NrNetworkReading *reading, const char *what, const char *name)
{
    g_autofree char *quoted = nr_value_quote(name);

    if (!nr_value_is_dns_name(name))
        return nr_network_refuse(reading, "%s%s: " NR_DNS_NAME_EXPECTED " was expected", what,
                                 quoted);
    if (!has_letter(name) || (reading->dhcp && is_servers_word(name)))
        return nr_network_refuse(reading,
                                 "%s%s reads like a number or a time; another name was "
                                 "expected",
                                 what, quoted);
    return TRUE;
}

static gboolean read_host_name(NrNetworkReading *reading, char **ret)
{
    g_autofree char *text = nr_xml_attribute(reading->node, "name");

    if (text && !check_dns_name(reading, "name ", text))
        return FALSE;
    *ret = g_steal_pointer(&text);
    return TRUE;
}

static gboolean check_host_twice(NrNetworkReading *reading, const NrDhcpHost *host)
{
    const GPtrArray *hosts = reading->dhcp->hosts;

    for (guint i = 0; i + 1 < hosts->len; i++) {
        const NrDhcpHost *other = g_ptr_array_index(hosts, i);

        if (strcmp(other->ip, host->ip) == 0)
            return nr_network_refuse(reading, "%s is given twice", host->ip);
        if (host->mac && g_strcmp0(other->mac, host->mac) == 0)
            return nr_network_refuse(reading, "%s is given twice", host->mac);
    }
    return TRUE;
}

static gboolean read_dhcp_host(NrNetworkReading *reading)
{
    NrDhcpHost *host = nr_dhcp_host_add(reading->dhcp);

    if (!read_mac(reading, &host->mac) || !read_host_name(reading, &host->name) ||
        !read_plain(reading, "ip", &host->ip))
        return FALSE;
    if (!host->mac && !host->name)
        return nr_network_refuse(reading, "no mac and no name; one of them was expected");
    if (reading->dhcp->hosts->len > HOSTS_MAX)
        return nr_network_refuse(reading, "too many; at most %d were expected", HOSTS_MAX);
    return check_host_twice(reading, host);
}

/* --- <dhcp> */

static const char *const no_attributes[] = { NULL };
static const char *const range_attributes[] = { "start", "end", NULL };
static const char *const host_attributes[] = { "mac", "name", "ip", NULL };
static const NrNetworkElement dhcp_elements[] = {
    { "range", { range_attributes, "start and end are", .children = TRUE }, read_range },
    { "host", { host_attributes, "mac, name and ip are" }, read_dhcp_host },
};

static gboolean check_dhcp(NrNetworkReading *reading)
{
    const NrDhcp *dhcp = reading->dhcp;
    guint prefix = nr_ip_prefix(dhcp->ip);
    gboolean empty = dhcp->ranges->len == 0 && dhcp->hosts->len == 0;

    if (!nr_ip_is_v6(dhcp->ip))
        return !empty ||
               nr_network_refuse(reading, "nothing in it; a <range> or <host> was expected");
    if (empty && prefix != SLAAC_PREFIX)
        return nr_network_refuse(reading,
                                 "nothing in it, and guests make themselves addresses only of a "
                                 "prefix of 64; that, or a <range> or <host>, was expected");
    if (prefix < SLAAC_PREFIX)
        return nr_network_refuse(reading, "the prefix is %u; 64 or more was expected", prefix);
    return TRUE;
}

static gboolean read_dhcp(NrNetworkReading *reading)
{
    gboolean good;

    if (reading->dhcp->ranges)
        return nr_network_refuse(reading, "given twice; one was expected");
    reading->dhcp = nr_dhcp_add(obtain(reading), reading->dhcp->ip);
    good = nr_network_read_children(reading, dhcp_elements, G_N_ELEMENTS(dhcp_elements),
                                    "range or host was");
    return good && check_dhcp(reading);
}

static const NrNetworkElement ip_elements[] = {
    { "dhcp", { no_attributes, "no attribute is", .children = TRUE }, read_dhcp },
};

gboolean nr_network_read_ip_children(NrNetworkReading *reading, const char *ip)
{
    NrDhcp none = { .ip = (char *)ip }; /* until there is a <dhcp> */
    gboolean good;

    reading->dhcp = &none;
    good = nr_network_read_children(reading, ip_elements, G_N_ELEMENTS(ip_elements), "dhcp was");
    reading->dhcp = NULL;
    return good;
}

/* --- <domain>, <dns> */

/* *ret is untouched where there is none. */
static gboolean read_yes_no(NrNetworkReading *reading, const char *attribute, gboolean *ret)
{
    g_autofree char *text = nr_xml_attribute(reading->node, attribute);
    g_autofree char *quoted = text ? nr_value_quote(text) : NULL;

    if (!text)
        return TRUE;
    *ret = strcmp(text, "yes") == 0;
    return *ret || strcmp(text, "no") == 0 ||
           nr_network_refuse(reading, "%s %s: yes or no was expected", attribute, quoted);
}

gboolean nr_network_read_domain(NrNetworkReading *reading)
{
    NrAddressing *addressing = obtain(reading);

    if (addressing->domain)
        return nr_network_refuse(reading, "given twice; one was expected");
    if (!read_host_name(reading, &addressing->domain))
        return FALSE;
    if (!addressing->domain)
        return nr_network_refuse(reading, "no name; " NR_DNS_NAME_EXPECTED " was expected");
    return read_yes_no(reading, "localOnly", &addressing->domain_local);
}

static gboolean read_hostname(NrNetworkReading *reading)
{
    g_autofree char *text = nr_xml_text(reading->node);

    if (!check_dns_name(reading, "", text))
        return FALSE;
    g_ptr_array_add(reading->host->names, g_steal_pointer(&text));
    return TRUE;
}

static const NrNetworkElement dns_host_elements[] = {
    { "hostname", { no_attributes, "no attribute is", .text = TRUE }, read_hostname },
};

static gboolean read_dns_host(NrNetworkReading *reading)
{
    NrAddressing *addressing = obtain(reading);

    reading->host = nr_dns_host_add(addressing);
    if (!read_plain(reading, "ip", &reading->host->ip) ||
        !nr_network_read_children(reading, dns_host_elements, G_N_ELEMENTS(dns_host_elements),
                                  "hostname was"))
        return FALSE;
    if (reading->host->names->len == 0)
        return nr_network_refuse(reading, "no <hostname> in it; one was expected");
    return addressing->dns_hosts->len <= HOSTS_MAX ||
           nr_network_refuse(reading, "too many; at most %d were expected", HOSTS_MAX);
}

static gboolean read_forwarder(NrNetworkReading *reading)
{
    GPtrArray *forwarders = obtain(reading)->forwarders;
    char *address = NULL;

    if (!read_plain(reading, "addr", &address)) {
        g_free(address);
        return FALSE;
    }
    g_ptr_array_add(forwarders, address);
    return forwarders->len <= FORWARDERS_MAX ||
           nr_network_refuse(reading, "too many; at most %d were expected", FORWARDERS_MAX);
}

static const char *const dns_host_attributes[] = { "ip", NULL };
static const char *const forwarder_attributes[] = { "addr", NULL };
static const NrNetworkElement dns_elements[] = {
    { "host", { dns_host_attributes, "ip is", .children = TRUE }, read_dns_host },
    { "forwarder", { forwarder_attributes, "addr is" }, read_forwarder },
};

gboolean nr_network_read_dns(NrNetworkReading *reading)
{
    NrAddressing *addressing = obtain(reading);
    gboolean enabled = TRUE;

    if (reading->has_dns)
        return nr_network_refuse(reading, "given twice; one was expected");
    reading->has_dns = TRUE;
    if (!read_yes_no(reading, "enable", &enabled) ||
        !nr_network_read_children(reading, dns_elements, G_N_ELEMENTS(dns_elements),
                                  "host or forwarder was"))
        return FALSE;
    if (!enabled && addressing->dns_hosts->len + addressing->forwarders->len > 0)
        return nr_network_refuse(reading, "enable no: nothing in it was expected");
    addressing->dns = enabled;
    addressing->no_dns = !enabled;
    return TRUE;
}

/* Such a name is a server's word for a list, or for several devices. */
static gboolean is_plain_ifname(const char *name)
{
    for (; *name; name++) {
        if (!g_ascii_isalnum(*name) && !strchr("._-", *name))
            return FALSE;
    }
    return TRUE;
}

gboolean nr_network_check_addressing(NrNetworkReading *reading)
{
    const NrNetwork *network = reading->network;
    g_autofree char *quoted = network->bridge ? nr_value_quote(network->bridge) : NULL;

    if (!nr_addressing_is_served(network->addressing))
        return TRUE;
    if (network->ips->len == 0)
        return nr_network_refuse(reading, "<dns> without an <ip>; <ip address='...'/> was "
                                          "expected: the address that guests ask");
    return !network->bridge || is_plain_ifname(network->bridge) ||
           nr_network_refuse(reading,
                             "<dhcp> or <dns> on the bridge %s; for these a name of letters, "
                             "digits, '.', '_' and '-' was expected",
                             quoted);
}
