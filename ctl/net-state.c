/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netrelayctl net-start, net-destroy, net-autostart: whether a network is there now, which is the
 * manager's to say, and whether it is with the host's next start, which is written beside its file.
 */
#include <gio/gio.h>
#include <stdio.h>
#include "ctl/finding.h"
#include "ctl/manager.h"
#include "ctl/net-folder.h"
#include "ctl/seconds.h"
#include "daemon/row.h"
#include "ctl/status.h"

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

/* The guests of that network which dialled it and are in that state now. A
 * row stands for a NIC, and a guest may have many. */
static GPtrArray *dialled_guests(const NrCall *call, const char *state)
{
    g_auto(NrSilence) silence = { 0 };
    g_autoptr(GVariant) reply =
        nr_manager_ask(call, "Status", NULL, "(aa{sv}a{sv})", NR_STATUS_TIMEOUT_MS, &silence);
    g_autoptr(GVariant) rows = reply ? g_variant_get_child_value(reply, 0) : NULL;
    GPtrArray *guests = g_ptr_array_new_with_free_func(g_free);

    for (gsize i = 0; rows && i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);
        const char *guest = nr_row_text(row, "guest");

        if (*guest && g_str_equal(nr_row_text(row, "network"), call->operands[0]) &&
            g_str_equal(nr_row_text(row, "kind"), "client") &&
            g_str_equal(nr_row_text(row, "guest_state"), "running") &&
            g_str_equal(nr_row_text(row, "state"), state) &&
            !g_ptr_array_find_with_equal_func(guests, guest, g_str_equal, NULL))
            g_ptr_array_add(guests, g_strdup(guest));
    }
    return guests;
}

/* QEMU dials once: what was cut off stays so, also when the network is there again. */
static void say_revive(const GPtrArray *guests, const char *when)
{
    for (guint i = 0; i < guests->len; i++) {
        g_autofree char *word = nr_shell_word(guests->pdata[i]);

        nr_complain("guest %s is not connected; %s: netrelayctl revive %s",
                    (const char *)guests->pdata[i], when, word);
    }
}

/* How it goes on; the other terminal may be the one that is cut off. */
static void say_confirm(const NrCall *call, guint seconds)
{
    g_autofree char *word = nr_shell_word(call->operands[0]);

    if (seconds > 0)
        printf(
            "It is stopped again in %u seconds, unless you keep it: netrelayctl net-confirm %s\n",
            seconds, word);
}

NrExit nr_net_start_run(const NrCall *call)
{
    gboolean force = (call->options & NR_OPTION_FORCE) != 0;
    double seconds = 0;
    NrExit code;

    if (call->confirm && (!nr_seconds_read(call->confirm, &seconds) || seconds < 1)) {
        nr_complain("--confirm '%s': expected at least one of " NR_SECONDS_EXPECTED, call->confirm);
        return NR_EXIT_USAGE;
    }
    code = tell(call, "StartNetwork",
                g_variant_new("(@sbu)", nr_manager_name(call->operands[0]), force, (guint)seconds));
    if (code == NR_EXIT_DONE) {
        g_autoptr(GPtrArray) guests = dialled_guests(call, "waiting");

        printf("Network %s started\n", call->operands[0]);
        say_confirm(call, (guint)seconds);
        say_revive(guests, "to connect it");
    }
    return code;
}

NrExit nr_net_confirm_run(const NrCall *call)
{
    NrExit code =
        tell(call, "ConfirmNetwork", g_variant_new("(@s)", nr_manager_name(call->operands[0])));

    if (code == NR_EXIT_DONE)
        printf("Network %s stays\n", call->operands[0]);
    return code;
}

NrExit nr_net_destroy_run(const NrCall *call)
{
    gboolean force = (call->options & NR_OPTION_FORCE) != 0;
    g_autoptr(GPtrArray) guests = force ? dialled_guests(call, "connected") : NULL;
    NrExit code = tell(call, "StopNetwork",
                       g_variant_new("(@sb)", nr_manager_name(call->operands[0]), force));

    if (code != NR_EXIT_DONE)
        return code;
    printf("Network %s destroyed\n", call->operands[0]);
    if (guests)
        say_revive(guests, "once the network is started again");
    return code;
}

NrExit nr_net_autostart_run(const NrCall *call)
{
    gboolean on = !(call->options & NR_OPTION_DISABLE);
    const char *name = call->operands[0];
    g_autofree char *path = NULL;
    NrExit code;
    g_autoptr(NrNetFolder) folder = nr_net_folder_open(call, &path, &code);

    if (!folder)
        return code;
    if (!nr_net_folder_autostart(folder, name, on) || !nr_net_folder_apply(folder, path))
        return NR_EXIT_FAILED;
    printf("Network %s %s as autostarted\n", name, on ? "marked" : "unmarked");
    return NR_EXIT_DONE;
}
