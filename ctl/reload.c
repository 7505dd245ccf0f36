/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netrelayctl reload: network files and libvirt's list, read anew. */
#include "ctl/manager.h"

#define RELOAD_TIMEOUT_MS 30000 /* a pass, with every request of it at its own deadline */

NrExit nr_reload_run(const NrCall *call)
{
    NrExit code;
    g_autoptr(GVariant) reply =
        nr_manager_call(call, "Reload", "(as)", RELOAD_TIMEOUT_MS, FALSE, &code);
    g_autofree const char **faults = NULL;

    if (!reply)
        return code;
    g_variant_get(reply, "(^a&s)", &faults);
    for (guint i = 0; faults[i]; i++)
        nr_complain("%s", faults[i]);
    return faults[0] ? NR_EXIT_FAILED : NR_EXIT_DONE;
}
