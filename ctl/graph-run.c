/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netrelayctl graph: who talks to whom, for graphviz; --svg lets its dot draw it at once. */
#include <gio/gio.h>
#include <stdio.h>
#include "ctl/graph.h"
#include "ctl/json.h"
#include "ctl/manager.h"

#define STATUS_TIMEOUT_MS 10000

/* The drawing goes where our standard output goes. */
static NrExit draw(const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GSubprocess) dot =
        g_subprocess_new(G_SUBPROCESS_FLAGS_STDIN_PIPE, &error, "dot", "-Tsvg", NULL);

    if (!dot) {
        nr_complain("--svg needs the program dot (%s); install graphviz, or draw elsewhere what "
                    "netrelayctl graph prints",
                    error->message);
        return NR_EXIT_FAILED;
    }
    if (!g_subprocess_communicate_utf8(dot, text, NULL, NULL, NULL, &error)) {
        nr_complain("dot: %s", error->message);
        return NR_EXIT_FAILED;
    }
    if (g_subprocess_get_successful(dot))
        return NR_EXIT_DONE;
    nr_complain("dot did not draw the graph");
    return NR_EXIT_FAILED;
}

NrExit nr_graph_run(const NrCall *call)
{
    const guint forms = NR_OPTION_SVG | NR_OPTION_JSON;
    NrExit code;
    g_autoptr(GVariant) reply = NULL, rows = NULL;
    g_autoptr(NrGraph) graph = NULL;
    g_autofree char *text = NULL;

    if ((call->options & forms) == forms) {
        nr_complain("--svg excludes --json");
        return NR_EXIT_USAGE;
    }
    reply = nr_manager_call(call, "Status", "(aa{sv}a{sv})", STATUS_TIMEOUT_MS, FALSE, &code);
    if (!reply)
        return code;
    rows = g_variant_get_child_value(reply, 0);
    graph = nr_graph_new(rows);
    text = nr_graph_dot(graph);
    if (call->options & NR_OPTION_SVG)
        return draw(text);
    if (call->options & NR_OPTION_JSON)
        nr_json_print(nr_graph_variant(graph));
    else
        fputs(text, stdout);
    return NR_EXIT_DONE;
}
