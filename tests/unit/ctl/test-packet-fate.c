/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What rulesets certainly drop: those of firewalls that people have, and rules one by one. */
#include "ctl/packet-fate.h"

#include <string.h>

static const char *const guests[] = { "virbr9", NULL };
static const char *const docker[] = { "docker0", NULL };
static const char *const wan[] = { "eth0", NULL };
static const char *const two_ways[] = { "eth0", "wlan0", NULL };

#define BETWEEN(in_, out_, state_)                                                                 \
    .hook = "forward", .in = in_, .out = out_, .state = state_, .l4 = "tcp"
#define OUT        BETWEEN(guests, wan, "new")
#define BACK       BETWEEN(wan, guests, "established")
#define TO(n, in_) .hook = "input", .in = in_, .state = "new", .l4 = "tcp", .l4_port = n
#define TCP(n)     TO(n, NULL)
#define DHCP       .hook = "input", .in = guests, .state = "new", .l4 = "udp", .l4_port = 67

static GPtrArray *chains_of(const char *name)
{
    g_autofree char *file = g_strconcat(name, ".nft", NULL), *text = NULL;
    g_autofree char *path = g_test_build_filename(G_TEST_DIST, file, NULL);

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    return nr_ruleset_parse(text);
}

static void test_files(void)
{
    static const struct {
        const char *file;
        NrPacket packet;
        const char *chain; /* NULL: it may pass */
    } rows[] = {
        { "docker", { OUT }, "FORWARD" },
        { "docker", { BACK }, "FORWARD" },
        { "docker", { BETWEEN(docker, wan, "new") }, NULL },
        { "docker", { BETWEEN(guests, NULL, "new") }, NULL }, /* it may go to a container */
        { "docker", { BETWEEN(wan, docker, "established") }, NULL },
        { "docker", { DHCP }, NULL },
        { "docker", { OUT, .v6 = TRUE }, NULL },
        { "ufw", { OUT }, "FORWARD" },
        { "ufw", { BACK }, NULL },
        { "ufw", { DHCP }, "INPUT" },
        { "ufw", { TCP(22) }, NULL },
        { "ufw", { TCP(12345) }, NULL }, /* from this host itself */
        { "ufw", { TO(12345, wan) }, "INPUT" },
        { "firewalld", { OUT }, "filter_FORWARD" },
        { "firewalld", { OUT, .v6 = TRUE }, "filter_FORWARD" },
        { "firewalld", { BACK }, NULL },
        { "firewalld", { DHCP }, "filter_INPUT" },
        { "firewalld", { TCP(22) }, NULL },
        { "native", { OUT }, NULL }, /* its device may be in the set */
        { "native", { BETWEEN(guests, docker, "new") }, NULL },
        { "native", { BACK }, NULL },
        { "native", { DHCP }, "input" },
        { "native", { TCP(12345) }, NULL }, /* it may come by br7 */
        { "native", { TO(12345, wan) }, "input" },
        { "native", { TO(443, wan) }, NULL },
        { "native", { TO(8050, guests) }, NULL },
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GPtrArray) chains = chains_of(rows[i].file);
        const NrChain *chain = nr_packet_dropped_in(chains, &rows[i].packet);

        g_test_message("row %u: %s", i, rows[i].file);
        g_assert_cmpstr(chain ? chain->name : NULL, ==, rows[i].chain);
    }
}

static const struct {
    const char *rule;
    NrPacket packet;
    gboolean dropped;
} accepting[] = {
    { "", { OUT }, TRUE },
    { "accept", { OUT }, FALSE },
    { "counter packets 3 bytes 180 accept", { OUT }, FALSE },
    { "iifname \"virbr9\" accept", { OUT }, FALSE },
    { "iifname \"virbr*\" accept", { OUT }, FALSE },
    { "iifname \"virbr\" accept", { OUT }, TRUE },
    { "iif \"virbr7\" accept", { OUT }, TRUE },
    { "iifname != \"virbr9\" accept", { OUT }, TRUE },
    { "iifname != { \"lo\", \"virbr7\" } accept", { OUT }, FALSE },
    { "iifname { \"lo\", \"virbr9\" } accept", { OUT }, FALSE },
    { "iifname @ours accept", { OUT }, FALSE },
    { "iifname . oifname { \"a\" . \"b\" } accept", { OUT }, FALSE },
    { "iifname . oifname vmap { \"a\" . \"b\" : accept }", { OUT }, FALSE },
    { "ip saddr . iifname @pairs accept", { OUT }, FALSE },
    { "oifname \"eth0\" accept", { BETWEEN(guests, two_ways, "new") }, FALSE },
    { "oifname \"eth1\" accept", { BETWEEN(guests, two_ways, "new") }, TRUE },
    { "oifname \"eth1\" accept", { BETWEEN(guests, NULL, "new") }, FALSE },
    { "ct state established,related accept", { OUT }, TRUE },
    { "ct state { established, new } accept", { OUT }, FALSE },
    { "ct state != invalid accept", { OUT }, FALSE },
    { "ct state related xt match \"set\" accept", { OUT }, TRUE },
    { "xt match \"physdev\" accept", { OUT }, FALSE },
    { "xt target \"REJECT\"", { OUT }, FALSE },
    { "ct status dnat accept", { OUT }, TRUE },
    { "meta l4proto udp accept", { OUT }, TRUE },
    { "meta l4proto 6 accept", { OUT }, FALSE },
    { "ip protocol icmp accept", { OUT }, TRUE },
    { "icmp type echo-request accept", { OUT }, TRUE },
    { "tcp dport 80 accept", { OUT }, FALSE },
    { "tcp dport 80 accept", { TCP(80) }, FALSE },
    { "tcp dport 80-90 accept", { TCP(90) }, FALSE },
    { "tcp dport 80-90 accept", { TCP(91) }, TRUE },
    { "tcp dport ssh accept", { TCP(91) }, FALSE },
    { "tcp dport != 80 accept", { TCP(80) }, TRUE },
    { "tcp flags syn accept", { TCP(80) }, FALSE },
    { "udp sport 67 accept", { TCP(80) }, TRUE },
    { "ip saddr 10.0.0.0/8 accept", { OUT }, FALSE },
    { "ip saddr 10.0.0.0/8 accept", { OUT, .v6 = TRUE }, TRUE },
    { "ip6 saddr fd00::/8 accept", { OUT }, TRUE },
    { "meta nfproto ipv6 accept", { OUT }, TRUE },
    { "meta mark 0x00000001 accept", { OUT }, FALSE },
    { "comment \"accept\"", { OUT }, TRUE },
    { "log prefix \"accept\" level info", { OUT }, TRUE },
    { "ct state vmap { new : accept, invalid : drop }", { OUT }, FALSE },
    { "ct state vmap { established : accept, invalid : drop }", { OUT }, TRUE },
    { "iifname vmap { \"virbr9\" : jump open, \"eth0\" : drop }", { OUT }, FALSE },
    { "iifname vmap @verdicts", { OUT }, FALSE },
    { "jump open", { OUT }, FALSE },
    { "jump shut", { OUT }, TRUE },
    { "jump nowhere", { OUT }, FALSE },
    { "jump round", { OUT }, FALSE },
    { "goto empty", { OUT }, TRUE },
    { "queue to 1", { OUT }, FALSE },
};

/* Before a policy that drops: does the rule let it pass? */
static void test_accepting(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(accepting); i++) {
        g_autofree char *text = g_strdup_printf(
            "table inet t {\n\tchain c {\n\t\ttype filter hook %s priority filter; policy drop;\n"
            "\t\t%s # handle 7\n\t}\n\tchain open {\n\t\taccept\n\t}\n\tchain shut {\n\t\tdrop\n"
            "\t}\n\tchain empty {\n\t}\n\tchain round {\n\t\tjump round\n\t}\n}\n",
            accepting[i].packet.hook, accepting[i].rule);
        g_autoptr(GPtrArray) chains = nr_ruleset_parse(text);

        g_test_message("%s", accepting[i].rule);
        g_assert_cmpuint(chains->len, ==, 5);
        g_assert_cmpint(nr_packet_dropped_in(chains, &accepting[i].packet) != NULL, ==,
                        accepting[i].dropped);
    }
}

/* With a policy that accepts: is it dropped for certain? */
static void test_dropping(void)
{
    static const struct {
        const char *rules;
        gboolean dropped;
    } rows[] = {
        { "", FALSE },
        { "drop", TRUE },
        { "counter reject with icmpx admin-prohibited", TRUE },
        { "oifname \"eth0\" drop", TRUE },
        { "tcp dport 25 drop", FALSE },
        { "iifname \"lo\" return\n drop", TRUE },
        { "tcp dport 25 return\n drop", FALSE },
        { "return\n drop", FALSE },
        { "tcp dport 25 goto empty\n drop", FALSE },
        { "tcp dport 25 goto shut\n drop", TRUE },
        { "goto empty\n drop", FALSE },
        { "jump empty\n drop", TRUE },
        { "jump half", FALSE },
        { "jump half\n drop", TRUE },
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        static const NrPacket packet = { OUT };
        g_autofree char *text = g_strdup_printf(
            "table ip t {\n\tchain c {\n\t\ttype filter hook forward priority filter; policy "
            "accept;\n\t\t%s\n\t}\n\tchain shut {\n\t\tdrop\n\t}\n\tchain empty {\n\t}\n"
            "\tchain half {\n\t\ttcp dport 80 return\n\t\tdrop\n\t}\n}\n",
            rows[i].rules);
        g_autoptr(GPtrArray) chains = nr_ruleset_parse(text);

        g_test_message("%s", rows[i].rules);
        g_assert_cmpint(nr_packet_dropped_in(chains, &packet) != NULL, ==, rows[i].dropped);
    }
}

/* What is no listing, or is cut off, is read to its end, and is nothing. */
static void test_nonsense(void)
{
    static const char *const texts[] = {
        "",
        "}\n}\n",
        "{",
        "\"",
        "table",
        "table {\nchain {\nx\n",
        "table ip t {\n chain c {\n \"",
        "table ip t {\n chain c {\n type filter hook forward; policy\n ct state vmap {\n } vmap",
        "table ip t {\n chain c {\n type filter hook forward\n ct state\n iifname !=\n jump\n ct\n",
    };
    static const NrPacket packet = { OUT };

    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GPtrArray) chains = nr_ruleset_parse(texts[i]);

        g_assert_null(nr_packet_dropped_in(chains, &packet));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/packet-fate/files", test_files);
    g_test_add_func("/packet-fate/accepting", test_accepting);
    g_test_add_func("/packet-fate/dropping", test_dropping);
    g_test_add_func("/packet-fate/nonsense", test_nonsense);
    return g_test_run();
}
