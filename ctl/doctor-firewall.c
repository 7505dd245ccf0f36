/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Firewalls are others', and never changed here: what they certainly drop of what a network needs.
 * What may pass is no finding. */
#include "ctl/doctor.h"

#include <string.h>
#include "ctl/firewall-cure.h"
#include "ctl/packet-fate.h"

typedef struct {
    GPtrArray *findings;
    const NrFirewall *firewall;
    const GPtrArray *links;
    const NrNetwork *network;
    const NrChain *told; /* the last one, which need not be told of again for IPv6 */
} Patient;

static gboolean is_v6(const char *address)
{
    return strchr(address, ':') != NULL;
}

static gboolean has_family(const NrNetwork *network, gboolean v6)
{
    for (guint i = 0; i < network->ips->len; i++)
        if (is_v6(network->ips->pdata[i]) == v6)
            return TRUE;
    return FALSE;
}

/* What is wrong, after which there is "chain FORWARD of table ip filter", and what it does. */
static void tell(Patient *patient, const char *kind, NrCureKind cure_kind, const NrChain *chain,
                 const NrPacket *packet, const char *before, const char *deed)
{
    const NrNetwork *network = patient->network;
    g_autofree char *cure =
        nr_firewall_cure(patient->firewall, chain, cure_kind, network->bridge, packet);

    nr_findings_add(patient->findings, kind, network->name, cure,
                    "network %s: %schain %s of the firewall's table %s %s drops %s", network->name,
                    before, chain->name, chain->family, chain->table, deed);
    patient->told = chain;
}

/* The chain that drops it, unless it was told of just before. */
static const NrChain *dropped_in(const Patient *patient, const NrPacket *packet)
{
    const NrChain *chain = nr_packet_dropped_in(patient->firewall->chains, packet);

    return chain == patient->told ? NULL : chain;
}

/* --- out of this host, and back */

/* The one device, or where default routes lead; NULL-terminated, borrowed, new list; NULL: that is
 * not known. */
static const char **ways(const Patient *patient, const char *only, gboolean v6)
{
    const GPtrArray *defaults = patient->firewall->ways[v6];
    g_autoptr(GPtrArray) names = g_ptr_array_new();

    if (only)
        g_ptr_array_add(names, (char *)only);
    for (guint i = 0; !only && i < defaults->len; i++)
        g_ptr_array_add(names, defaults->pdata[i]);
    if (names->len == 0)
        return NULL;
    g_ptr_array_add(names, NULL);
    return (const char **)g_ptr_array_free(g_steal_pointer(&names), FALSE);
}

/* As for the manager, a device in a bridge leads out by the bridge. Borrowed; NULL: any leads. */
static const char *way_named(const Patient *patient)
{
    const char *name = patient->network->forward_dev;
    const NrHostLink *link = name ? nr_host_links_find(patient->links, name) : NULL;
    const NrHostLink *master =
        link && link->master ? nr_host_links_find(patient->links, link->master) : NULL;

    return master && master->bridge ? master->name : name;
}

static void look_at_way_out(Patient *patient, gboolean v6)
{
    const char *bridge[] = { patient->network->bridge, NULL };
    g_autofree const char **outside = ways(patient, way_named(patient), v6);
    const NrPacket out = {
        .hook = "forward", .v6 = v6, .in = bridge, .out = outside, .state = "new", .l4 = "tcp"
    };
    const NrPacket back = { .hook = "forward",
                            .v6 = v6,
                            .in = outside,
                            .out = bridge,
                            .state = "established",
                            .l4 = "tcp" };
    const NrChain *chain;

    if ((chain = dropped_in(patient, &out)))
        tell(patient, "forward-dropped", NR_CURE_OUT, chain, &out, "",
             "what its guests send out of this host");
    else if ((chain = dropped_in(patient, &back)))
        tell(patient, "forward-dropped", NR_CURE_OUT, chain, &back, "",
             "the answers to what its guests send out of this host");
}

/* --- from one member of its bridge to another */

static void look_at_bridge(Patient *patient, gboolean v6)
{
    const char *bridge[] = { patient->network->bridge, NULL };
    const NrPacket packet = {
        .hook = "forward", .v6 = v6, .in = bridge, .out = bridge, .state = "new", .l4 = "tcp"
    };
    const NrChain *chain = patient->firewall->bridging[v6] ? dropped_in(patient, &packet) : NULL;
    g_autofree char *before = g_strdup_printf(
        "what passes bridge %s is filtered (net.bridge.bridge-nf-call-ip%stables is "
        "1), and ",
        patient->network->bridge, v6 ? "6" : "");

    if (chain)
        tell(patient, "bridge-dropped", NR_CURE_WITHIN, chain, &packet, before, "it");
}

/* --- to this host */

static void look_at_service(Patient *patient, gboolean v6, guint16 l4_port, const char *what)
{
    const char *bridge[] = { patient->network->bridge, NULL };
    const NrPacket packet = {
        .hook = "input", .v6 = v6, .in = bridge, .state = "new", .l4 = "udp", .l4_port = l4_port
    };
    const NrChain *chain = nr_packet_dropped_in(patient->firewall->chains, &packet);

    if (chain)
        tell(patient, "input-dropped", NR_CURE_SERVICE, chain, &packet, "", what);
}

static void look_at_services(Patient *patient)
{
    const NrAddressing *addressing = patient->network->addressing;

    for (guint i = 0; i < addressing->dhcps->len; i++) {
        const NrDhcp *dhcp = addressing->dhcps->pdata[i];
        gboolean v6 = is_v6(dhcp->ip);

        if (dhcp->ranges->len + dhcp->hosts->len > 0)
            look_at_service(patient, v6, v6 ? 547 : 67,
                            v6 ? "its guests' questions for IPv6 addresses"
                               : "its guests' questions for addresses");
    }
    if (!addressing->no_dns)
        look_at_service(patient, !has_family(patient->network, FALSE), 53,
                        "its guests' questions for names");
}

/* The device that has this address, or NULL. */
static const char *device_of(const GPtrArray *links, const char *address)
{
    gsize length = strlen(address);

    for (guint i = 0; i < links->len; i++) {
        const NrHostLink *link = links->pdata[i];

        if (link->address && strncmp(link->address, address, length) == 0 &&
            link->address[length] == '/')
            return link->name;
    }
    return NULL;
}

static void look_at_listener(Patient *patient, const NrAddress *listen)
{
    const char *device = device_of(patient->links, listen->host);
    g_autofree const char **in = ways(patient, device, is_v6(listen->host));
    const NrPacket packet = { .hook = "input",
                              .v6 = is_v6(listen->host),
                              .in = in,
                              .state = "new",
                              .l4 = "tcp",
                              .l4_port = listen->l4_port };
    const NrChain *chain =
        listen->admit ? nr_packet_dropped_in(patient->firewall->chains, &packet) : NULL;
    g_autofree char *what =
        g_strdup_printf("what other hosts send to its port %u", listen->l4_port);

    if (chain)
        tell(patient, "input-dropped", NR_CURE_LISTENER, chain, &packet, "", what);
}

/* --- all of it */

static guint count_members(const GPtrArray *links, const char *bridge)
{
    guint count = 0;

    for (guint i = 0; i < links->len; i++)
        count += g_strcmp0(((const NrHostLink *)links->pdata[i])->master, bridge) == 0;
    return count;
}

static void look_at_network(Patient *patient)
{
    const NrNetwork *network = patient->network;
    gboolean bridged = network->bridge && nr_host_links_find(patient->links, network->bridge);

    for (gboolean v6 = FALSE; bridged && nr_network_forwards(network) && v6 <= TRUE; v6++)
        if (has_family(network, v6))
            look_at_way_out(patient, v6);
    patient->told = NULL;
    for (gboolean v6 = FALSE; bridged && v6 <= TRUE; v6++)
        if (count_members(patient->links, network->bridge) > 1)
            look_at_bridge(patient, v6);
    if (bridged && nr_addressing_is_served(network->addressing))
        look_at_services(patient);
    for (guint i = 0; i < network->listens->len; i++)
        look_at_listener(patient, network->listens->pdata[i]);
}

/* Only where there are guests that a firewall could hurt. */
static void look_at_what_is_unseen(GPtrArray *findings, const NrFirewall *firewall)
{
    if (!firewall->chains)
        nr_findings_note(findings, "firewall-unseen", "", NULL,
                         "the firewall's rules cannot be read (%s), so nothing is known of them",
                         g_strerror(-firewall->error));
    if (firewall->legacy)
        nr_findings_note(findings, "firewall-unseen", "iptables-legacy",
                         "look yourself: iptables-legacy -S; ip6tables-legacy -S",
                         "this host has rules of iptables-legacy, which are not looked at here");
}

void nr_doctor_firewall(GPtrArray *findings, const NrFirewall *firewall, const GPtrArray *networks,
                        const GPtrArray *links)
{
    gboolean routed = FALSE;

    for (guint i = 0; i < networks->len; i++) {
        Patient patient = { findings, firewall, links, networks->pdata[i], NULL };

        if (patient.network->stopped)
            continue;
        routed |= nr_network_forwards(patient.network);
        if (firewall->chains)
            look_at_network(&patient);
    }
    if (routed)
        look_at_what_is_unseen(findings, firewall);
}
