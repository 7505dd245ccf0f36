/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netrelayctl complete -- WORD...: what the last word could become, one candidate a line, for the
 * shell's completion. The words before it are those after "netrelayctl" on the command line. Names
 * of guests are strangers' text: the shell script quotes them, one with control bytes is left out.
 */
#include <stdio.h>
#include <string.h>
#include "ctl/host-links.h"
#include "ctl/manager.h"
#include "ctl/relay-rows.h"
#include "daemon/row.h"
#include "xml/guest.h"

#define COMPLETE_TIMEOUT_MS 1000 /* somebody holds a finger on the tab key */

static void offer(const char *candidate, const char *prefix)
{
    g_autofree char *printable = nr_printable(candidate);

    if (*candidate && g_str_has_prefix(candidate, prefix) && g_str_equal(candidate, printable))
        puts(candidate);
}

/* The relay that is meant; or NULL. */
static const char *relay_among(char **words, guint count)
{
    for (guint i = 1; i < count; i++) {
        if (g_str_equal(words[i - 1], "--relay") || g_str_equal(words[i - 1], "-r"))
            return words[i];
    }
    return NULL;
}

/* Whether the word to come is a relay: its network, or its path, which the shell completes. */
static gboolean names_relay(char **words, guint count)
{
    const char *last = count ? words[count - 1] : "";

    return g_str_equal(last, "--relay") || g_str_equal(last, "-r");
}

static const NrCommand *command_among(const NrCall *call, char **words, guint count)
{
    for (guint i = 0; i < count; i++) {
        const NrCommand *command;

        for (guint c = 0; (command = nr_command_at(call->relay != NULL, c)); c++) {
            if (command->summary && g_str_equal(command->name, words[i]))
                return command;
        }
    }
    return NULL;
}

static void offer_commands(const NrCall *call, const char *prefix)
{
    const NrCommand *command;

    for (guint i = 0; (command = nr_command_at(call->relay != NULL, i)); i++) {
        if (command->summary)
            offer(command->name, prefix);
    }
}

#define NR_OPTIONS_NO_COMMAND (NR_OPTION_HELP | NR_OPTION_VERSION | NR_OPTION_RELAY)

static void offer_options(const NrCommand *command, const char *prefix)
{
    guint wanted = command ? command->options | NR_OPTIONS_ANY : NR_OPTIONS_NO_COMMAND;
    const char *name;
    guint bit;

    for (guint i = 0; (name = nr_option_at(i, &bit)); i++) {
        g_autofree char *text = g_strconcat("--", name, NULL);

        if (bit & wanted)
            offer(text, prefix);
    }
}

enum { OFFER_NETWORKS = 1, OFFER_GUESTS = 2, OFFER_NICS = 4 }; /* what a name can mean */

/* Those that are there now. */
static void offer_names(const NrCall *call, guint kinds, const char *prefix)
{
    NrExit code;
    g_autoptr(GVariant) reply =
        nr_manager_call(call, "Status", "(aa{sv}a{sv})", COMPLETE_TIMEOUT_MS, TRUE, &code);
    g_autoptr(GVariant) rows = reply ? g_variant_get_child_value(reply, 0) : NULL;
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (gsize i = 0; rows && i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);
        const char *network = nr_row_text(row, "network"), *guest = nr_row_text(row, "guest");
        g_autofree char *nic = g_strdup_printf("%s/%s", guest, nr_row_text(row, "nic"));

        if (kinds & OFFER_NETWORKS && g_hash_table_add(seen, g_strdup(network)))
            offer(network, prefix);
        if (kinds & OFFER_GUESTS && g_hash_table_add(seen, g_strdup(guest)))
            offer(guest, prefix);
        if (kinds & OFFER_NICS && *guest)
            offer(nic, prefix);
    }
}

/* Networks that files define. */
static void offer_networks(const NrCall *call, const char *prefix)
{
    NrExit code;
    g_autoptr(GVariant) reply =
        nr_manager_call(call, "Networks", "(saa{sv})", COMPLETE_TIMEOUT_MS, TRUE, &code);
    g_autoptr(GVariant) rows = reply ? g_variant_get_child_value(reply, 1) : NULL;

    for (gsize i = 0; rows && i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);

        offer(nr_row_text(row, "name"), prefix);
    }
}

/* Of NICs that can be attached: their guests' names, or, with a key, what those of the guest that
 * is among the words are called. */
static void offer_nics(const NrCall *call, const char *key, char **words, guint count,
                       const char *prefix)
{
    NrExit code;
    g_autoptr(GVariant) reply =
        nr_manager_call(call, "Nics", "(aa{sv})", COMPLETE_TIMEOUT_MS, TRUE, &code);
    g_autoptr(GVariant) rows = reply ? g_variant_get_child_value(reply, 0) : NULL;
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (gsize i = 0; rows && i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);
        const char *guest = nr_row_text(row, "guest");

        if (g_str_equal(nr_row_text(row, "kind"), "other"))
            continue;
        if (!key && g_hash_table_add(seen, g_strdup(guest)))
            offer(guest, prefix);
        for (guint w = 0; key && w < count; w++)
            if (g_str_equal(words[w], guest))
                offer(nr_row_text(row, key), prefix);
    }
}

static void offer_bridges(const char *prefix)
{
    g_autoptr(GPtrArray) links = nr_host_links_read();

    for (guint i = 0; i < links->len; i++) {
        const NrHostLink *link = links->pdata[i];

        if (link->bridge)
            offer(link->name, prefix);
    }
}

/* The value of the option before it; FALSE: that takes none that is known. */
static gboolean offer_value(const NrCall *call, const NrCommand *command, char **words, guint count,
                            const char *prefix)
{
    static const struct {
        const char *option;
        guint bit;
    } values[] = {
        { "--mac", NR_OPTION_MAC },       { "--alias", NR_OPTION_ALIAS },
        { "--dev", NR_OPTION_DEV },       { "--network", NR_OPTION_NETWORK },
        { "--bridge", NR_OPTION_BRIDGE }, { "--peer", NR_OPTION_PEER },
    };
    const char *option = count ? words[count - 1] : "";

    for (guint i = 0; i < G_N_ELEMENTS(values); i++) {
        if (!g_str_equal(option, values[i].option) || !(command->options & values[i].bit))
            continue;
        if (values[i].bit == NR_OPTION_NETWORK)
            offer_networks(call, prefix);
        else if (values[i].bit == NR_OPTION_BRIDGE)
            offer_bridges(prefix);
        else if (values[i].bit != NR_OPTION_PEER)
            offer_nics(call, option + 2, words, count, prefix);
        return TRUE;
    }
    return FALSE;
}

static void offer_ids(const GPtrArray *rows, const char *prefix)
{
    for (guint i = 0; i < rows->len; i++) {
        g_autofree char *id =
            g_strdup_printf("%" G_GUINT64_FORMAT, nr_row_number(rows->pdata[i], "id"));

        offer(id, prefix);
    }
}

/* Endpoints or ports that a relay has now: by id, for the shell splits a word at each colon. */
static void offer_relay_ids(const NrCall *call, const NrCommand *command, const char *prefix)
{
    NrExit code;
    g_autoptr(NrRelayClient) client = nr_relay_client_new(call, TRUE, &code);
    g_autoptr(NrRelayRows) rows = client ? nr_relay_rows_fetch(client, &code) : NULL;

    if (!rows)
        return;
    offer_ids(command->run == nr_relay_detach_run ? rows->endpoints : rows->ports, prefix);
}

/* What the names in a command's operands are; 0: there are none of the manager's. */
static guint names_of(const NrCommand *command)
{
    static const struct {
        NrExit (*run)(const NrCall *call);
        guint kinds;
    } named[] = {
        { nr_status_run, OFFER_NETWORKS | OFFER_GUESTS },
        { nr_events_run, OFFER_NETWORKS | OFFER_GUESTS },
        { nr_revive_run, OFFER_GUESTS },
        { nr_upgrade_run, OFFER_NETWORKS },
        { nr_capture_by_name_run, OFFER_NETWORKS | OFFER_GUESTS | OFFER_NICS },
        { nr_ping_run, OFFER_NICS },
    };

    for (guint i = 0; i < G_N_ELEMENTS(named); i++)
        if (named[i].run == command->run)
            return named[i].kinds;
    return 0;
}

static gboolean takes_network(const NrCommand *command)
{
    return command->run == nr_net_undefine_run || command->run == nr_net_dumpxml_run ||
           command->run == nr_net_edit_run || command->run == nr_net_start_run ||
           command->run == nr_net_destroy_run || command->run == nr_net_autostart_run ||
           command->run == nr_net_leases_run;
}

static gboolean takes_nic(const NrCommand *command)
{
    return command->run == nr_attach_run || command->run == nr_detach_run;
}

static gboolean takes_ports(const NrCommand *command)
{
    return command->run == nr_relay_detach_run || command->run == nr_relay_close_run ||
           command->run == nr_relay_label_run || command->run == nr_relay_capture_run;
}

NrExit nr_complete_run(const NrCall *asked)
{
    guint before = asked->operand_count ? asked->operand_count - 1 : 0;
    const char *prefix = asked->operand_count ? asked->operands[before] : "";
    const NrCommand *command;
    NrCall call = *asked;

    call.relay = relay_among(call.operands, before);
    command = command_among(&call, call.operands, before);
    if (names_relay(call.operands, before))
        offer_names(&call, OFFER_NETWORKS, prefix);
    else if (command && g_str_equal(command->name, "help"))
        offer_commands(&call, prefix);
    else if (*prefix == '-')
        offer_options(command, prefix);
    else if (!command)
        offer_commands(&call, prefix);
    else if (names_of(command))
        offer_names(&call, names_of(command), prefix);
    else if (takes_nic(command) && !offer_value(&call, command, call.operands, before, prefix))
        offer_nics(&call, NULL, NULL, 0, prefix);
    else if (takes_network(command))
        offer_networks(&call, prefix);
    else if (takes_ports(command))
        offer_relay_ids(&call, command, prefix);
    return NR_EXIT_DONE;
}
