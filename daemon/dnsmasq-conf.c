/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All values come from a network file, whose reader lets nothing through that has a meaning here.
 * Nothing is taken from the host's own dnsmasq: not its configuration, not /etc/hosts. A guest asks
 * for a name without a domain only among the guests. Where the host leads nowhere it does not say
 * that it does, and asks nobody else for names: these guests could not go there.
 */
#include "daemon/dnsmasq-conf.h"

#include <string.h>

#include "xml/ip-value.h"

#define SLAAC_PREFIX 64

/* no-ping: it would keep each guest waiting for 3 seconds, and guests look themselves. The names
 * that are ignored would make a guest everybody's proxy. */
static const char common[] = "except-interface=lo\n"
                             "bind-dynamic\n"
                             "pid-file=\n"
                             "log-facility=-\n"
                             "no-hosts\n"
                             "domain-needed\n"
                             "dhcp-authoritative\n"
                             "no-ping\n"
                             "quiet-dhcp\n"
                             "quiet-dhcp6\n"
                             "quiet-ra\n"
                             "dhcp-name-match=set:wpad-ignore,wpad\n"
                             "dhcp-ignore-names=tag:wpad-ignore\n";

char *nr_dnsmasq_leases_name(const char *network)
{
    return g_strconcat(network, ".leases", NULL);
}

static void add_lease(GString *conf, guint lease_s)
{
    if (lease_s == 0)
        g_string_append(conf, ",infinite\n");
    else
        g_string_append_printf(conf, ",%us\n", lease_s);
}

/* "255.255.255.0", or "64". */
static void add_prefix(GString *conf, const char *ip)
{
    guint prefix = nr_ip_prefix(ip);
    guint32 mask = prefix == 0 ? 0 : ~0u << (32 - MIN(prefix, 32));

    if (nr_ip_is_v6(ip))
        g_string_append_printf(conf, ",%u", prefix);
    else
        g_string_append_printf(conf, ",%u.%u.%u.%u", mask >> 24, mask >> 16 & 255, mask >> 8 & 255,
                               mask & 255);
}

static void add_host(GString *conf, const NrDhcpHost *host)
{
    gboolean v6 = strchr(host->ip, ':') != NULL;

    g_string_append_printf(conf, "dhcp-host=%s", host->mac ? host->mac : host->name);
    if (host->mac && host->name)
        g_string_append_printf(conf, ",%s", host->name);
    g_string_append_printf(conf, ",%s%s%s\n", v6 ? "[" : "", host->ip, v6 ? "]" : "");
}

static void add_dhcp(GString *conf, const NrDhcp *dhcp)
{
    g_autofree char *subnet = nr_ip_subnet(dhcp->ip);

    for (guint i = 0; i < dhcp->ranges->len; i++) {
        const NrDhcpRange *range = g_ptr_array_index(dhcp->ranges, i);

        g_string_append_printf(conf, "dhcp-range=%s,%s", range->start, range->end);
        add_prefix(conf, dhcp->ip);
        add_lease(conf, range->lease_s);
    }
    if (dhcp->ranges->len == 0 && dhcp->hosts->len > 0) {
        g_string_append_printf(conf, "dhcp-range=%s,static", subnet);
        add_prefix(conf, dhcp->ip);
        g_string_append_c(conf, '\n');
    }
    for (guint i = 0; i < dhcp->hosts->len; i++)
        add_host(conf, g_ptr_array_index(dhcp->hosts, i));
}

static const NrDhcp *find_dhcp(const NrAddressing *addressing, const char *ip)
{
    for (guint i = 0; i < addressing->dhcps->len; i++) {
        const NrDhcp *dhcp = g_ptr_array_index(addressing->dhcps, i);

        if (g_str_equal(dhcp->ip, ip))
            return dhcp;
    }
    return NULL;
}

/* Guests make themselves addresses in it. Link-local ones they have anyhow. */
static gboolean is_slaac(const NrAddressing *addressing, const char *ip)
{
    const NrDhcp *dhcp = find_dhcp(addressing, ip);

    return nr_ip_is_v6(ip) && nr_ip_prefix(ip) == SLAAC_PREFIX && !g_str_has_prefix(ip, "fe80:") &&
           (!dhcp || dhcp->ranges->len + dhcp->hosts->len == 0);
}

/* Each IPv6 subnet is announced; where guests get no addresses of it, they get names at least. */
static void add_advertisements(GString *conf, const NrNetwork *network, gboolean leads_on)
{
    const NrAddressing *addressing = network->addressing;
    gboolean any = FALSE;

    for (guint i = 0; i < network->ips->len; i++) {
        const char *ip = g_ptr_array_index(network->ips, i);
        g_autofree char *subnet = nr_ip_subnet(ip);

        any |= nr_ip_is_v6(ip) && (is_slaac(addressing, ip) || find_dhcp(addressing, ip));
        if (is_slaac(addressing, ip))
            g_string_append_printf(conf, "dhcp-range=%s,%s,%u\n", subnet,
                                   addressing->no_dns ? "ra-only" : "ra-stateless,ra-names",
                                   SLAAC_PREFIX);
    }
    if (any)
        g_string_append(conf, "enable-ra\n");
    if (any && !leads_on)
        g_string_append_printf(conf, "ra-param=%s,0,0\n", network->bridge);
}

static void add_dns_host(GString *conf, const NrDnsHost *host, const char *domain)
{
    g_string_append(conf, "host-record=");
    for (guint i = 0; i < host->names->len; i++) {
        const char *name = g_ptr_array_index(host->names, i);

        g_string_append_printf(conf, "%s,", name);
        if (domain && !strchr(name, '.'))
            g_string_append_printf(conf, "%s.%s,", name, domain);
    }
    g_string_append_printf(conf, "%s\n", host->ip);
}

static void add_dns(GString *conf, const NrAddressing *addressing, gboolean leads_on)
{
    if (addressing->no_dns)
        g_string_append(conf, "port=0\n");
    if (addressing->domain)
        g_string_append_printf(conf, "domain=%s\n", addressing->domain);
    if (addressing->domain && addressing->domain_local)
        g_string_append_printf(conf, "local=/%s/\n", addressing->domain);
    for (guint i = 0; i < addressing->dns_hosts->len; i++)
        add_dns_host(conf, g_ptr_array_index(addressing->dns_hosts, i), addressing->domain);
    if (!leads_on || addressing->forwarders->len > 0)
        g_string_append(conf, "no-resolv\n");
    for (guint i = 0; i < addressing->forwarders->len; i++)
        g_string_append_printf(conf, "server=%s\n",
                               (char *)g_ptr_array_index(addressing->forwarders, i));
}

char *nr_dnsmasq_conf(const NrNetwork *network)
{
    const NrAddressing *addressing = network->addressing;
    gboolean leads_on = network->forward != NR_FORWARD_NONE;
    g_autofree char *leases = nr_dnsmasq_leases_name(network->name);
    GString *conf;

    if (!network->bridge || !nr_addressing_is_served(addressing))
        return NULL;
    conf = g_string_new(NULL);
    g_string_append_printf(conf, "interface=%s\n%s", network->bridge, common);
    g_string_append_printf(conf, "dhcp-leasefile=" NR_LEASES_DIR "/%s\n", leases);
    if (!leads_on)
        g_string_append(conf, "dhcp-option=3\n"); /* no router */
    add_dns(conf, addressing, leads_on);
    for (guint i = 0; i < addressing->dhcps->len; i++)
        add_dhcp(conf, g_ptr_array_index(addressing->dhcps, i));
    add_advertisements(conf, network, leads_on);
    return g_string_free(conf, FALSE);
}
