/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netrelayctl status: what there is, as a table for people or as JSON. */
#include <stdio.h>
#include <string.h>
#include "ctl/json.h"
#include "ctl/nic-limits.h"
#include "ctl/manager.h"
#include "daemon/row.h"
#include "ctl/status.h"
#include "ctl/table.h"
#include "ctl/terminal.h"
#include "xml/guest.h"

enum { COLUMN_STATE = 6 };

static const NrColumn columns[] = {
    { "NETWORK", NR_COLUMN_NAME },
    { "PORT", NR_COLUMN_NUMBER, .spare = 3 },
    { "GUEST", NR_COLUMN_NAME },
    { "NIC", NR_COLUMN_ADDRESS, .spare = 2 },
    { "KIND", NR_COLUMN_TEXT, .spare = 1 },
    { "ADDRESS", NR_COLUMN_ADDRESS, .spare = 4 },
    { "STATE", NR_COLUMN_TEXT },
    { "RX", NR_COLUMN_NUMBER },
    { "TX", NR_COLUMN_NUMBER },
    { "DROPS", NR_COLUMN_NUMBER, .spare = 5 },
    { NULL },
};

static const struct {
    const char *state;
    NrTone tone;
} tones[] = {
    { "connected", NR_TONE_GOOD },    { "listening", NR_TONE_GOOD },
    { "direct", NR_TONE_GOOD },       { "dialling", NR_TONE_PENDING },
    { "waiting", NR_TONE_PENDING },   { "resolving", NR_TONE_PENDING },
    { "foreign", NR_TONE_BAD },       { "refused", NR_TONE_BAD },
    { "failed", NR_TONE_BAD },        { "remote", NR_TONE_QUIET },
    { "unconnected", NR_TONE_QUIET }, { "ignored", NR_TONE_QUIET },
    { "faulty", NR_TONE_BAD },        { "blocked", NR_TONE_BAD },
    { "stopped", NR_TONE_QUIET },     { "held", NR_TONE_PENDING },
    { "joined", NR_TONE_GOOD },       { "busy", NR_TONE_BAD },
    { "set", NR_TONE_GOOD },          { "serving", NR_TONE_GOOD },
};

static NrTone tone_of(const char *state)
{
    for (guint i = 0; i < G_N_ELEMENTS(tones); i++) {
        if (g_str_equal(tones[i].state, state))
            return tones[i].tone;
    }
    return NR_TONE_PLAIN;
}

static void add_number(NrTable *table, gboolean there, char *text)
{
    nr_table_cell(table, there ? text : NULL);
    g_free(text);
}

/* Of a TAP or an address a person wants to know where it is, of another host's connection that
 * host. */
static void add_address(NrTable *table, GVariant *row)
{
    const char *address = nr_row_text(row, "address"), *peer = nr_row_text(row, "peer");
    g_autofree char *both = NULL;

    if (g_str_equal(nr_row_text(row, "kind"), "tap"))
        both = g_strdup_printf("%s in %s", *address ? address : "(no TAP)", peer);
    else if (g_str_equal(nr_row_text(row, "kind"), "host"))
        both = *address ? g_strdup_printf("%s on %s", address, peer)
                        : g_strdup_printf("the way out of %s", peer);
    else if (g_str_equal(nr_row_text(row, "kind"), "dnsmasq"))
        both = g_strdup_printf("on %s", address);
    else if (nr_row_is_from_elsewhere(row))
        both = g_strdup_printf("%s from %s", address, peer);
    nr_table_cell(table, both ? both : address);
}

static void add_row(NrTable *table, GVariant *row)
{
    const char *state = nr_row_text(row, "state");
    const char *reason = nr_row_text(row, "reason");
    g_autofree char *limits = nr_limits_text(nr_row_text(row, "options"));
    gboolean has_port = nr_row_number(row, "port") != 0;

    nr_table_row(table, COLUMN_STATE, tone_of(state));
    nr_table_cell(table, nr_row_text(row, "network"));
    add_number(table, has_port, g_strdup_printf("%" G_GUINT64_FORMAT, nr_row_number(row, "port")));
    nr_table_cell(table, nr_row_text(row, "guest"));
    nr_table_cell(table, nr_row_text(row, "nic"));
    nr_table_cell(table, nr_row_text(row, "kind"));
    add_address(table, row);
    nr_table_cell(table, state);
    add_number(table, has_port, nr_human_number(nr_row_number(row, "rx_bytes")));
    add_number(table, has_port, nr_human_number(nr_row_number(row, "tx_bytes")));
    add_number(table, has_port, g_strdup_printf("%" G_GUINT64_FORMAT, nr_row_number(row, "drops")));
    if (*reason)
        nr_table_remark(table, reason);
    if (g_str_equal(nr_row_text(row, "link"), "down"))
        nr_table_remark(table, "its link is set down");
    if (limits)
        nr_table_remark(table, limits);
}

static gboolean is_named(GVariant *row, const char *name)
{
    return g_str_equal(nr_row_text(row, "network"), name) ||
           g_str_equal(nr_row_text(row, "guest"), name);
}

static gboolean is_wanted(GVariant *row, const NrCall *call, GHashTable *own)
{
    for (guint i = 0; i < call->operand_count; i++)
        if (is_named(row, call->operands[i]))
            return TRUE;
    return call->operand_count == 0 || g_hash_table_contains(own, nr_row_text(row, "network"));
}

/* The networks that a NIC with a <peer> of its own has for itself: their rows are about its guest,
 * and nobody knows their names. A set; borrows from all. */
static GHashTable *own_networks(GVariant *all, const NrCall *call)
{
    GHashTable *own = g_hash_table_new(g_str_hash, g_str_equal);

    for (gsize i = 0; i < g_variant_n_children(all); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(all, i);
        const char *network = nr_row_text(row, "network");

        for (guint k = 0; k < call->operand_count; k++)
            if (g_str_equal(nr_row_text(row, "guest"), call->operands[k]) &&
                g_str_has_prefix(network, "peer:"))
                g_hash_table_add(own, (gpointer)network);
    }
    return own;
}

/* By name, and what has none comes last. */
static int compare_texts(GVariant *a, GVariant *b, const char *key)
{
    const char *x = nr_row_text(a, key), *y = nr_row_text(b, key);

    if (!*x || !*y)
        return !*x - !*y;
    return strcmp(x, y);
}

/* Networks together, and the rows of a guest in an order that the next call has, too. */
static int compare_rows(gconstpointer a, gconstpointer b)
{
    static const char *const keys[] = { "network", "guest", "nic", "kind", "address" };
    GVariant *const *x = a, *const *y = b;
    int r = 0;

    for (guint i = 0; r == 0 && i < G_N_ELEMENTS(keys); i++)
        r = compare_texts(*x, *y, keys[i]);
    return r;
}

/* The rows that were asked for. */
static GVariant *choose_rows(GVariant *all, const NrCall *call)
{
    g_auto(GVariantBuilder) builder = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));
    g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func((GDestroyNotify)g_variant_unref);
    g_autoptr(GHashTable) own = own_networks(all, call);

    for (gsize i = 0; i < g_variant_n_children(all); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(all, i);

        if (is_wanted(row, call, own))
            g_ptr_array_add(rows, g_steal_pointer(&row));
    }
    g_ptr_array_sort(rows, compare_rows);
    for (guint i = 0; i < rows->len; i++)
        g_variant_builder_add_value(&builder, rows->pdata[i]);
    return g_variant_ref_sink(g_variant_builder_end(&builder));
}

static void append_summary(GString *lines, GVariant *summary)
{
    g_autofree const char **faults = NULL;
    g_autofree char *libvirt = nr_printable(nr_row_text(summary, "libvirt"));
    g_autofree char *uri = nr_printable(nr_row_text(summary, "uri"));
    gboolean hook = FALSE;

    g_variant_lookup(summary, "hook", "b", &hook);
    g_string_append_printf(
        lines, "netrelayd %s, pid %" G_GUINT64_FORMAT "; %s: %s; libvirt's hook is %s\n",
        nr_row_text(summary, "version"), nr_row_number(summary, "pid"), uri, libvirt,
        hook ? "installed" : "not installed");
    if (!g_variant_lookup(summary, "faults", "^a&s", &faults))
        return;
    for (guint i = 0; faults[i]; i++) {
        g_autofree char *fault = nr_printable(faults[i]);

        g_string_append_printf(lines, "refused: %s\n", fault);
    }
}

/* Names that nothing has are complained of by themselves, where it is shown once. */
static const char *nothing_text(const NrCall *call)
{
    if (call->operand_count == 0)
        return "nothing is there: no network, and no guest's NIC of type client, server or udp\n\n";
    return call->options & NR_OPTION_WATCH
               ? "nothing is there by that name: no network, and no active guest with a NIC of "
                 "type client, server or udp\n\n"
               : "";
}

static char *rows_text(GVariant *rows, const NrCall *call)
{
    g_autoptr(NrTable) table = nr_table_new(columns);
    g_autofree char *text = NULL;

    for (gsize i = 0; i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);

        add_row(table, row);
    }
    if (g_variant_n_children(rows) == 0)
        return g_strdup(nothing_text(call));
    text = nr_table_text(table, nr_terminal_room());
    return g_strconcat(text, "\n", NULL);
}

char *nr_status_text(GVariant *reply, const NrCall *call)
{
    g_autoptr(GVariant) all = g_variant_get_child_value(reply, 0);
    g_autoptr(GVariant) summary = g_variant_get_child_value(reply, 1);
    g_autoptr(GVariant) rows = choose_rows(all, call);
    g_autofree char *text = rows_text(rows, call);
    GString *lines = g_string_new(text);

    append_summary(lines, summary);
    return g_string_free(lines, FALSE);
}

GVariant *nr_status_document(GVariant *reply, const NrCall *call)
{
    g_autoptr(GVariant) all = g_variant_get_child_value(reply, 0);
    g_autoptr(GVariant) summary = g_variant_get_child_value(reply, 1);
    g_autoptr(GVariant) rows = choose_rows(all, call);

    return g_variant_ref_sink(
        g_variant_new_parsed("{'rows': <%@aa{sv}>, 'summary': <%@a{sv}>}", rows, summary));
}

static gboolean is_there(GVariant *rows, const char *name)
{
    for (gsize i = 0; i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);

        if (is_named(row, name))
            return TRUE;
    }
    return FALSE;
}

/* Each name that was asked for has to be one of something. */
static NrExit check_names(GVariant *reply, const NrCall *call)
{
    g_autoptr(GVariant) rows = g_variant_get_child_value(reply, 0);
    NrExit code = NR_EXIT_DONE;

    for (guint i = 0; i < call->operand_count; i++) {
        if (is_there(rows, call->operands[i]))
            continue;
        nr_complain("nothing is there by the name '%s': no network, and no active guest with a "
                    "NIC of type client, server or udp",
                    call->operands[i]);
        code = NR_EXIT_FAILED;
    }
    return code;
}

NrExit nr_status_run(const NrCall *call)
{
    g_autoptr(GVariant) reply = NULL;
    NrExit code;

    if (call->options & NR_OPTION_WATCH)
        return nr_status_watch(call);
    reply = nr_manager_call(call, "Status", "(aa{sv}a{sv})", NR_STATUS_TIMEOUT_MS, FALSE, &code);
    if (!reply)
        return code;
    if (call->options & NR_OPTION_JSON) {
        g_autoptr(GVariant) document = nr_status_document(reply, call);

        nr_json_print(document);
    } else {
        g_autofree char *text = nr_status_text(reply, call);

        fputs(text, stdout);
    }
    return check_names(reply, call);
}
