/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netrelayctl net-define, net-undefine, net-dumpxml: a network's file comes, goes, is shown. What
 * is kept is what its writer wrote, with comments and all. */
#include <stdio.h>
#include "ctl/manager.h"
#include "ctl/net-folder.h"
#include "ctl/read-all.h"
#include "ctl/status.h"
#include "daemon/row.h"
#include "xml/guest.h"
#include "xml/network-xml.h"

static GByteArray *read_file(const char *file)
{
    GByteArray *text = NULL;
    int r = nr_read_named(file, NR_NETWORK_XML_MAX, &text);

    if (r < 0)
        nr_complain("cannot read %s: %s", file, g_strerror(-r));
    return text;
}

/* The file may be kept for the system's manager, so it is no fault. */
static gboolean is_active(const NrNetFolder *folder, const char *name)
{
    for (gsize i = 0; folder->live && i < g_variant_n_children(folder->live); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(folder->live, i);
        gboolean active = FALSE;

        g_variant_lookup(row, "active", "b", &active);
        if (active && g_str_equal(nr_row_text(row, "name"), name))
            return TRUE;
    }
    return FALSE;
}

/* The manager has others wait, too, whose file just appears. */
static void remark_on_uplink(const NrNetFolder *folder, const NrNetwork *network)
{
    if (nr_network_takes_uplink(network) && !is_active(folder, network->name))
        printf("It moves the addresses of %s to the bridge %s, so it is not started by itself: "
               "netrelayctl net-start --confirm 60 %s\n",
               network->forward_dev, network->bridge, network->name);
}

/* A row of the network's own that says what it does not have; tunnels are given their time. */
static gboolean lacks_something(GVariant *row, const char *network)
{
    const char *fault = nr_row_fault(row);

    return fault && g_str_equal(nr_row_text(row, "network"), network) &&
           !*nr_row_text(row, "guest") && *nr_row_text(row, "reason") &&
           !g_str_equal(fault, "tunnel");
}

/* The first thing: the others often follow from it, and status has them all. */
static void remark_on_what_lacks(const NrCall *call, const char *network)
{
    g_auto(NrSilence) silence = { 0 };
    g_autoptr(GVariant) reply =
        nr_manager_ask(call, "Status", NULL, "(aa{sv}a{sv})", NR_STATUS_TIMEOUT_MS, &silence);
    g_autoptr(GVariant) rows = reply ? g_variant_get_child_value(reply, 0) : NULL;

    for (gsize i = 0; rows && i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);

        if (!lacks_something(row, network))
            continue;
        nr_complain("network %s: %s", network, nr_row_text(row, "reason"));
        return;
    }
}

static void remark_on(const NrCall *call, const NrNetwork *network)
{
    if (call->uid != 0 && network->bridge)
        nr_complain("bridge %s of network %s is left out: bridges need the system's manager, and "
                    "this is a user's",
                    network->bridge, network->name);
    else
        remark_on_what_lacks(call, network->name);
}

NrExit nr_net_define_run(const NrCall *call)
{
    const char *file = call->operands[0];
    g_autoptr(GByteArray) text = read_file(file);
    g_autoptr(NrNetFolder) folder = NULL;
    g_autoptr(NrNetwork) network = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *shown = NULL;
    NrExit code;

    if (!text)
        return NR_EXIT_FAILED;
    folder = nr_net_folder_new(call, &code);
    if (!folder)
        return code;
    network = nr_net_folder_judge(folder, (const char *)text->data, text->len, file, NULL, &error);
    if (!network) {
        nr_complain("%s", error->message);
        return NR_EXIT_FAILED;
    }
    if (!nr_net_folder_write(folder, network->file, (const char *)text->data, text->len) ||
        !nr_net_folder_apply(folder, network->file))
        return NR_EXIT_FAILED;
    shown = nr_printable(file);
    printf("Network %s defined from %s\n", network->name, shown);
    remark_on_uplink(folder, network);
    remark_on(call, network);
    return NR_EXIT_DONE;
}

NrExit nr_net_undefine_run(const NrCall *call)
{
    const char *name = call->operands[0];
    g_autofree char *path = NULL;
    NrExit code;
    g_autoptr(NrNetFolder) folder = nr_net_folder_open(call, &path, &code);

    if (!folder)
        return code;
    if (!nr_net_folder_remove(folder, path) || !nr_net_folder_autostart(folder, name, TRUE) ||
        !nr_net_folder_apply(folder, path))
        return NR_EXIT_FAILED;
    printf("Network %s has been undefined\n", name);
    return NR_EXIT_DONE;
}

NrExit nr_net_dumpxml_run(const NrCall *call)
{
    g_autofree char *path = NULL;
    NrExit code;
    g_autoptr(NrNetFolder) folder = nr_net_folder_open(call, &path, &code);
    g_autoptr(GByteArray) text = folder ? read_file(path) : NULL;

    if (!folder)
        return code;
    if (!text || fwrite(text->data, 1, text->len, stdout) != text->len)
        return NR_EXIT_FAILED;
    return NR_EXIT_DONE;
}
