/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netrelayctl revive: a deaf guest gets its network back, by managed save and start. */
#include "ctl/manager.h"

#define REVIVE_TIMEOUT_MS G_MAXINT /* as long as a guest's memory takes to be written and read */

NrExit nr_revive_run(const NrCall *call)
{
    NrExit code;
    g_autoptr(GVariant) reply = nr_manager_call_with(
        call, "Revive", g_variant_new("(@s)", nr_manager_name(call->operands[0])), "()",
        REVIVE_TIMEOUT_MS, FALSE, &code);

    return reply ? NR_EXIT_DONE : code;
}
