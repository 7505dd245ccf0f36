/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netrelayctl tap-join, tap-leave: a TAP that a QEMU by hand has made, into a bridge and out of it.
 * contrib/qemu-ifup runs them: what QEMU calls a network script is then no shell's work. Neither
 * the manager nor a relay takes part.
 */
#include <errno.h>
#include <string.h>
#include "ctl/command.h"
#include "ctl/finding.h"
#include "ctl/host-links.h"
#include "net/bridge.h"

/* What would be said wrongly, or only after a change: a name for another kind of device. */
static gboolean check_names(const GPtrArray *links, const char *tap, const char *bridge)
{
    const NrHostLink *from = nr_host_links_find(links, tap);
    const NrHostLink *to = nr_host_links_find(links, bridge);
    g_autofree char *word = nr_shell_word(bridge);

    if (!from)
        nr_complain("there is no device %s on this host", tap);
    else if (!from->tap)
        nr_complain("%s is not a TAP", tap);
    else if (!to)
        nr_complain("there is no bridge %s; make it: ip link add %s type bridge && ip link set "
                    "%s up",
                    bridge, word, word);
    else if (!to->bridge)
        nr_complain("%s is not a bridge", bridge);
    else
        return TRUE;
    return FALSE;
}

static NrExit finish(const char *doing, const char *tap, const char *bridge, int r)
{
    if (r >= 0)
        return NR_EXIT_DONE;
    if (r == -ENOENT)
        nr_complain("%s is not in bridge %s", tap, bridge);
    else if (r == -EPERM || r == -EACCES)
        nr_complain("%s %s %s needs CAP_NET_ADMIN: do it as root", tap, doing, bridge);
    else
        nr_complain("%s %s %s: %s", tap, doing, bridge, strerror(-r));
    return NR_EXIT_FAILED;
}

NrExit nr_tap_join_run(const NrCall *call)
{
    const char *tap = call->operands[0], *bridge = call->operands[1];
    g_autoptr(GPtrArray) links = nr_host_links_read();
    g_autofree char *word = nr_shell_word(bridge);
    NrExit code;

    if (!check_names(links, tap, bridge))
        return NR_EXIT_FAILED;
    code = finish("into bridge", tap, bridge, bridge_enslave(bridge, tap));
    if (code == NR_EXIT_DONE && !nr_host_links_find(links, bridge)->up)
        nr_complain("bridge %s is down, so no frame passes it: ip link set %s up", bridge, word);
    return code;
}

NrExit nr_tap_leave_run(const NrCall *call)
{
    const char *tap = call->operands[0], *bridge = call->operands[1];
    g_autoptr(GPtrArray) links = nr_host_links_read();

    if (!check_names(links, tap, bridge))
        return NR_EXIT_FAILED;
    return finish("out of bridge", tap, bridge, bridge_release(bridge, tap));
}
