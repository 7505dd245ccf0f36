/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who talks to whom, as a graph made of the rows of Status: guests, networks, bridges and far ends,
 * and what joins them. Pure. */
#ifndef NR_CTL_GRAPH_H
#define NR_CTL_GRAPH_H

#include <glib.h>

typedef struct NrGraph NrGraph;

/* rows: aa{sv}. In whatever order they come, the graph of what they say is the same. */
NrGraph *nr_graph_new(GVariant *rows);
void nr_graph_free(NrGraph *graph);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NrGraph, nr_graph_free)

/* In graphviz's language; names are strangers' text and mean nothing there. New string. */
char *nr_graph_dot(const NrGraph *graph);
/* a{sv}, floating: "nodes", each with id, kind and name; "edges", each with the ids of its ends. */
GVariant *nr_graph_variant(const NrGraph *graph);

#endif
