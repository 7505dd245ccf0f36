/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netrelayctl net-start, net-destroy, net-autostart: whether a network is there now, which is the
 * manager's to say, and whether it is with the host's next start, which is written beside its file.
 */
#include <gio/gio.h>
#include <stdio.h>
#include "ctl/manager.h"
#include "ctl/net-folder.h"

#define PASS_TIMEOUT_MS 30000 /* a pass, with every request of it at its own deadline */

/* The manager's answer is what is wrong, or "". */
static NrExit tell(const NrCall *call, const char *method, GVariant *arguments)
{
    NrExit code;
    g_autoptr(GVariant) reply =
        nr_manager_call_with(call, method, arguments, "(s)", PASS_TIMEOUT_MS, FALSE, &code);
    const char *fault;

    if (!reply)
        return code;
    g_variant_get(reply, "(&s)", &fault);
    if (!*fault)
        return NR_EXIT_DONE;
    nr_complain("%s", fault);
    return NR_EXIT_FAILED;
}

NrExit nr_net_start_run(const NrCall *call)
{
    NrExit code =
        tell(call, "StartNetwork", g_variant_new("(@s)", nr_manager_name(call->operands[0])));

    if (code == NR_EXIT_DONE)
        printf("Network %s started\n", call->operands[0]);
    return code;
}

NrExit nr_net_destroy_run(const NrCall *call)
{
    gboolean force = (call->options & NR_OPTION_FORCE) != 0;
    NrExit code = tell(call, "StopNetwork",
                       g_variant_new("(@sb)", nr_manager_name(call->operands[0]), force));

    if (code == NR_EXIT_DONE)
        printf("Network %s destroyed\n", call->operands[0]);
    return code;
}

NrExit nr_net_autostart_run(const NrCall *call)
{
    gboolean on = !(call->options & NR_OPTION_DISABLE);
    const char *name = call->operands[0];
    g_autoptr(NrNetFolder) folder = NULL;
    g_autofree char *path = NULL;
    NrExit code;

    folder = nr_net_folder_new(call, &code);
    if (!folder)
        return code;
    path = nr_net_folder_find(folder, name);
    if (!path || !nr_net_folder_autostart(folder, name, on) || !nr_net_folder_apply(folder, path))
        return NR_EXIT_FAILED;
    printf("Network %s %s as autostarted\n", name, on ? "marked" : "unmarked");
    return NR_EXIT_DONE;
}
