/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/graph.h"

#include <string.h>

/* The graph of rows in GVariant's text form. */
static NrGraph *graph_of(const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) rows = g_variant_parse(G_VARIANT_TYPE("aa{sv}"), text, NULL, NULL, &error);

    g_assert_no_error(error);
    return nr_graph_new(rows);
}

/* "FROM -- TO NIC FAR_NIC STATE" of each edge, one a line; a node is "KIND NAME". */
static char *edges_of(const char *text)
{
    g_autoptr(NrGraph) graph = graph_of(text);
    g_autoptr(GVariant) all = g_variant_ref_sink(nr_graph_variant(graph));
    g_autoptr(GVariant) nodes = g_variant_lookup_value(all, "nodes", G_VARIANT_TYPE("aa{sv}"));
    g_autoptr(GVariant) edges = g_variant_lookup_value(all, "edges", G_VARIANT_TYPE("aa{sv}"));
    GString *lines = g_string_new(NULL);

    for (gsize i = 0; i < g_variant_n_children(edges); i++) {
        g_autoptr(GVariant) edge = g_variant_get_child_value(edges, i);
        const char *nic = "", *far_nic = "", *state = "", *kind[2], *name[2];
        guint32 end[2] = { 0 };

        g_variant_lookup(edge, "from", "u", &end[0]);
        g_variant_lookup(edge, "to", "u", &end[1]);
        for (int j = 0; j < 2; j++) {
            g_autoptr(GVariant) node = g_variant_get_child_value(nodes, end[j]);

            g_variant_lookup(node, "kind", "&s", &kind[j]);
            g_variant_lookup(node, "name", "&s", &name[j]);
        }
        if (!g_variant_lookup(edge, "nic", "&s", &nic))
            g_variant_lookup(edge, "device", "&s", &nic);
        g_variant_lookup(edge, "far_nic", "&s", &far_nic);
        g_variant_lookup(edge, "state", "&s", &state);
        g_string_append_printf(lines, "%s %s -- %s %s: %s/%s %s\n", kind[0], name[0], kind[1],
                               name[1], nic, far_nic, state);
    }
    return g_string_free(lines, FALSE);
}

static void test_ends(void)
{
    static const struct {
        const char *rows, *edges;
    } cases[] = {
        { "[{'network': <'lab'>, 'guest': <'vm2'>, 'nic': <'m2'>, 'state': <'waiting'>},"
          " {'network': <'lab'>, 'guest': <'vm1'>, 'nic': <'m1'>, 'state': <'connected'>}]",
          "guest vm1 -- network lab: m1/ connected\n"
          "guest vm2 -- network lab: m2/ waiting\n" },
        /* a guest and a network of one name are two things */
        { "[{'network': <'x'>, 'guest': <'x'>, 'nic': <'m'>, 'state': <'connected'>}]",
          "guest x -- network x: m/ connected\n" },
        { "[{'network': <'lab'>, 'kind': <'tap'>, 'address': <'tap0'>, 'peer': <'br0'>,"
          "  'state': <'connected'>}]",
          "network lab -- bridge br0: tap0/ connected\n" },
        /* of two networks with the same addresses each has its own */
        { "[{'network': <'a'>, 'kind': <'user'>, 'address': <'10.0.2.2'>, 'state': <'connected'>},"
          " {'network': <'b'>, 'kind': <'user'>, 'address': <'10.0.2.2'>, 'state': <'failed'>}]",
          "network a -- address out of a: 10.0.2.2/ connected\n"
          "network b -- address out of b: 10.0.2.2/ failed\n" },
        { "[{'network': <'lab'>, 'kind': <'server'>, 'address': <'10.0.0.1:4000'>,"
          "  'peer': <'10.0.0.2:12345'>, 'state': <'connected'>},"
          " {'network': <'lab'>, 'kind': <'peer'>, 'address': <'hostb:12345'>, 'peer': "
          "<'192.0.2.9:12345'>,"
          "  'state': <'dialling'>},"
          " {'network': <'lab'>, 'kind': <'client'>, 'address': <'127.0.0.1:1'>,"
          "  'state': <'listening'>}]",
          "network lab -- address 10.0.0.2:12345: / connected\n"
          "network lab -- address hostb:12345: / dialling\n" },
        { "[{'network': <''>, 'guest': <'vm1'>, 'nic': <'m1'>, 'address': <'127.0.0.1:9'>,"
          "  'state': <'unconnected'>}]",
          "guest vm1 -- address 127.0.0.1:9: m1/ unconnected\n" },
        { "[]", "" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *edges = edges_of(cases[i].rows);

        g_assert_cmpstr(edges, ==, cases[i].edges);
    }
}

#define A1 "{'guest': <'a'>, 'nic': <'a1'>, 'peer': <'b'>, 'state': <'direct'>}"
#define A2 "{'guest': <'a'>, 'nic': <'a2'>, 'peer': <'b'>, 'state': <'direct'>}"
#define B1 "{'guest': <'b'>, 'nic': <'b1'>, 'peer': <'a'>, 'state': <'direct'>}"
#define B2 "{'guest': <'b'>, 'nic': <'b2'>, 'peer': <'a'>, 'state': <'direct'>}"

/* One line for a pair, whoever of the two was read first, or alone. */
static void test_direct(void)
{
    static const struct {
        const char *rows, *edges;
    } cases[] = {
        { "[" A1 ", " B1 "]", "guest a -- guest b: a1/b1 direct\n" },
        { "[" B1 ", " A1 "]", "guest a -- guest b: a1/b1 direct\n" },
        { "[" A1 "]", "guest a -- guest b: a1/ direct\n" },
        { "[" A1 ", " A2 ", " B1 ", " B2 "]",
          "guest a -- guest b: a1/b1 direct\nguest a -- guest b: a2/b2 direct\n" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *edges = edges_of(cases[i].rows);

        g_assert_cmpstr(edges, ==, cases[i].edges);
    }
}

/* A name ends no string, begins no escape and no entity, and is nobody's attribute. */
static void test_names_are_data(void)
{
    g_autoptr(NrGraph) graph =
        graph_of("[{'guest': <'a\"];evil[\\\\N&lt;\\n\\u001b'>, 'network': <'lab'>, 'nic': <'m'>,"
                 "  'state': <'connected'>}]");
    g_autofree char *dot = nr_graph_dot(graph);

    g_assert_nonnull(strstr(dot, "label=\"a\\\"];evil[\\\\N&amp;lt;\\\\x0a\\\\x1b\""));
    g_assert_null(strchr(dot, '\x1b'));
}

/* What is written on a line, and how it looks. */
static void test_states(void)
{
    static const struct {
        const char *rows, *line;
    } cases[] = {
        { "[{'guest': <'a'>, 'network': <'n'>, 'nic': <'m'>, 'state': <'connected'>}]",
          "n0 -- n1 [label=\"m\", style=solid];" },
        { "[{'guest': <'a'>, 'network': <'n'>, 'nic': <'m'>, 'state': <'waiting'>}]",
          "n0 -- n1 [label=\"m\\nwaiting\", style=dashed];" },
        { "[{'guest': <'a'>, 'network': <'n'>, 'nic': <'m'>, 'state': <'joined'>}]",
          "n0 -- n1 [label=\"m\\njoined\", style=solid];" },
        { "[{'guest': <'a'>, 'network': <'n'>, 'nic': <'m'>, 'state': <'failed'>}]",
          "n0 -- n1 [label=\"m\\nfailed\", style=dashed, color=" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(NrGraph) graph = graph_of(cases[i].rows);
        g_autofree char *dot = nr_graph_dot(graph);

        g_assert_nonnull(strstr(dot, cases[i].line));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/graph/ends", test_ends);
    g_test_add_func("/graph/direct", test_direct);
    g_test_add_func("/graph/states", test_states);
    g_test_add_func("/graph/names-are-data", test_names_are_data);
    return g_test_run();
}
