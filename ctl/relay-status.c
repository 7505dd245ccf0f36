/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netrelayctl --relay PATH status and watch: one relay, as it says itself. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include "ctl/json.h"
#include "ctl/relay-rows.h"
#include "daemon/row.h"
#include "ctl/table.h"
#include "xml/guest.h"

enum { ENDPOINT_COLUMN_STATE = 1, PORT_COLUMN_STATE = 2 };

/* An endpoint's text can be long: it stands once, where it moves no other column. */
static const NrColumn endpoint_columns[] = {
    { "ID", NR_COLUMN_NUMBER },
    { "STATE", NR_COLUMN_TEXT },
    { "LABEL", NR_COLUMN_TEXT },
    { "ENDPOINT", NR_COLUMN_TEXT },
    { NULL, 0 },
};

static const NrColumn port_columns[] = {
    { "PORT", NR_COLUMN_NUMBER },     { "ENDPOINT", NR_COLUMN_NUMBER },
    { "STATE", NR_COLUMN_TEXT },      { "PEER", NR_COLUMN_TEXT },
    { "LABEL", NR_COLUMN_TEXT },      { "RX FRAMES", NR_COLUMN_NUMBER },
    { "RX BYTES", NR_COLUMN_NUMBER }, { "TX FRAMES", NR_COLUMN_NUMBER },
    { "TX BYTES", NR_COLUMN_NUMBER }, { "DROPS", NR_COLUMN_NUMBER },
    { "QUEUED", NR_COLUMN_NUMBER },   { NULL, 0 },
};

/* Why frames were dropped, in the words of netrelay(1). */
static const char *const drop_reasons[] = { "queue", "runt",   "size", "stranger",
                                            "error", "filter", "loop", "storm" };

static NrTone tone_of(const char *state)
{
    if (g_str_equal(state, "up") || g_str_equal(state, "listening"))
        return NR_TONE_GOOD;
    return g_str_equal(state, "dialling") ? NR_TONE_PENDING : NR_TONE_BAD;
}

static void add_number(NrTable *table, guint64 number)
{
    g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, number);

    nr_table_cell(table, text);
}

static void add_bytes(NrTable *table, guint64 bytes)
{
    g_autofree char *text = nr_human_number(bytes);

    nr_table_cell(table, text);
}

static void add_endpoint(NrTable *table, GVariant *endpoint)
{
    nr_table_row(table, ENDPOINT_COLUMN_STATE, tone_of(nr_row_text(endpoint, "state")));
    add_number(table, nr_row_number(endpoint, "id"));
    nr_table_cell(table, nr_row_text(endpoint, "state"));
    nr_table_cell(table, nr_row_text(endpoint, "label"));
    nr_table_cell(table, nr_row_text(endpoint, "endpoint"));
    if (*nr_row_text(endpoint, "detail"))
        nr_table_remark(table, nr_row_text(endpoint, "detail"));
}

static void remark_drops(NrTable *table, GVariant *port)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint i = 0; i < G_N_ELEMENTS(drop_reasons); i++) {
        g_autofree char *key = g_strconcat("drop_", drop_reasons[i], NULL);
        guint64 number = nr_row_number(port, key);

        if (number)
            g_string_append_printf(text, "%s%" G_GUINT64_FORMAT " %s",
                                   text->len ? ", " : "dropped: ", number, drop_reasons[i]);
    }
    if (text->len)
        nr_table_remark(table, text->str);
}

static void add_port(NrTable *table, GVariant *port)
{
    const char *peer = nr_row_text(port, "peer");

    nr_table_row(table, PORT_COLUMN_STATE, tone_of(nr_row_text(port, "state")));
    add_number(table, nr_row_number(port, "id"));
    add_number(table, nr_row_number(port, "endpoint_id"));
    nr_table_cell(table, nr_row_text(port, "state"));
    nr_table_cell(table, *peer ? peer : nr_row_text(port, "detail"));
    nr_table_cell(table, nr_row_text(port, "label"));
    add_number(table, nr_row_number(port, "rx_frames"));
    add_bytes(table, nr_row_number(port, "rx_bytes"));
    add_number(table, nr_row_number(port, "tx_frames"));
    add_bytes(table, nr_row_number(port, "tx_bytes"));
    add_number(table, nr_row_number(port, "drops"));
    add_bytes(table, nr_row_number(port, "queued"));
    remark_drops(table, port);
}

static void print_people(const NrRelayClient *client, const NrRelayRows *rows)
{
    g_autoptr(NrTable) endpoints = nr_table_new(endpoint_columns);
    g_autoptr(NrTable) ports = nr_table_new(port_columns);
    g_autofree char *network = nr_printable(client->network);

    printf("netrelay, pid %u%s%s\n\n", client->pid, *network ? ", network " : "", network);
    for (guint i = 0; i < rows->endpoints->len; i++)
        add_endpoint(endpoints, rows->endpoints->pdata[i]);
    for (guint i = 0; i < rows->ports->len; i++)
        add_port(ports, rows->ports->pdata[i]);
    nr_table_print(endpoints);
    putchar('\n');
    nr_table_print(ports);
}

NrExit nr_relay_status_run(const NrCall *call)
{
    NrExit code;
    g_autoptr(NrRelayClient) client = nr_relay_client_new(call, FALSE, &code);
    g_autoptr(NrRelayRows) rows = client ? nr_relay_rows_fetch(client, &code) : NULL;
    g_autofree char *network = NULL;

    if (!rows)
        return code;
    network = g_utf8_make_valid(client->network, -1);
    if (call->options & NR_OPTION_JSON)
        nr_json_print(g_variant_new_parsed(
            "{'network': <%s>, 'pid': <%u>, 'endpoints': <%@aa{sv}>, 'ports': <%@aa{sv}>}", network,
            client->pid, nr_relay_rows_list(rows->endpoints), nr_relay_rows_list(rows->ports)));
    else
        print_people(client, rows);
    return NR_EXIT_DONE;
}

/* Watching: a line an event, on its way at once. */

static void print_event(const struct ctl_msg *msg, gpointer data)
{
    static const char *const keys[] = { "endpoint", "peer", "label", "detail" };
    const NrCall *call = data;
    g_autoptr(GVariant) row = nr_relay_row_new(msg);
    enum ctl_type type = ctl_msg_type(msg);
    gboolean is_port = type == CTL_EVENT_PORT || type == CTL_EVENT_PORT_GONE;
    gboolean is_gone = type == CTL_EVENT_PORT_GONE || type == CTL_EVENT_ENDPOINT_GONE;

    if (call->options & NR_OPTION_JSON) {
        nr_json_print_line(
            g_variant_new_parsed("{'event': <%s>, 'row': <%@a{sv}>}", ctl_type_name(type), row));
    } else {
        printf("%s %" G_GUINT64_FORMAT " %s", is_port ? "port" : "endpoint",
               nr_row_number(row, "id"), is_gone ? "gone" : nr_row_text(row, "state"));
        for (guint i = 0; i < G_N_ELEMENTS(keys); i++) {
            g_autofree char *text = nr_printable(nr_row_text(row, keys[i]));

            printf("%s%s", *text ? " " : "", text);
        }
        putchar('\n');
    }
    fflush(stdout);
}

NrExit nr_relay_watch_run(const NrCall *call)
{
    NrExit code;
    g_autoptr(NrRelayClient) client = nr_relay_client_new(call, FALSE, &code);
    struct pollfd poll_fd = { .events = POLLIN };

    if (!client)
        return code;
    client->on_event = print_event;
    client->event_data = (gpointer)call;
    poll_fd.fd = client->sock;
    while (nr_relay_client_drain(client) && !ferror(stdout))
        poll(&poll_fd, 1, -1);
    return ferror(stdout) ? NR_EXIT_FAILED : NR_EXIT_DONE;
}
