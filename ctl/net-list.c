/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netrelayctl net-list: the networks that files define, and whether they are there. */
#include <gio/gio.h>
#include <stdio.h>
#include "ctl/json.h"
#include "ctl/net-folder.h"
#include "daemon/row.h"
#include "ctl/table.h"

enum { COLUMN_STATE = 1 };

static const NrColumn columns[] = {
    { "NAME", NR_COLUMN_TEXT },
    { "STATE", NR_COLUMN_TEXT },
    { "AUTOSTART", NR_COLUMN_TEXT },
    { "FILE", NR_COLUMN_TEXT },
    { NULL, 0 },
};

typedef struct {
    const NrCall *call;
    GHashTable *manual;    /* names of those that do not autostart */
    NrTable *table;        /* for a person */
    GVariantBuilder *list; /* for a program */
} Listing;

static NrTone tone_of(const char *state)
{
    if (g_str_equal(state, "active"))
        return NR_TONE_GOOD;
    return g_str_equal(state, "inactive") ? NR_TONE_QUIET : NR_TONE_PENDING;
}

/* As virsh has it: without an option only what is active; where nobody can tell, all. */
static gboolean is_wanted(const NrCall *call, const char *state)
{
    if (call->options & NR_OPTION_ALL || g_str_equal(state, "unknown"))
        return TRUE;
    return g_str_equal(state, call->options & NR_OPTION_INACTIVE ? "inactive" : "active");
}

static void add(const Listing *listing, const char *name, const char *state, const char *file)
{
    gboolean autostart = !g_hash_table_contains(listing->manual, name);

    if (!is_wanted(listing->call, state))
        return;
    nr_table_row(listing->table, COLUMN_STATE, tone_of(state));
    nr_table_cell(listing->table, name);
    nr_table_cell(listing->table, state);
    nr_table_cell(listing->table, autostart ? "yes" : "no");
    nr_table_cell(listing->table, file);
    g_variant_builder_add_parsed(listing->list,
                                 "{'name': <%s>, 'state': <%s>, 'autostart': <%b>, 'file': <%s>}",
                                 name, state, autostart, file);
}

/* What a manager says, which may differ from the files: it keeps a network whose file has become
 * faulty. */
static void add_live(const Listing *listing, GVariant *rows)
{
    for (gsize i = 0; i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);
        gboolean active = FALSE;

        g_variant_lookup(row, "active", "b", &active);
        add(listing, nr_row_text(row, "name"), active ? "active" : "inactive",
            nr_row_text(row, "file"));
    }
}

static void add_files(const Listing *listing, const NrNetworks *networks)
{
    for (guint i = 0; i < networks->networks->len; i++) {
        const NrNetwork *network = g_ptr_array_index(networks->networks, i);
        g_autofree char *file = g_utf8_make_valid(network->file, -1);

        add(listing, network->name, "unknown", file);
    }
}

NrExit nr_net_list_run(const NrCall *call)
{
    g_auto(GVariantBuilder) list = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));
    g_autoptr(NrTable) table = nr_table_new(columns);
    g_autoptr(NrNetFolder) folder = NULL;
    g_autoptr(GHashTable) manual = NULL;
    NrExit code;

    folder = nr_net_folder_new(call, &code);
    if (!folder)
        return code;
    manual = nr_networks_manual(folder->directory);
    if (folder->live)
        add_live(&(Listing){ call, manual, table, &list }, folder->live);
    else
        add_files(&(Listing){ call, manual, table, &list }, folder->networks);
    if (call->options & NR_OPTION_JSON)
        nr_json_print(g_variant_new_parsed("{'networks': <%*>}", g_variant_builder_end(&list)));
    else
        nr_table_print(table);
    return NR_EXIT_DONE;
}
