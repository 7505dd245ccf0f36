/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the doctor finds of firewalls, for networks of each kind. */
#include "ctl/doctor.h"

#include <errno.h>
#include <string.h>
#include "xml/network-xml.h"

#define LAB "<name>lab</name><bridge name='virbr9'/>"
#define IP4 "<ip address='10.0.9.1' prefix='24'/>"
#define IP6 "<ip address='fd00:9::1' prefix='64'/>"
#define DHCP4                                                                                      \
    "<ip address='10.0.9.1' prefix='24'><dhcp><range start='10.0.9.2' "                            \
    "end='10.0.9.9'/></dhcp></ip>"
#define NAT         "<forward mode='nat'/>"
#define ROUTE       "<forward mode='route'/>"
#define LISTEN      "<listen address='192.0.2.1' port='12345' admit='any'/>"
#define LISTEN_HERE "<listen address='192.0.2.1' port='12345'/>"

static NrNetwork *parse(const char *inner)
{
    g_autofree char *text = g_strdup_printf("<network>%s</network>", inner);
    g_autoptr(GError) error = NULL;
    NrNetwork *network = nr_network_xml_parse(text, strlen(text), NULL, &error);

    g_assert_no_error(error);
    return network;
}

static void add_link(GPtrArray *links, const char *name, const char *master, const char *address)
{
    NrHostLink *link = nr_host_link_new(name);

    link->master = g_strdup(master);
    link->address = g_strdup(address);
    g_ptr_array_add(links, link);
}

/* eth0 leads out; eth5 is in docker0; virbr9 has our TAP in it and, where `wired`, somebody's
 * cable. */
static GPtrArray *examine(const char *ruleset, const char *inner, gboolean wired, gboolean stopped)
{
    g_autofree char *file = g_strconcat(ruleset, ".nft", NULL), *text = NULL;
    g_autofree char *path = g_test_build_filename(G_TEST_DIST, file, NULL);
    g_autoptr(NrFirewall) firewall = nr_firewall_new();
    g_autoptr(GPtrArray) links = nr_host_links_new();
    g_autoptr(GPtrArray) networks = g_ptr_array_new_with_free_func((GDestroyNotify)nr_network_free);
    GPtrArray *findings = nr_findings_new();

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    firewall->chains = nr_ruleset_parse(text);
    firewall->bridging[0] = wired;
    for (guint v6 = 0; v6 < 2; v6++)
        g_ptr_array_add(firewall->ways[v6], g_strdup("eth0"));
    add_link(links, "eth0", NULL, "192.0.2.1/24");
    add_link(links, "virbr9", NULL, "10.0.9.1/24");
    add_link(links, "nrtap0", "virbr9", NULL);
    add_link(links, "eth5", "docker0", NULL);
    add_link(links, "docker0", NULL, NULL);
    ((NrHostLink *)links->pdata[links->len - 1])->bridge = TRUE;
    if (wired)
        add_link(links, "eth1", "virbr9", NULL);
    g_ptr_array_add(networks, parse(inner));
    ((NrNetwork *)networks->pdata[0])->stopped = stopped;
    nr_doctor_firewall(findings, firewall, networks, links);
    return findings;
}

static char *said(const GPtrArray *findings)
{
    GString *all = g_string_new(NULL);

    for (guint i = 0; i < findings->len; i++) {
        const NrFinding *finding = findings->pdata[i];

        g_string_append_printf(all, "%s%s: %s", i > 0 ? "\n" : "", finding->kind, finding->cure);
    }
    return g_string_free(all, FALSE);
}

static void test_findings(void)
{
    static const struct {
        const char *ruleset, *network;
        gboolean wired, stopped;
        const char *said;
    } rows[] = {
        { "docker", LAB IP4, FALSE, FALSE, "" },
        { "docker", LAB IP4 NAT, FALSE, TRUE, "" },
        { "docker", LAB IP6 NAT, FALSE, FALSE, "" },
        { "docker", "<name>lab</name>" LISTEN, FALSE, FALSE, "" },
        { "docker", LAB IP4 NAT, FALSE, FALSE,
          "forward-dropped: iptables -I DOCKER-USER -i virbr9 -j ACCEPT && iptables -I DOCKER-USER "
          "-o virbr9 -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT" },
        { "docker", LAB IP4 ROUTE, FALSE, FALSE,
          "forward-dropped: iptables -I DOCKER-USER -i virbr9 -j ACCEPT && iptables -I DOCKER-USER "
          "-o virbr9 -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT" },
        { "docker", LAB, TRUE, FALSE,
          "bridge-dropped: sysctl net.bridge.bridge-nf-call-iptables=0, or: "
          "iptables -I DOCKER-USER -i virbr9 -o virbr9 -j ACCEPT" },
        { "docker", LAB IP4 "<forward mode='nat' dev='docker0'/>", FALSE, FALSE, "" },
        { "docker", LAB IP4 "<forward mode='nat' dev='eth5'/>", FALSE, FALSE, "" },
        { "ufw", LAB DHCP4 NAT, FALSE, FALSE,
          "forward-dropped: ufw route allow in on virbr9\n"
          "input-dropped: ufw allow in on virbr9 to any port 67 proto udp\n"
          "input-dropped: ufw allow in on virbr9 to any port 53 proto udp" },
        { "ufw", LAB DHCP4 "<dns enable='no'/>", FALSE, FALSE,
          "input-dropped: ufw allow in on virbr9 to any port 67 proto udp" },
        { "ufw", "<name>lab</name>" LISTEN, FALSE, FALSE, "input-dropped: ufw allow 12345/tcp" },
        { "ufw", "<name>lab</name>" LISTEN_HERE, FALSE, FALSE, "" },
        { "firewalld", LAB IP4 IP6 NAT, FALSE, FALSE, /* one chain for both */
          "forward-dropped: firewall-cmd --permanent --zone=trusted --add-interface=virbr9 && "
          "firewall-cmd --reload" },
        { "firewalld", "<name>lab</name>" LISTEN, FALSE, FALSE,
          "input-dropped: firewall-cmd --permanent --add-port=12345/tcp && firewall-cmd --reload" },
        { "native", "<name>lab</name>" LISTEN, FALSE, FALSE,
          "input-dropped: nft insert rule inet filter input tcp dport 12345 accept" },
        { "native", LAB IP4 NAT, FALSE, FALSE, "" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GPtrArray) findings =
            examine(rows[i].ruleset, rows[i].network, rows[i].wired, rows[i].stopped);
        g_autofree char *text = said(findings);

        g_assert_cmpstr(text, ==, rows[i].said);
        for (guint k = 0; k < findings->len; k++)
            g_assert_cmpstr(((const NrFinding *)findings->pdata[k])->about, ==, "lab");
    }
}

static void test_sentence(void)
{
    g_autoptr(GPtrArray) findings = examine("docker", LAB IP4 NAT, FALSE, FALSE);
    g_autoptr(GPtrArray) bridged = examine("docker", LAB, TRUE, FALSE);

    g_assert_cmpstr(((const NrFinding *)findings->pdata[0])->text, ==,
                    "network lab: chain FORWARD of the firewall's table ip filter drops what its "
                    "guests send out of this host");
    g_assert_cmpstr(((const NrFinding *)bridged->pdata[0])->text, ==,
                    "network lab: what passes bridge virbr9 is filtered "
                    "(net.bridge.bridge-nf-call-iptables is 1), and chain FORWARD of the "
                    "firewall's table ip filter drops it");
}

/* What cannot be seen is said, where it could matter. */
static void test_unseen(void)
{
    g_autoptr(NrFirewall) firewall = nr_firewall_new();
    g_autoptr(GPtrArray) links = nr_host_links_new(), findings = nr_findings_new();
    g_autoptr(GPtrArray) networks = g_ptr_array_new_with_free_func((GDestroyNotify)nr_network_free);

    firewall->error = -ENOPKG;
    firewall->legacy = TRUE;
    g_ptr_array_add(networks, parse(LAB IP4));
    nr_doctor_firewall(findings, firewall, networks, links);
    g_assert_cmpuint(findings->len, ==, 0);
    g_ptr_array_add(networks, parse(LAB IP4 NAT));
    nr_doctor_firewall(findings, firewall, networks, links);
    g_assert_cmpuint(findings->len, ==, 2);
    for (guint i = 0; i < findings->len; i++)
        g_assert_true(((const NrFinding *)findings->pdata[i])->notice);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/doctor-firewall/findings", test_findings);
    g_test_add_func("/doctor-firewall/sentence", test_sentence);
    g_test_add_func("/doctor-firewall/unseen", test_unseen);
    return g_test_run();
}
