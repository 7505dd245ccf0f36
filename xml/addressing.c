/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xml/addressing.h"

static void range_free(gpointer data)
{
    NrDhcpRange *range = data;

    g_free(range->start);
    g_free(range->end);
    g_free(range);
}

static void host_free(gpointer data)
{
    NrDhcpHost *host = data;

    g_free(host->mac);
    g_free(host->name);
    g_free(host->ip);
    g_free(host);
}

static void dhcp_free(gpointer data)
{
    NrDhcp *dhcp = data;

    g_free(dhcp->ip);
    g_ptr_array_unref(dhcp->ranges);
    g_ptr_array_unref(dhcp->hosts);
    g_free(dhcp);
}

static void dns_host_free(gpointer data)
{
    NrDnsHost *host = data;

    g_free(host->ip);
    g_ptr_array_unref(host->names);
    g_free(host);
}

static void addressing_clear(gpointer data)
{
    NrAddressing *addressing = data;

    g_ptr_array_unref(addressing->dhcps);
    g_free(addressing->domain);
    g_ptr_array_unref(addressing->dns_hosts);
    g_ptr_array_unref(addressing->forwarders);
}

NrAddressing *nr_addressing_new(void)
{
    NrAddressing *addressing = g_rc_box_new0(NrAddressing);

    addressing->dhcps = g_ptr_array_new_with_free_func(dhcp_free);
    addressing->dns_hosts = g_ptr_array_new_with_free_func(dns_host_free);
    addressing->forwarders = g_ptr_array_new_with_free_func(g_free);
    return addressing;
}

NrAddressing *nr_addressing_ref(NrAddressing *addressing)
{
    return g_rc_box_acquire(addressing);
}

void nr_addressing_unref(NrAddressing *addressing)
{
    if (addressing)
        g_rc_box_release_full(addressing, addressing_clear);
}

gboolean nr_addressing_is_served(const NrAddressing *addressing)
{
    return addressing && (addressing->dns || addressing->dhcps->len > 0);
}

NrDhcp *nr_dhcp_add(NrAddressing *addressing, const char *ip)
{
    NrDhcp *dhcp = g_new0(NrDhcp, 1);

    dhcp->ip = g_strdup(ip);
    dhcp->ranges = g_ptr_array_new_with_free_func(range_free);
    dhcp->hosts = g_ptr_array_new_with_free_func(host_free);
    g_ptr_array_add(addressing->dhcps, dhcp);
    return dhcp;
}

NrDhcpRange *nr_dhcp_range_add(NrDhcp *dhcp)
{
    NrDhcpRange *range = g_new0(NrDhcpRange, 1);

    g_ptr_array_add(dhcp->ranges, range);
    return range;
}

NrDhcpHost *nr_dhcp_host_add(NrDhcp *dhcp)
{
    NrDhcpHost *host = g_new0(NrDhcpHost, 1);

    g_ptr_array_add(dhcp->hosts, host);
    return host;
}

NrDnsHost *nr_dns_host_add(NrAddressing *addressing)
{
    NrDnsHost *host = g_new0(NrDnsHost, 1);

    host->names = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(addressing->dns_hosts, host);
    return host;
}
