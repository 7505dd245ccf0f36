/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/relay-rows.h"

#include <string.h>
#include "common/endpoint.h"
#include "daemon/row.h"

#define TEXT_MAX 4096

/* Attributes by the names they have in JSON. */
static const struct {
    enum ctl_attr attr;
    const char *key;
    char kind; /* as in enum ctl_attr */
} fields[] = {
    { CTL_A_ENDPOINT, "endpoint", 's' },     { CTL_A_LABEL, "label", 's' },
    { CTL_A_LOCAL, "local", 's' },           { CTL_A_PEER, "peer", 's' },
    { CTL_A_DETAIL, "detail", 's' },         { CTL_A_SINCE, "since", 'U' },
    { CTL_A_RX_FRAMES, "rx_frames", 'U' },   { CTL_A_RX_BYTES, "rx_bytes", 'U' },
    { CTL_A_TX_FRAMES, "tx_frames", 'U' },   { CTL_A_TX_BYTES, "tx_bytes", 'U' },
    { CTL_A_QUEUED, "queued", 'U' },         { CTL_A_DROPS, "drops", 'U' },
    { CTL_A_DROP_QUEUE, "drop_queue", 'U' }, { CTL_A_DROP_RUNT, "drop_runt", 'U' },
    { CTL_A_DROP_SIZE, "drop_size", 'U' },   { CTL_A_DROP_STRANGER, "drop_stranger", 'U' },
    { CTL_A_DROP_ERROR, "drop_error", 'U' }, { CTL_A_DROP_FILTER, "drop_filter", 'U' },
    { CTL_A_DROP_LOOP, "drop_loop", 'U' },   { CTL_A_DROP_STORM, "drop_storm", 'U' },
    { CTL_A_DROP_HOST, "drop_host", 'U' },   { CTL_A_SOURCE, "source", 's' },
};

/* In this order also as JSON. */
static void put_number(GVariantBuilder *row, const char *key, guint64 number)
{
    g_variant_builder_add(row, "{sv}", key, g_variant_new_uint64(number));
}

static void put_field(GVariantBuilder *row, const struct ctl_msg *msg, guint field)
{
    char text[TEXT_MAX];
    guint64 number;

    if (fields[field].kind == 's' && ctl_get_str(msg, fields[field].attr, text, sizeof(text)))
        nr_row_put_text(row, fields[field].key, text);
    else if (fields[field].kind == 'U' && ctl_get_u64(msg, fields[field].attr, &number))
        put_number(row, fields[field].key, number);
}

GVariant *nr_relay_row_new(const struct ctl_msg *msg)
{
    g_auto(GVariantBuilder) row = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_VARDICT);
    guint32 port = 0, endpoint = 0, state = 0;
    gboolean is_port = ctl_get_u32(msg, CTL_A_PORT_ID, &port);

    ctl_get_u32(msg, CTL_A_ENDPOINT_ID, &endpoint);
    put_number(&row, "id", is_port ? port : endpoint);
    if (is_port)
        put_number(&row, "endpoint_id", endpoint);
    if (ctl_get_u32(msg, CTL_A_STATE, &state))
        nr_row_put_text(&row, "state",
                        is_port ? ctl_port_state_name(state) : ctl_endpoint_state_name(state));
    for (guint i = 0; i < G_N_ELEMENTS(fields); i++)
        put_field(&row, msg, i);
    return g_variant_ref_sink(g_variant_builder_end(&row));
}

static void on_row(const struct ctl_msg *msg, gpointer data)
{
    NrRelayRows *rows = data;

    if (ctl_msg_type(msg) == CTL_ENDPOINT)
        g_ptr_array_add(rows->endpoints, nr_relay_row_new(msg));
    else if (ctl_msg_type(msg) == CTL_PORT)
        g_ptr_array_add(rows->ports, nr_relay_row_new(msg));
}

NrRelayRows *nr_relay_rows_fetch(NrRelayClient *client, NrExit *ret_code)
{
    g_autoptr(NrRelayRows) rows = g_new0(NrRelayRows, 1);
    struct ctl_msg request;

    rows->endpoints = g_ptr_array_new_with_free_func((GDestroyNotify)g_variant_unref);
    rows->ports = g_ptr_array_new_with_free_func((GDestroyNotify)g_variant_unref);
    nr_relay_request_begin(client, &request, CTL_DUMP);
    *ret_code = nr_relay_request(client, &request, -1, on_row, rows);
    return *ret_code == NR_EXIT_DONE ? g_steal_pointer(&rows) : NULL;
}

void nr_relay_rows_update(NrRelayRows *rows, const struct ctl_msg *event)
{
    GPtrArray *list = ctl_msg_type(event) == CTL_EVENT_PORT ? rows->ports : rows->endpoints;
    g_autoptr(GVariant) row = nr_relay_row_new(event);
    GVariant *known = nr_relay_row_find(list, nr_row_number(row, "id"));

    if (known)
        g_ptr_array_remove(list, known);
    g_ptr_array_add(list, g_steal_pointer(&row));
}

void nr_relay_rows_free(NrRelayRows *rows)
{
    if (!rows)
        return;
    g_ptr_array_unref(rows->endpoints);
    g_ptr_array_unref(rows->ports);
    g_free(rows);
}

GVariant *nr_relay_rows_list(const GPtrArray *rows)
{
    g_auto(GVariantBuilder) builder = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));

    for (guint i = 0; i < rows->len; i++)
        g_variant_builder_add_value(&builder, rows->pdata[i]);
    return g_variant_builder_end(&builder);
}

GVariant *nr_relay_row_find(const GPtrArray *rows, guint64 id)
{
    for (guint i = 0; i < rows->len; i++) {
        if (nr_row_number(rows->pdata[i], "id") == id)
            return rows->pdata[i];
    }
    return NULL;
}

const char *nr_relay_port_endpoint(const NrRelayRows *rows, GVariant *port)
{
    GVariant *endpoint = nr_relay_row_find(rows->endpoints, nr_row_number(port, "endpoint_id"));

    return endpoint ? nr_row_text(endpoint, "endpoint") : "";
}

const char *nr_relay_port_name(const NrRelayRows *rows, GVariant *port)
{
    static const char *const keys[] = { "label", "peer", "detail" };

    for (guint i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (*nr_row_text(port, keys[i]))
            return nr_row_text(port, keys[i]);
    }
    return nr_relay_port_endpoint(rows, port);
}

static gboolean is_id(GVariant *row, const char *word)
{
    guint64 id;

    return g_ascii_string_to_unsigned(word, 10, 1, G_MAXUINT32, &id, NULL) &&
           nr_row_number(row, "id") == id;
}

gboolean nr_relay_is_endpoint(GVariant *row, const char *word)
{
    char text[ENDPOINT_TEXT_MAX] = "";
    struct endpoint endpoint;
    const char *expected;

    if (endpoint_parse(&endpoint, word, &expected) == 0)
        endpoint_format(&endpoint, text);
    return is_id(row, word) || g_str_equal(nr_row_text(row, "endpoint"), text) ||
           g_str_equal(nr_row_text(row, "label"), word);
}

/* Of a canonical text; a comma that belongs to a name is doubled there. */
static gsize length_without_options(const char *text)
{
    const char *comma = strchr(text, ',');

    if (g_str_has_prefix(text, "user:"))
        return strlen("user:");
    while (comma && comma[1] == ',')
        comma = strchr(comma + 2, ',');
    return comma ? (gsize)(comma - text) : strlen(text);
}

gboolean nr_relay_is_endpoint_without_options(GVariant *row, const char *word)
{
    const char *there = nr_row_text(row, "endpoint");
    gsize length = length_without_options(there);
    char text[ENDPOINT_TEXT_MAX];
    struct endpoint endpoint;
    const char *expected;

    if (endpoint_parse(&endpoint, word, &expected) == 0)
        word = endpoint_format(&endpoint, text);
    return strlen(word) == length && strncmp(word, there, length) == 0;
}

gboolean nr_relay_is_port(GVariant *row, const char *word)
{
    return is_id(row, word) || g_str_equal(nr_row_text(row, "label"), word) ||
           g_str_equal(nr_row_text(row, "peer"), word) ||
           g_str_equal(nr_row_text(row, "detail"), word);
}

typedef gboolean IsMeant(GVariant *row, const char *word);

static guint match(const GPtrArray *rows, IsMeant *is_meant, const char *word, GVariant **ret)
{
    guint matches = 0;

    for (guint i = 0; i < rows->len && *word; i++) {
        if (!is_meant(rows->pdata[i], word))
            continue;
        *ret = rows->pdata[i];
        matches++;
    }
    return matches;
}

static GVariant *pick(GVariant *found, guint matches, const char *word, const char *what)
{
    if (matches == 1)
        return found;
    if (matches)
        nr_complain("several %ss are '%s'; name one by its id", what, word);
    else
        nr_complain("there is no %s '%s'", what, word);
    return NULL;
}

GVariant *nr_relay_pick_port(const NrRelayRows *rows, const char *word)
{
    GVariant *found = NULL;
    guint matches = match(rows->ports, nr_relay_is_port, word, &found);

    return pick(found, matches, word, "port");
}

GVariant *nr_relay_pick_endpoint(const NrRelayRows *rows, const char *word)
{
    GVariant *found = NULL;
    guint matches = match(rows->endpoints, nr_relay_is_endpoint, word, &found);

    if (!matches)
        matches = match(rows->endpoints, nr_relay_is_endpoint_without_options, word, &found);
    return pick(found, matches, word, "endpoint");
}
