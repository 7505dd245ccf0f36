/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/way.h"

#define NIC(guest, mac, network, more)                                                             \
    "{'guest': <'" guest "'>, 'uuid': <'u'>, 'nic': <'" mac "'>, 'mac': <'" mac "'>,"              \
    " 'guest_state': <'running'>, 'kind': <'client'>, 'network': <'" network "'>,"                 \
    " 'relay_pid': <uint32 7>, " more "}"
#define UP "'port': <uint32 1>, 'state': <'connected'>"
#define TAP(network, tap, bridge, more)                                                            \
    "{'network': <'" network "'>, 'kind': <'tap'>, 'address': <'" tap "'>, 'peer': <'" bridge      \
    "'>, 'relay_pid': <uint32 7>, " more "}"
#define PEER(network, address, more)                                                               \
    "{'network': <'" network "'>, 'kind': <'peer'>, 'address': <'" address "'>, " more "}"
#define A    NIC("a", "m1", "one", UP)
#define B    NIC("b", "m2", "two", UP)
#define TAPS TAP("one", "t1", "br0", UP) ", " TAP("two", "t2", "br0", UP)

typedef struct {
    const char *rows, *from, *to;
    const char *names; /* of the hops; the first broken one has a ! */
    const char *text;  /* what begins the broken one's text */
    const char *cure;
} Case;

static GVariant *parse(const char *text)
{
    g_autofree char *list = g_strdup_printf("[%s]", text);
    g_autoptr(GError) error = NULL;
    GVariant *rows = g_variant_parse(G_VARIANT_TYPE("aa{sv}"), list, NULL, NULL, &error);

    g_assert_no_error(error);
    return rows;
}

static char *names_of(const NrWay *way)
{
    GString *names = g_string_new(NULL);

    for (guint i = 0; i < way->hops->len; i++) {
        const NrHop *hop = way->hops->pdata[i];

        g_string_append_printf(names, "%s%s%s", i ? ", " : "", hop == way->broken ? "!" : "",
                               hop->name);
    }
    return g_string_free(names, FALSE);
}

static void check(const Case *c, const GPtrArray *links)
{
    g_autoptr(GVariant) rows = parse(c->rows);
    g_autofree char *fault = NULL;
    g_autoptr(NrWay) way = nr_way_new(rows, links, c->from, c->to, &fault);
    g_autofree char *names = NULL;

    g_assert_null(fault);
    names = names_of(way);
    g_assert_cmpstr(names, ==, c->names);
    if (!c->text) {
        g_assert_null(way->broken);
        return;
    }
    g_assert_nonnull(way->broken);
    if (!g_str_has_prefix(way->broken->text, c->text))
        g_assert_cmpstr(way->broken->text, ==, c->text);
    if (c->cure)
        g_assert_cmpstr(way->broken->cure, ==, c->cure);
}

static void test_ways(void)
{
    static const Case cases[] = {
        { A ", " NIC("b", "m2", "one", UP), "a", "b/M2", "a/m1, network one, b/m2" },
        { A ", " B ", " TAPS, "a", "b",
          "a/m1, network one, TAP t1, bridge br0, TAP t2, network two, b/m2" },
        { A ", " B, "a", "b", "a/m1, network one, !the gap between them, network two, b/m2",
          "no bridge and no tunnel of this host leads on to network two" },
        { A ", " B ", " PEER("one", "hostb:1", "'state': <'dialling'>"), "a", "b",
          "a/m1, network one, !the gap between them, network two, b/m2",
          "no bridge and no tunnel of this host leads on to network two, and where its tunnel to "
          "hostb:1 leads" },
        /* a tunnel to a network of this host, whichever of the two dials */
        { A ", " NIC("b", "m2", "two",
                     UP ", 'address': <'127.0.0.1:2'>") ", " PEER("one", "127.0.0.1:2", UP),
          "a", "b", "a/m1, network one, tunnel to 127.0.0.1:2, network two, b/m2" },
        { A ", " NIC("b", "m2", "two", UP ", 'address': <'127.0.0.1:2'>") ", " PEER(
              "one", "127.0.0.1:2", "'state': <'dialling'>, 'reason': <'it is refused'>"),
          "b", "a", "b/m2, network two, !tunnel to 127.0.0.1:2, network one, a/m1",
          "it is dialling: it is refused" },
        /* the longer way is taken where the shorter one is broken */
        { A ", " B ", " TAP("one", "t0", "br1", "'state': <'failed'>") ", " TAP("two", "t3", "br1",
                                                                                UP) ", " TAPS,
          "a", "b", "a/m1, network one, TAP t1, bridge br0, TAP t2, network two, b/m2" },
        { A ", " B
            ", " TAP("one", "t1", "br0", "'state': <'blocked'>") ", " TAP("two", "t2", "br0", UP),
          "a", "b", "a/m1, network one, !TAP t1, bridge br0, TAP t2, network two, b/m2",
          "it is blocked" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++)
        check(&cases[i], NULL);
}

static void test_nics(void)
{
    static const Case cases[] = {
        { NIC("a", "m1", "one", UP ", 'link': <'down'>") ", " NIC("b", "m2", "one", UP), "b", "a",
          "b/m2, network one, !a/m1", "its link is set down", "virsh domif-setlink a m1 up" },
        { NIC("a b", "m1", "one",
              "'state': <'waiting'>, 'reason': <'it has not connected'>") ", " NIC("b", "m2", "one",
                                                                                   UP),
          "a b", "b", "!a b/m1, network one, b/m2", "it is waiting: it has not connected",
          "netrelayctl revive 'a b'" },
        { "{'guest': <'a'>, 'nic': <'m1'>, 'guest_state': <'running'>, 'kind': <'server'>,"
          " 'peer': <'b'>, 'state': <'waiting'>, 'reason': <'b, which meets it, has not'>}, " B,
          "a", "b", "!a/m1, b/m2", "it is waiting: b", "netrelayctl revive b" },
        { NIC("a", "m1", "one", "'state': <'foreign'>, 'reason': <'nc has it; end nc'>") ", " NIC(
              "b", "m2", "one", UP),
          "a", "b", "!a/m1, network one, b/m2", "it is foreign: nc has it", "end nc" },
        { NIC("a", "m1", "one", "'state': <'blocked'>") ", " NIC("b", "m2", "one", UP), "a", "b",
          "!a/m1, network one, b/m2", "it is blocked", "netrelayctl doctor" },
        { NIC("a", "m1", "", "'state': <'unconnected'>, 'reason': <'why'>") ", " B, "a", "b",
          "!a/m1, b/m2", "it is unconnected: why" },
        { "{'guest': <'a'>, 'nic': <'m1'>, 'guest_state': <'defined'>, 'network': <'two'>}, " B,
          "a", "b", "!a/m1, network two, b/m2", "its guest does not run", "virsh start a" },
        { NIC("a", "m1", "", "'state': <'direct'>, 'peer': <'b'>") ", " NIC(
              "b", "m2", "", "'state': <'direct'>, 'peer': <'a'>"),
          "a", "b", "a/m1, between them, b/m2" },
        { NIC("a", "m1", "", "'state': <'direct'>, 'peer': <'c'>") ", " B, "b", "a",
          "b/m2, !the gap between them, a/m1", "a/m1 is on no network" },
        { NIC("a", "m1", "", "'state': <'direct'>, 'peer': <'b'>") ", " NIC(
              "b", "m2", "", "'state': <'direct'>, 'peer': <'c'>"),
          "a", "b", "a/m1, !the gap between them, b/m2", "a/m1 is on no network" },
        { NIC("a", "m1", "one", "'state': <'joined'>") ", " NIC("b", "m2", "one", UP), "a", "b",
          "a/m1, network one, b/m2" },
        { "{'guest': <'a'>, 'nic': <'m1'>, 'guest_state': <'running'>, 'network': <'one'>, " UP
          "}, {'guest': <'b'>, 'nic': <'m2'>, 'guest_state': <'running'>, 'network': <'one'>, " UP
          "}",
          "a", "b", "a/m1, !network one, b/m2", "it has no relay", "netrelayctl doctor" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++)
        check(&cases[i], NULL);
}

static void add_link(GPtrArray *links, const char *name, gboolean is_bridge, const char *master,
                     gboolean up)
{
    NrHostLink *link = nr_host_link_new(name);

    link->bridge = is_bridge;
    link->tap = !is_bridge;
    link->master = g_strdup(master);
    link->up = up;
    g_ptr_array_add(links, link);
}

/* t1 as given, and all else as it should be. */
static void test_devices(void)
{
    static const struct {
        gboolean there, up, bridge_up;
        const char *master;
        const char *text, *cure; /* of t1; NULL: whole */
    } cases[] = {
        { TRUE, TRUE, TRUE, "br0", NULL, NULL },
        { FALSE, FALSE, TRUE, NULL, "there is no such device", "" },
        { TRUE, TRUE, TRUE, NULL, "it is not in bridge br0", "netrelayctl reload" },
        { TRUE, TRUE, TRUE, "br1", "it is not in bridge br0", "netrelayctl reload" },
        { TRUE, FALSE, TRUE, "br0", "it is down", "ip link set t1 up" },
        { TRUE, TRUE, FALSE, "br0", "bridge br0 is down", "ip link set br0 up" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GPtrArray) links = nr_host_links_new();
        const Case c = { A ", " B ", " TAPS,
                         "a",
                         "b",
                         cases[i].text
                             ? "a/m1, network one, !TAP t1, bridge br0, TAP t2, network two, b/m2"
                             : "a/m1, network one, TAP t1, bridge br0, TAP t2, network two, b/m2",
                         cases[i].text,
                         cases[i].cure };

        add_link(links, "br0", TRUE, NULL, cases[i].bridge_up);
        add_link(links, "t2", FALSE, "br0", TRUE);
        if (cases[i].there)
            add_link(links, "t1", FALSE, cases[i].master, cases[i].up);
        check(&c, links);
    }
}

/* Only what has a port of a relay at both ends can be watched; of each is said what is known. */
static void test_ports(void)
{
    g_autoptr(GVariant) rows = parse(NIC("a", "m1", "one", "'state': <'joined'>") ", " NIC(
        "b", "m2", "one",
        UP ", 'options': <'egress=9'>, 'rx_frames': <uint64 3>, 'tx_frames': <uint64 4>, "
           "'drops': <uint64 5>") ", " NIC("c", "m3", "one", UP));
    g_autofree char *fault = NULL;
    g_autoptr(NrWay) half = nr_way_new(rows, NULL, "a", "b", &fault);
    g_autoptr(NrWay) whole = nr_way_new(rows, NULL, "b", "c", &fault);

    g_assert_false(half->seen);
    g_assert_true(whole->seen);
    g_assert_cmpstr(((NrHop *)half->hops->pdata[0])->text, ==, "joined");
    g_assert_cmpstr(((NrHop *)whole->hops->pdata[0])->text, ==,
                    "port 1; 3 frames came from it, 4 went to it, 5 were let go; "
                    "limited: egress=9");
}

static void test_no_question(void)
{
    static const struct {
        const char *from, *to, *fault;
    } cases[] = {
        { "c", "b", "no active guest has a NIC" }, { "a/m2", "b", "no active guest has a NIC" },
        { "a", "a/m1", "from a NIC to itself" },   { "a", "two", "'two' has 2 NICs; say which" },
        { "", "b", "no active guest has a NIC" },  { "a/", "b", "no active guest has a NIC" },
    };
    g_autoptr(GVariant) rows =
        parse(A ", " B ", " NIC("two", "m3", "one", UP) ", " NIC("two", "m4", "one", UP));

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *fault = NULL;

        g_assert_null(nr_way_new(rows, NULL, cases[i].from, cases[i].to, &fault));
        g_assert_nonnull(fault);
        if (!g_str_has_prefix(fault, cases[i].fault))
            g_assert_cmpstr(fault, ==, cases[i].fault);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/way/ways", test_ways);
    g_test_add_func("/way/nics", test_nics);
    g_test_add_func("/way/devices", test_devices);
    g_test_add_func("/way/ports", test_ports);
    g_test_add_func("/way/no-question", test_no_question);
    return g_test_run();
}
