/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netrelayctl revive: a deaf guest gets its network back, by managed save and start. */
#include <stdio.h>
#include "ctl/manager.h"
#include "xml/guest.h"

#define REVIVE_TIMEOUT_MS G_MAXINT /* as long as a guest's memory takes to be written and read */

NrExit nr_revive_run(const NrCall *call)
{
    g_autofree char *name = NULL;
    NrExit code;
    g_autoptr(GVariant) reply = nr_manager_call_with(
        call, "Revive", g_variant_new("(@s)", nr_manager_name(call->operands[0])), "()",
        REVIVE_TIMEOUT_MS, FALSE, &code);

    if (!reply)
        return code;
    name = nr_printable(call->operands[0]);
    printf("Guest %s saved, and started where it was\n", name);
    return NR_EXIT_DONE;
}
