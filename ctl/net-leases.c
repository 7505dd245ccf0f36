/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netrelayctl net-dhcp-leases: virsh's table of the same name, of a network of ours. */
#include <gio/gio.h>
#include "ctl/command.h"
#include "ctl/json.h"
#include "ctl/manager.h"
#include "ctl/table.h"
#include "daemon/row.h"

#define TIMEOUT_MS 5000

static const NrColumn columns[] = {
    { "EXPIRY TIME", NR_COLUMN_TEXT },
    { "MAC ADDRESS", NR_COLUMN_TEXT },
    { "PROTOCOL", NR_COLUMN_TEXT },
    { "IP ADDRESS", NR_COLUMN_TEXT },
    { "HOSTNAME", NR_COLUMN_NAME },
    { "CLIENT ID OR DUID", NR_COLUMN_TEXT },
    { NULL, 0 },
};

static char *expiry_text(guint64 expiry)
{
    g_autoptr(GDateTime) time = expiry ? g_date_time_new_from_unix_local((gint64)expiry) : NULL;

    return time ? g_date_time_format(time, "%F %T") : g_strdup("never");
}

static void add(NrTable *table, GVariant *row)
{
    g_autofree char *expiry = expiry_text(nr_row_number(row, "expiry"));

    nr_table_row(table, 0, NR_TONE_PLAIN);
    nr_table_cell(table, expiry);
    nr_table_cell(table, nr_row_text(row, "mac"));
    nr_table_cell(table, nr_row_text(row, "protocol"));
    nr_table_cell(table, nr_row_text(row, "ip"));
    nr_table_cell(table, nr_row_text(row, "hostname"));
    nr_table_cell(table, nr_row_text(row, "client"));
}

NrExit nr_net_leases_run(const NrCall *call)
{
    g_autoptr(NrTable) table = nr_table_new(columns);
    NrExit code;
    g_autoptr(GVariant) reply = nr_manager_call_with(
        call, "Leases", g_variant_new("(@s)", nr_manager_name(call->operands[0])), "(aa{sv})",
        TIMEOUT_MS, FALSE, &code);
    g_autoptr(GVariant) rows = reply ? g_variant_get_child_value(reply, 0) : NULL;

    if (!rows)
        return code;
    if (call->options & NR_OPTION_JSON) {
        nr_json_print(g_variant_new_parsed("{'leases': <%@aa{sv}>}", rows));
        return NR_EXIT_DONE;
    }
    for (gsize i = 0; i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);

        add(table, row);
    }
    nr_table_print(table);
    return NR_EXIT_DONE;
}
