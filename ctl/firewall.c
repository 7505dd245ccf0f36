/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/firewall.h"

#include "common/scope.h"
#include "net/nft.h"
#include "net/sysctl.h"
#include "net/ways.h"

NrFirewall *nr_firewall_new(void)
{
    NrFirewall *firewall = g_new0(NrFirewall, 1);

    for (guint i = 0; i < G_N_ELEMENTS(firewall->ways); i++)
        firewall->ways[i] = g_ptr_array_new_with_free_func(g_free);
    return firewall;
}

void nr_firewall_free(NrFirewall *firewall)
{
    if (!firewall)
        return;
    g_clear_pointer(&firewall->chains, g_ptr_array_unref);
    for (guint i = 0; i < G_N_ELEMENTS(firewall->ways); i++)
        g_ptr_array_unref(firewall->ways[i]);
    g_free(firewall);
}

static void read_ways(NrFirewall *firewall)
{
    _cleanup_(freep) struct way *ways = NULL;
    size_t count = 0;

    (void)ways_list(&ways, &count); /* unknown: none */
    for (size_t i = 0; i < count; i++) {
        if (ways[i].default_v4)
            g_ptr_array_add(firewall->ways[0], g_strdup(ways[i].device));
        if (ways[i].default_v6)
            g_ptr_array_add(firewall->ways[1], g_strdup(ways[i].device));
    }
}

static gboolean is_set(const char *setting)
{
    char value[16];

    return sysctl_read(setting, value, sizeof(value)) == 0 && g_str_equal(value, "1");
}

static gboolean has_filter(const char *tables)
{
    g_autofree char *names = NULL;

    return g_file_get_contents(tables, &names, NULL, NULL) && strstr(names, "filter\n");
}

NrFirewall *nr_firewall_read(void)
{
    NrFirewall *firewall = nr_firewall_new();
    _cleanup_(freep) char *listing = NULL;

    firewall->error = nft_run("list ruleset", &listing);
    if (firewall->error == 0)
        firewall->chains = nr_ruleset_parse(listing);
    firewall->legacy =
        has_filter("/proc/net/ip_tables_names") || has_filter("/proc/net/ip6_tables_names");
    firewall->bridging[0] = is_set("net/bridge/bridge-nf-call-iptables");
    firewall->bridging[1] = is_set("net/bridge/bridge-nf-call-ip6tables");
    read_ways(firewall);
    return firewall;
}
