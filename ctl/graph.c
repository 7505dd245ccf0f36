/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/graph.h"

#include <string.h>
#include "daemon/row.h"
#include "xml/guest.h"

typedef enum { NODE_GUEST, NODE_NETWORK, NODE_BRIDGE, NODE_FAR } NodeKind;

/* What a person sees of each kind: the word, and graphviz's attributes. */
static const struct {
    const char *name, *look;
} node_kinds[] = {
    [NODE_GUEST] = { "guest", "shape=box, style=\"rounded,filled\", fillcolor=\"#e8f0fe\"" },
    [NODE_NETWORK] = { "network", "shape=ellipse, style=filled, fillcolor=\"#e6f4ea\"" },
    [NODE_BRIDGE] = { "bridge", "shape=hexagon, style=filled, fillcolor=\"#fef7e0\"" },
    [NODE_FAR] = { "address", "shape=plaintext" },
};

#define TROUBLE "style=dashed, color=\"#c5221f\", fontcolor=\"#c5221f\""

/* The state is written on the line, too: not everybody sees colours. One that has no row here is on
 * its way. */
static const struct {
    const char *state, *look;
} looks[] = {
    { "connected", "style=solid" },
    { "joined", "style=solid" },
    { "direct", "style=bold" },
    { "remote", "style=dotted" },
    { "unconnected", "style=dotted" },
    { "ignored", "style=dotted" },
    { "foreign", TROUBLE },
    { "refused", TROUBLE },
    { "faulty", TROUBLE },
    { "failed", TROUBLE },
    { "blocked", TROUBLE },
    { "busy", TROUBLE },
};

typedef struct {
    NodeKind kind;
    char *name;
    guint id;
} Node;

typedef struct {
    Node *from, *to;
    char *nic;     /* of the guest `from`; or the TAP of a network */
    char *far_nic; /* of the guest `to`, where that has said so; or NULL */
    char *state;
} Edge;

struct NrGraph {
    GPtrArray *nodes; /* Node, ordered */
    GPtrArray *edges; /* Edge, ordered */
    GHashTable *seen; /* "KIND NAME" -> Node */
};

static void node_free(gpointer p)
{
    Node *node = p;

    g_free(node->name);
    g_free(node);
}

static void edge_free(gpointer p)
{
    Edge *edge = p;

    g_free(edge->nic);
    g_free(edge->far_nic);
    g_free(edge->state);
    g_free(edge);
}

/* Building it */

static Node *node_get(NrGraph *graph, NodeKind kind, const char *name)
{
    char *key = g_strdup_printf("%d %s", kind, name);
    Node *node = g_hash_table_lookup(graph->seen, key);

    if (node) {
        g_free(key);
        return node;
    }
    node = g_new0(Node, 1);
    node->kind = kind;
    node->name = g_strdup(name);
    g_ptr_array_add(graph->nodes, node);
    g_hash_table_insert(graph->seen, key, node);
    return node;
}

static void edge_add(NrGraph *graph, Node *from, Node *to, const char *nic, GVariant *row)
{
    Edge *edge = g_new0(Edge, 1);

    edge->from = from;
    edge->to = to;
    edge->nic = g_strdup(nic);
    edge->state = g_strdup(nr_row_text(row, "state"));
    g_ptr_array_add(graph->edges, edge);
}

/* Each guest of a pair has its row: the second one completes the edge of the first. */
static void add_direct(NrGraph *graph, Node *guest, GVariant *row)
{
    Node *peer = node_get(graph, NODE_GUEST, nr_row_text(row, "peer"));
    const char *nic = nr_row_text(row, "nic");

    for (guint i = 0; i < graph->edges->len; i++) {
        Edge *edge = graph->edges->pdata[i];

        if (edge->from == peer && edge->to == guest && !edge->far_nic) {
            edge->far_nic = g_strdup(nic);
            return;
        }
    }
    edge_add(graph, guest, peer, nic, row);
}

static void add_guest(NrGraph *graph, GVariant *row)
{
    Node *guest = node_get(graph, NODE_GUEST, nr_row_text(row, "guest"));
    const char *network = nr_row_text(row, "network");

    if (*network)
        edge_add(graph, guest, node_get(graph, NODE_NETWORK, network), nr_row_text(row, "nic"),
                 row);
    else if (g_str_equal(nr_row_text(row, "state"), "direct") && *nr_row_text(row, "peer"))
        add_direct(graph, guest, row);
    else
        edge_add(graph, guest, node_get(graph, NODE_FAR, nr_row_text(row, "address")),
                 nr_row_text(row, "nic"), row);
}

/* By user mode: each network has its own, whatever addresses it has. */
static void add_way_out(NrGraph *graph, Node *network, GVariant *row)
{
    g_autofree char *name = g_strdup_printf("out of %s", nr_row_text(row, "network"));

    edge_add(graph, network, node_get(graph, NODE_FAR, name), nr_row_text(row, "address"), row);
}

/* A network's own ends: a bridge, another relay, a connection that is no guest's. */
static void add_end(NrGraph *graph, GVariant *row)
{
    Node *network = node_get(graph, NODE_NETWORK, nr_row_text(row, "network"));
    const char *address = nr_row_text(row, "address"), *peer = nr_row_text(row, "peer");

    if (g_str_equal(nr_row_text(row, "kind"), "tap"))
        edge_add(graph, network, node_get(graph, NODE_BRIDGE, peer), address, row);
    else if (g_str_equal(nr_row_text(row, "kind"), "host") ||
             g_str_equal(nr_row_text(row, "kind"), "dnsmasq") ||
             g_str_equal(nr_row_text(row, "state"), "listening") ||
             g_str_equal(nr_row_text(row, "state"), "stopped"))
        return; /* for whoever comes; nothing is there */
    else if (g_str_equal(nr_row_text(row, "kind"), "user"))
        add_way_out(graph, network, row);
    else if (g_str_equal(nr_row_text(row, "kind"), "peer"))
        edge_add(graph, network, node_get(graph, NODE_FAR, address), "", row);
    else
        edge_add(graph, network, node_get(graph, NODE_FAR, *peer ? peer : address), "", row);
}

static int compare_nodes(const Node *a, const Node *b)
{
    return a->kind != b->kind ? (int)a->kind - (int)b->kind : strcmp(a->name, b->name);
}

static int compare_node_pointers(gconstpointer a, gconstpointer b)
{
    return compare_nodes(*(Node *const *)a, *(Node *const *)b);
}

static int compare_edges(gconstpointer a, gconstpointer b)
{
    const Edge *x = *(Edge *const *)a, *y = *(Edge *const *)b;
    int r = compare_nodes(x->from, y->from);

    r = r ? r : compare_nodes(x->to, y->to);
    return r ? r : strcmp(x->nic, y->nic);
}

/* So that a pair's edge has one direction, whoever was read first. */
static void turn_forward(Edge *edge)
{
    if (!edge->far_nic || compare_nodes(edge->from, edge->to) <= 0)
        return;
    *edge = (Edge){ edge->to, edge->from, edge->far_nic, edge->nic, edge->state };
}

static void put_in_order(NrGraph *graph)
{
    g_ptr_array_sort(graph->nodes, compare_node_pointers);
    for (guint i = 0; i < graph->nodes->len; i++)
        ((Node *)graph->nodes->pdata[i])->id = i;
    for (guint i = 0; i < graph->edges->len; i++)
        turn_forward(graph->edges->pdata[i]);
    g_ptr_array_sort(graph->edges, compare_edges);
}

NrGraph *nr_graph_new(GVariant *rows)
{
    NrGraph *graph = g_new0(NrGraph, 1);

    graph->nodes = g_ptr_array_new_with_free_func(node_free);
    graph->edges = g_ptr_array_new_with_free_func(edge_free);
    graph->seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (gsize i = 0; i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);

        if (*nr_row_text(row, "guest"))
            add_guest(graph, row);
        else
            add_end(graph, row);
    }
    put_in_order(graph);
    return graph;
}

void nr_graph_free(NrGraph *graph)
{
    if (!graph)
        return;
    g_hash_table_unref(graph->seen);
    g_ptr_array_unref(graph->edges);
    g_ptr_array_unref(graph->nodes);
    g_free(graph);
}

/* As graphviz's language */

/* Between quotes: there a backslash begins an escape, and an ampersand an entity. */
static void append_quoted(GString *text, const char *raw)
{
    g_autofree char *printable = nr_printable(raw);

    for (const char *c = printable; *c; c++) {
        if (*c == '&')
            g_string_append(text, "&amp;");
        else if (*c == '"' || *c == '\\')
            g_string_append_printf(text, "\\%c", *c);
        else
            g_string_append_c(text, *c);
    }
}

static void append_node(GString *text, const Node *node)
{
    g_string_append_printf(text, "    n%u [label=\"", node->id);
    append_quoted(text, node->name);
    g_string_append_printf(text, "\", %s];\n", node_kinds[node->kind].look);
}

static void append_edge(GString *text, const Edge *edge)
{
    const char *look = "style=dashed";

    for (guint i = 0; i < G_N_ELEMENTS(looks); i++)
        if (g_str_equal(looks[i].state, edge->state))
            look = looks[i].look;
    g_string_append_printf(text, "    n%u -- n%u [label=\"", edge->from->id, edge->to->id);
    append_quoted(text, edge->nic);
    if (edge->far_nic) {
        g_string_append(text, " - ");
        append_quoted(text, edge->far_nic);
    }
    if (!g_str_equal(edge->state, "connected")) {
        g_string_append(text, *edge->nic ? "\\n" : "");
        append_quoted(text, edge->state);
    }
    g_string_append_printf(text, "\", %s];\n", look);
}

char *nr_graph_dot(const NrGraph *graph)
{
    GString *text = g_string_new("graph netrelay {\n"
                                 "    rankdir=LR;\n"
                                 "    node [fontname=\"sans-serif\", fontsize=12];\n"
                                 "    edge [fontname=\"sans-serif\", fontsize=9];\n");

    for (guint i = 0; i < graph->nodes->len; i++)
        append_node(text, graph->nodes->pdata[i]);
    for (guint i = 0; i < graph->edges->len; i++)
        append_edge(text, graph->edges->pdata[i]);
    g_string_append(text, "}\n");
    return g_string_free(text, FALSE);
}

/* As data */

static GVariant *node_variant(const Node *node)
{
    GVariantBuilder dict;

    g_variant_builder_init(&dict, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&dict, "{sv}", "id", g_variant_new_uint32(node->id));
    nr_row_put_text(&dict, "kind", node_kinds[node->kind].name);
    nr_row_put_text(&dict, "name", node->name);
    return g_variant_builder_end(&dict);
}

static GVariant *edge_variant(const Edge *edge)
{
    GVariantBuilder dict;

    g_variant_builder_init(&dict, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&dict, "{sv}", "from", g_variant_new_uint32(edge->from->id));
    g_variant_builder_add(&dict, "{sv}", "to", g_variant_new_uint32(edge->to->id));
    nr_row_put_text(&dict, edge->from->kind == NODE_GUEST ? "nic" : "device", edge->nic);
    nr_row_put_text(&dict, "far_nic", edge->far_nic);
    nr_row_put_text(&dict, "state", edge->state);
    return g_variant_builder_end(&dict);
}

GVariant *nr_graph_variant(const NrGraph *graph)
{
    GVariantBuilder nodes, edges;

    g_variant_builder_init(&nodes, G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; i < graph->nodes->len; i++)
        g_variant_builder_add_value(&nodes, node_variant(graph->nodes->pdata[i]));
    g_variant_builder_init(&edges, G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; i < graph->edges->len; i++)
        g_variant_builder_add_value(&edges, edge_variant(graph->edges->pdata[i]));
    return g_variant_new_parsed("{'nodes': <%@aa{sv}>, 'edges': <%@aa{sv}>}",
                                g_variant_builder_end(&nodes), g_variant_builder_end(&edges));
}
