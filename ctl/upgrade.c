/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netrelayctl upgrade: running relays become the installed program, one after the other. */
#include <stdio.h>
#include "ctl/json.h"
#include "ctl/manager.h"
#include "daemon/row.h"
#include "xml/guest.h"

#define UPGRADE_TIMEOUT_MS 60000 /* forth, back, and a pass of the manager */
#define RELAYS_TIMEOUT_MS  10000

/* Names of networks: the operands, or all that have a relay. NULL: *ret_code. */
static GPtrArray *wanted(const NrCall *call, NrExit *ret_code)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GVariant) reply = NULL;
    g_autoptr(GVariant) rows = NULL;

    for (guint i = 0; i < call->operand_count; i++)
        g_ptr_array_add(names, g_strdup(call->operands[i]));
    if (names->len > 0)
        return g_steal_pointer(&names);
    reply = nr_manager_call(call, "Relays", "(aa{sv})", RELAYS_TIMEOUT_MS, FALSE, ret_code);
    if (!reply)
        return NULL;
    rows = g_variant_get_child_value(reply, 0);
    for (gsize i = 0; i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);

        g_ptr_array_add(names, g_strdup(nr_row_text(row, "network")));
    }
    return g_steal_pointer(&names);
}

static void say(const char *network, const char *outcome, const char *fault)
{
    g_autofree char *name = nr_printable(network);
    g_autofree char *why = nr_printable(fault);

    if (*fault)
        nr_complain("network %s is not upgraded: %s", name, why);
    else if (g_str_equal(outcome, "current"))
        printf("Network %s runs the installed program already\n", name);
    else
        printf("Network %s upgraded\n", name);
}

/* One network; where nobody answers, the rest need not be asked. */
static NrExit upgrade(const NrCall *call, const char *network, GVariantBuilder *list)
{
    NrExit code;
    g_autoptr(GVariant) reply =
        nr_manager_call_with(call, "Upgrade", g_variant_new("(@s)", nr_manager_name(network)),
                             "(ss)", UPGRADE_TIMEOUT_MS, FALSE, &code);
    const char *outcome, *fault;

    if (!reply)
        return code;
    g_variant_get(reply, "(&s&s)", &outcome, &fault);
    if (call->options & NR_OPTION_JSON)
        g_variant_builder_add_parsed(list, "{'network': <%s>, 'outcome': <%s>, 'fault': <%s>}",
                                     network, *fault ? "failed" : outcome, fault);
    else
        say(network, outcome, fault);
    return *fault ? NR_EXIT_FAILED : NR_EXIT_DONE;
}

NrExit nr_upgrade_run(const NrCall *call)
{
    g_auto(GVariantBuilder) list = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));
    NrExit worst = NR_EXIT_DONE, code = NR_EXIT_DONE;
    g_autoptr(GPtrArray) names = wanted(call, &code);

    for (guint i = 0; names && i < names->len; i++) {
        code = upgrade(call, names->pdata[i], &list);
        if (code != NR_EXIT_DONE)
            worst = code;
        if (code != NR_EXIT_DONE && code != NR_EXIT_FAILED)
            break;
    }
    if (names && call->options & NR_OPTION_JSON)
        nr_json_print(g_variant_new_parsed("{'networks': <%*>}", g_variant_builder_end(&list)));
    return names ? worst : code;
}
