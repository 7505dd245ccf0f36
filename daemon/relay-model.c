/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/relay-model.h"

#include <errno.h>
#include "common/endpoint.h"

#define ROWS_MAX 65536 /* endpoints and ports of one relay; beyond that it has lost its mind */
#define TEXT_MAX 1024

struct NrRelayModel {
    NrActualNetwork *network;
    gboolean dumping;
    GHashTable *seen; /* what the dump or an event since mentioned: see seen_key() */
    GHashTable *gone; /* ids of ports gone since the dump began */
};

static gpointer seen_key(guint32 id, gboolean port)
{
    return GSIZE_TO_POINTER(((gsize)id << 1) | (port ? 1 : 0));
}

static NrActualEndpoint *endpoint_upsert(NrRelayModel *model, guint32 id, const char *text)
{
    NrActualEndpoint *endpoint;

    for (guint i = 0; i < model->network->endpoints->len; i++) {
        endpoint = model->network->endpoints->pdata[i];
        if (endpoint->id == id)
            return endpoint;
    }
    endpoint = nr_actual_endpoint_new(id, text);
    g_ptr_array_add(model->network->endpoints, endpoint);
    return endpoint;
}

static NrActualPort *port_upsert(NrRelayModel *model, guint32 id, guint32 endpoint)
{
    NrActualPort *port;

    for (guint i = 0; i < model->network->ports->len; i++) {
        port = model->network->ports->pdata[i];
        if (port->id == id)
            return port;
    }
    port = nr_actual_port_new(id, endpoint);
    g_ptr_array_add(model->network->ports, port);
    return port;
}

void nr_relay_model_detached(NrRelayModel *model, guint32 id)
{
    for (guint i = 0; i < model->network->endpoints->len; i++) {
        NrActualEndpoint *endpoint = model->network->endpoints->pdata[i];

        if (endpoint->id == id) {
            g_ptr_array_remove_index(model->network->endpoints, i);
            return;
        }
    }
}

void nr_relay_model_set_label(NrRelayModel *model, guint32 id, const char *label)
{
    for (guint i = 0; i < model->network->ports->len; i++) {
        NrActualPort *port = model->network->ports->pdata[i];

        if (port->id != id)
            continue;
        g_free(port->label);
        port->label = g_strdup(label);
    }
}

void nr_relay_model_set_closing(NrRelayModel *model, guint32 id)
{
    for (guint i = 0; i < model->network->ports->len; i++) {
        NrActualPort *port = model->network->ports->pdata[i];

        if (port->id == id)
            port->state = CTL_PORT_CLOSING;
    }
}

void nr_relay_model_set_options(NrRelayModel *model, guint32 id, const char *options)
{
    for (guint i = 0; i < model->network->ports->len; i++) {
        NrActualPort *port = model->network->ports->pdata[i];

        if (port->id != id)
            continue;
        g_free(port->options);
        port->options = *options ? g_strdup(options) : NULL;
    }
}

static void port_remove(NrRelayModel *model, guint32 id)
{
    for (guint i = 0; i < model->network->ports->len; i++) {
        NrActualPort *port = model->network->ports->pdata[i];

        if (port->id == id) {
            g_ptr_array_remove_index(model->network->ports, i);
            return;
        }
    }
}

/* An absent attribute leaves the text as it is; "" clears it. */
static void take_text(const struct ctl_msg *msg, enum ctl_attr attr, char **text)
{
    char buf[TEXT_MAX];

    if (!ctl_get_str(msg, attr, buf, sizeof(buf)))
        return;
    g_free(*text);
    *text = buf[0] ? g_strdup(buf) : NULL;
}

static char *hosts_of(const struct ctl_msg *msg)
{
    g_autoptr(GString) text = g_string_new(NULL);
    char host[TEXT_MAX];

    for (guint i = 0; ctl_get_str_at(msg, CTL_A_ADMIT_HOSTS, i, host, sizeof(host)); i++)
        g_string_append_printf(text, "%s%s", i ? " " : "", host);
    return text->len ? g_string_free(g_steal_pointer(&text), FALSE) : NULL;
}

static void take_u64(const struct ctl_msg *msg, enum ctl_attr attr, guint64 *value)
{
    uint64_t got;

    if (ctl_get_u64(msg, attr, &got))
        *value = got;
}

static gboolean rows_full(const NrRelayModel *model)
{
    return model->network->endpoints->len + model->network->ports->len >= ROWS_MAX;
}

int nr_relay_model_endpoint(NrRelayModel *model, const struct ctl_msg *msg)
{
    char text[ENDPOINT_TEXT_MAX];
    NrActualEndpoint *endpoint;
    uint32_t id, state;

    if (!ctl_get_u32(msg, CTL_A_ENDPOINT_ID, &id) ||
        !ctl_get_str(msg, CTL_A_ENDPOINT, text, sizeof(text)))
        return -EPROTO;
    if (rows_full(model))
        return -E2BIG;
    endpoint = endpoint_upsert(model, id, text);
    if (ctl_get_u32(msg, CTL_A_STATE, &state))
        endpoint->state = state;
    take_text(msg, CTL_A_LABEL, &endpoint->label);
    g_free(endpoint->admit);
    endpoint->admit = hosts_of(msg);
    g_clear_pointer(&endpoint->detail, g_free);
    take_text(msg, CTL_A_DETAIL, &endpoint->detail);
    take_u64(msg, CTL_A_SINCE, &endpoint->since);
    take_u64(msg, CTL_A_DROP_HOST, &endpoint->refused);
    g_hash_table_add(model->seen, seen_key(id, FALSE));
    return 0;
}

int nr_relay_model_port(NrRelayModel *model, const struct ctl_msg *msg)
{
    uint32_t id, endpoint = 0, state;
    NrActualPort *port;

    if (!ctl_get_u32(msg, CTL_A_PORT_ID, &id))
        return -EPROTO;
    if (rows_full(model))
        return -E2BIG;
    if (g_hash_table_contains(model->gone, GUINT_TO_POINTER(id)))
        return 0;
    ctl_get_u32(msg, CTL_A_ENDPOINT_ID, &endpoint);
    port = port_upsert(model, id, endpoint);
    if (ctl_get_u32(msg, CTL_A_STATE, &state))
        port->state = state;
    take_text(msg, CTL_A_LABEL, &port->label);
    take_text(msg, CTL_A_LOCAL, &port->local);
    take_text(msg, CTL_A_PEER, &port->peer);
    take_text(msg, CTL_A_DETAIL, &port->detail);
    take_text(msg, CTL_A_OPTIONS, &port->options);
    take_text(msg, CTL_A_SOURCE, &port->source);
    take_u64(msg, CTL_A_SINCE, &port->since);
    take_u64(msg, CTL_A_RX_FRAMES, &port->rx_frames);
    take_u64(msg, CTL_A_RX_BYTES, &port->rx_bytes);
    take_u64(msg, CTL_A_TX_FRAMES, &port->tx_frames);
    take_u64(msg, CTL_A_TX_BYTES, &port->tx_bytes);
    take_u64(msg, CTL_A_DROPS, &port->drops);
    take_u64(msg, CTL_A_QUEUED, &port->queued);
    g_hash_table_add(model->seen, seen_key(id, TRUE));
    return 0;
}

void nr_relay_model_dump_end(NrRelayModel *model)
{
    GPtrArray *endpoints = model->network->endpoints, *ports = model->network->ports;

    for (guint i = endpoints->len; i-- > 0;) {
        NrActualEndpoint *endpoint = endpoints->pdata[i];

        if (!g_hash_table_contains(model->seen, seen_key(endpoint->id, FALSE)))
            g_ptr_array_remove_index(endpoints, i);
    }
    for (guint i = ports->len; i-- > 0;) {
        NrActualPort *port = ports->pdata[i];

        if (!g_hash_table_contains(model->seen, seen_key(port->id, TRUE)))
            g_ptr_array_remove_index(ports, i);
    }
    model->dumping = FALSE;
}

/* The event may come after the reply, or never came: the model must have it either way. */
void nr_relay_model_attached(NrRelayModel *model, guint32 id, const char *text, const char *label)
{
    struct endpoint parsed;
    const char *expected;
    NrActualEndpoint *endpoint;

    for (guint i = 0; i < model->network->endpoints->len; i++) {
        endpoint = model->network->endpoints->pdata[i];
        if (endpoint->id == id)
            return;
    }
    endpoint = endpoint_upsert(model, id, text);
    endpoint->label = g_strdup(label);
    endpoint->state = CTL_ENDPOINT_UP;
    if (endpoint_parse(&parsed, text, &expected) == 0) {
        if (parsed.kind == ENDPOINT_LISTEN)
            endpoint->state = CTL_ENDPOINT_LISTENING;
        if (parsed.kind == ENDPOINT_TCP)
            endpoint->state = CTL_ENDPOINT_DIALLING;
    }
    g_hash_table_add(model->seen, seen_key(id, FALSE));
}

int nr_relay_model_port_gone(NrRelayModel *model, const struct ctl_msg *msg)
{
    uint32_t id;

    if (!ctl_get_u32(msg, CTL_A_PORT_ID, &id))
        return -EPROTO;
    port_remove(model, id);
    if (model->dumping)
        g_hash_table_add(model->gone, GUINT_TO_POINTER(id));
    return 0;
}

void nr_relay_model_dump_begin(NrRelayModel *model)
{
    model->dumping = TRUE;
    g_hash_table_remove_all(model->seen);
    g_hash_table_remove_all(model->gone);
}

NrRelayModel *nr_relay_model_new(void)
{
    NrRelayModel *model = g_new0(NrRelayModel, 1);

    model->network = nr_actual_network_new(NULL, 0);
    model->seen = g_hash_table_new(NULL, NULL);
    model->gone = g_hash_table_new(NULL, NULL);
    return model;
}

void nr_relay_model_free(NrRelayModel *model)
{
    if (!model)
        return;
    nr_actual_network_free(model->network);
    g_hash_table_unref(model->seen);
    g_hash_table_unref(model->gone);
    g_free(model);
}

NrActualNetwork *nr_relay_model_network(NrRelayModel *model)
{
    return model->network;
}
