/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netrelayctl plan: what the manager's next pass would do. */
#include <stdio.h>
#include "ctl/json.h"
#include "ctl/manager.h"
#include "xml/guest.h"

#define PLAN_TIMEOUT_MS 10000

static void print_people(const char *const *actions)
{
    if (!actions[0])
        puts("nothing to do: all is as it should be");
    for (guint i = 0; actions[i]; i++) {
        g_autofree char *printable = nr_printable(actions[i]);

        puts(printable);
    }
}

NrExit nr_plan_run(const NrCall *call)
{
    NrExit code;
    g_autoptr(GVariant) reply = NULL;
    g_autoptr(GVariant) actions = NULL;
    g_autofree const char **texts = NULL;

    if (call->options & NR_OPTION_XML)
        return nr_plan_xml_run(call);
    reply = nr_manager_call(call, "Plan", "(as)", PLAN_TIMEOUT_MS, FALSE, &code);
    if (!reply)
        return code;
    actions = g_variant_get_child_value(reply, 0);
    texts = g_variant_get_strv(actions, NULL);
    if (call->options & NR_OPTION_JSON)
        nr_json_print(g_variant_new_parsed("{'actions': <%@as>}", actions));
    else
        print_people(texts);
    return NR_EXIT_DONE;
}
