/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/doctor.h"

#include "daemon/row.h"

static guint count_members(const GPtrArray *links, const char *bridge)
{
    guint count = 0;

    for (guint i = 0; i < links->len; i++)
        count += g_strcmp0(((const NrHostLink *)links->pdata[i])->master, bridge) == 0;
    return count;
}

/* By a network, or by a guest: libvirt puts a TAP into it. Unknown without the manager's rows. */
static gboolean may_be_used(const GPtrArray *links, const char *bridge, GVariant *rows)
{
    for (guint i = 0; i < links->len; i++) {
        const NrHostLink *link = links->pdata[i];

        if (link->tap && g_strcmp0(link->master, bridge) == 0)
            return TRUE;
    }
    for (gsize i = 0; rows && i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);

        if (g_str_equal(nr_row_text(row, "kind"), "tap") &&
            g_str_equal(nr_row_text(row, "peer"), bridge))
            return TRUE;
    }
    return rows == NULL;
}

static void look_at_bridge(GPtrArray *findings, const GPtrArray *links, const NrHostLink *bridge,
                           GVariant *rows)
{
    g_autofree char *word = nr_shell_word(bridge->name);
    g_autofree char *cure = g_strdup_printf("ip link set %s up", word);
    gboolean used = may_be_used(links, bridge->name, rows);

    if (!bridge->up)
        (used ? nr_findings_add : nr_findings_note)(
            findings, "bridge-down", bridge->name, cure,
            "bridge %s is down%s, so no frame passes it", bridge->name,
            count_members(links, bridge->name) > 0 ? "" : " and has no members");
}

/* The host answers for a bridge's address on the bridge only; what comes in by a member is not its
 * own any more. */
static void look_at_member(GPtrArray *findings, const NrHostLink *link)
{
    g_autofree char *word = nr_shell_word(link->name);
    g_autofree char *master = nr_shell_word(link->master);
    g_autofree char *cure = g_strdup_printf("ip address del %s dev %s && ip address add %s dev %s",
                                            link->address, word, link->address, master);

    nr_findings_add(findings, "member-address", link->name, cure,
                    "%s is a member of bridge %s and has the address %s, which belongs on the "
                    "bridge",
                    link->name, link->master, link->address);
}

/* A bridge that waits for its first member and has no use otherwise. */
static const NrHostLink *empty_bridge(const GPtrArray *links)
{
    for (guint i = 0; i < links->len; i++) {
        const NrHostLink *link = links->pdata[i];

        if (link->bridge && !link->address && count_members(links, link->name) == 0)
            return link;
    }
    return NULL;
}

/* A TAP by itself is somebody's business, unless an empty bridge stands beside it that we, or a
 * guest, may be meant to use: others' VPNs and containers have such things, too. */
static void look_at_lone_tap(GPtrArray *findings, const NrHostLink *tap, const NrHostLink *bridge,
                             gboolean used)
{
    g_autofree char *word = nr_shell_word(tap->name);
    g_autofree char *master = nr_shell_word(bridge->name);
    g_autofree char *move =
        tap->address ? g_strdup_printf(" && ip address del %s dev %s && ip address add %s dev %s",
                                       tap->address, word, tap->address, master)
                     : NULL;
    g_autofree char *cure = g_strdup_printf("ip link set %s master %s%s%s", word, master,
                                            tap->up ? "" : " up", move ? move : "");
    g_autofree char *what = g_strdup_printf(
        "TAP %s is in no bridge%s%s%s", tap->name, tap->up ? "" : " and down",
        tap->address ? " and has the address " : "", tap->address ? tap->address : "");

    if (used)
        nr_findings_add(findings, "tap-alone", tap->name, cure, "%s, and bridge %s has no members",
                        what, bridge->name);
    else
        nr_findings_note(findings, "tap-alone", tap->name, cure,
                         "%s, which is as it should be unless it is meant for bridge %s, which has "
                         "no members",
                         what, bridge->name);
}

static void look_at_end(GPtrArray *findings, const GPtrArray *links, const NrHostLink *bridge,
                        const char *network, const char *tap)
{
    g_autofree char *word = nr_shell_word(bridge->name);
    g_autofree char *cure = g_strdup_printf("ip link set DEVICE master %s, or, for the host "
                                            "itself: ip address add ADDRESS/PREFIX dev %s",
                                            word, word);

    if (!bridge->address && count_members(links, bridge->name) == 1)
        nr_findings_add(findings, "bridge-empty", bridge->name, cure,
                        "network %s: its bridge %s leads nowhere, with no address and no member "
                        "but the network's own TAP %s",
                        network, bridge->name, tap);
}

static void look_at_lost(GPtrArray *findings, const NrHostLink *tap, const char *network,
                         const char *bridge)
{
    g_autofree char *word = nr_shell_word(bridge);
    g_autofree char *cure =
        g_strdup_printf("make it: ip link add %s type bridge, or correct the name", word);

    nr_findings_add(findings, "tap-elsewhere", tap->name, cure,
                    "network %s: bridge %s, which its TAP %s was in, is gone", network, bridge,
                    tap->name);
}

/* A TAP of ours, and where a network says it has to be. What has none says so in its row. */
static void look_at_port(GPtrArray *findings, const GPtrArray *links, GVariant *row)
{
    const char *network = nr_row_text(row, "network");
    const NrHostLink *tap = nr_host_links_find(links, nr_row_text(row, "address"));
    const NrHostLink *bridge = nr_host_links_find(links, nr_row_text(row, "peer"));
    g_autofree char *word = tap ? nr_shell_word(tap->name) : NULL;
    g_autofree char *master = bridge ? nr_shell_word(bridge->name) : NULL;
    g_autofree char *cure = NULL;

    if (!tap)
        return;
    if (!bridge) {
        look_at_lost(findings, tap, network, nr_row_text(row, "peer"));
        return;
    }
    if (g_strcmp0(tap->master, bridge->name) == 0) {
        look_at_end(findings, links, bridge, network, tap->name);
        return;
    }
    cure = g_strdup_printf("ip link set %s master %s", word, master);
    nr_findings_add(findings, "tap-elsewhere", tap->name, cure,
                    "network %s: its TAP %s is not in bridge %s, but in %s", network, tap->name,
                    bridge->name, tap->master ? tap->master : "none");
}

static gboolean is_port(GVariant *rows, const char *tap)
{
    for (gsize i = 0; rows && i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);

        if (g_str_equal(nr_row_text(row, "kind"), "tap") &&
            g_str_equal(nr_row_text(row, "address"), tap))
            return TRUE;
    }
    return FALSE;
}

void nr_doctor_links(GPtrArray *findings, const GPtrArray *links, GVariant *rows)
{
    const NrHostLink *empty = empty_bridge(links);

    for (guint i = 0; i < links->len; i++) {
        const NrHostLink *link = links->pdata[i];
        const NrHostLink *master = link->master ? nr_host_links_find(links, link->master) : NULL;

        if (link->bridge)
            look_at_bridge(findings, links, link, rows);
        if (link->address && master && master->bridge)
            look_at_member(findings, link);
        if (link->tap && !link->master && empty && !is_port(rows, link->name))
            look_at_lone_tap(findings, link, empty, may_be_used(links, empty->name, rows));
    }
    for (gsize i = 0; rows && i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);

        if (g_str_equal(nr_row_text(row, "kind"), "tap"))
            look_at_port(findings, links, row);
    }
}
