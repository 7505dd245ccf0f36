/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/firewall-cure.h"

#include "ctl/finding.h"

#define UNBRIDGED "sysctl net.bridge.bridge-nf-call-ip{6}tables=0, or: "
#define TRUSTED                                                                                    \
    "firewall-cmd --permanent --zone=trusted --add-interface={dev} && firewall-cmd --reload"
#define REPLIES "-m conntrack --ctstate ESTABLISHED,RELATED"

static gboolean has(const NrFirewall *firewall, const NrChain *beside, const char *name)
{
    return nr_ruleset_find(firewall->chains, beside->family, beside->table, name) != NULL;
}

static gboolean is_ufw(const NrFirewall *firewall, const NrChain *chain)
{
    return has(firewall, chain, "ufw-user-input") || has(firewall, chain, "ufw6-user-input");
}

static gboolean is_firewalld(const NrFirewall *firewall, const NrChain *chain)
{
    return g_str_equal(chain->table, "firewalld");
}

static gboolean is_docker(const NrFirewall *firewall, const NrChain *chain)
{
    return g_str_equal(chain->name, "FORWARD") && has(firewall, chain, "DOCKER-USER");
}

static gboolean is_iptables(const NrFirewall *firewall, const NrChain *chain)
{
    return !g_str_equal(chain->family, "inet") && g_str_equal(chain->table, "filter") &&
           (g_str_equal(chain->name, "FORWARD") || g_str_equal(chain->name, "INPUT"));
}

static gboolean is_anybody(const NrFirewall *firewall, const NrChain *chain)
{
    return TRUE;
}

/* The first that fits. */
static const struct {
    gboolean (*is)(const NrFirewall *firewall, const NrChain *chain);
    const char *cures[NR_CURE_KINDS];
} keepers[] = {
    { is_ufw,
      { "ufw route allow in on {dev}", UNBRIDGED "ufw route allow in on {dev} out on {dev}",
        "ufw allow in on {dev} to any port {port} proto {l4}", "ufw allow {port}/{l4}" } },
    { is_firewalld,
      { TRUSTED, UNBRIDGED TRUSTED, TRUSTED,
        "firewall-cmd --permanent --add-port={port}/{l4} && firewall-cmd --reload" } },
    { is_docker,
      { "ip{6}tables -I DOCKER-USER -i {dev} -j ACCEPT && "
        "ip{6}tables -I DOCKER-USER -o {dev} " REPLIES " -j ACCEPT",
        UNBRIDGED "ip{6}tables -I DOCKER-USER -i {dev} -o {dev} -j ACCEPT", "", "" } },
    { is_iptables,
      { "ip{6}tables -I FORWARD -i {dev} -j ACCEPT && "
        "ip{6}tables -I FORWARD -o {dev} " REPLIES " -j ACCEPT",
        UNBRIDGED "ip{6}tables -I FORWARD -i {dev} -o {dev} -j ACCEPT",
        "ip{6}tables -I INPUT -i {dev} -p {l4} --dport {port} -j ACCEPT",
        "ip{6}tables -I INPUT -p {l4} --dport {port} -j ACCEPT" } },
    { is_anybody,
      { "nft insert rule {chain} iifname {dev} accept && "
        "nft insert rule {chain} oifname {dev} ct state established,related accept",
        UNBRIDGED "nft insert rule {chain} iifname {dev} oifname {dev} accept",
        "nft insert rule {chain} iifname {dev} {l4} dport {port} accept",
        "nft insert rule {chain} {l4} dport {port} accept" } },
};

static const char *template_for(const NrFirewall *firewall, const NrChain *chain, NrCureKind kind)
{
    guint i = 0;

    while (!keepers[i].is(firewall, chain))
        i++;
    return keepers[i].cures[kind];
}

char *nr_firewall_cure(const NrFirewall *firewall, const NrChain *chain, NrCureKind kind,
                       const char *bridge, const NrPacket *packet)
{
    GString *cure = g_string_new(template_for(firewall, chain, kind));
    g_autofree char *dev = bridge ? nr_shell_word(bridge) : NULL;
    g_autofree char *port = g_strdup_printf("%u", packet->l4_port);
    g_autofree char *table = nr_shell_word(chain->table), *name = nr_shell_word(chain->name);
    g_autofree char *where = g_strjoin(" ", chain->family, table, name, NULL);

    g_string_replace(cure, "{6}", packet->v6 ? "6" : "", 0);
    g_string_replace(cure, "{chain}", where, 0);
    g_string_replace(cure, "{l4}", packet->l4, 0);
    g_string_replace(cure, "{port}", port, 0);
    g_string_replace(cure, "{dev}", dev ? dev : "", 0);
    return g_string_free(cure, FALSE);
}
