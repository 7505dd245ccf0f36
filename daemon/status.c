/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/status.h"

#include <string.h>
#include "common/host-change.h"
#include "daemon/barrier.h"
#include "daemon/change-words.h"
#include "daemon/ground-rules.h"
#include "daemon/meetings.h"
#include "daemon/moving.h"
#include "daemon/row.h"

typedef struct {
    const char *network;
    guint32 relay_pid;
    const NrActualPort *port; /* or NULL */
    guint64 since;            /* of the state, where there is no port */
    const NrGuest *guest;     /* or NULL */
    const NrNic *nic;
    const char *kind, *address, *peer, *state, *reason, *endpoint;
} Row;

typedef struct {
    const NrActualNetwork *network;
    const NrActualPort *port;
} Place;

typedef struct {
    const NrDesired *desired;
    const NrActual *actual;
    const NrAttempts *attempts;
    gboolean hooked;
    GHashTable *meetings;
    GVariantBuilder rows;
    GHashTable *labelled; /* label -> Place */
    GHashTable *shown;    /* NrActualPort, and "network\nendpoint" of listeners with a row */
    GHashTable *listeners;
} Status;

char *nr_port_label(const NrGuest *guest, const NrNic *nic)
{
    char mac[MAC_TEXT_MAX];

    return g_strdup_printf("%s/%s", guest->uuid, mac_format(nic->mac, mac));
}

/* Rows */

static void put_u64(GVariantBuilder *dict, const char *key, guint64 value)
{
    g_variant_builder_add(dict, "{sv}", key, g_variant_new_uint64(value));
}

static void put_counters(GVariantBuilder *dict, const Row *row)
{
    const NrActualPort none = { .since = row->since };
    const NrActualPort *port = row->port ? row->port : &none;

    g_variant_builder_add(dict, "{sv}", "port", g_variant_new_uint32(port->id));
    put_u64(dict, "rx_frames", port->rx_frames);
    put_u64(dict, "rx_bytes", port->rx_bytes);
    put_u64(dict, "tx_frames", port->tx_frames);
    put_u64(dict, "tx_bytes", port->tx_bytes);
    put_u64(dict, "drops", port->drops);
    put_u64(dict, "since", port->since);
}

/* Nobody of this host but those who are to sends to its port. */
static gboolean is_guarded(const Status *status, const NrNic *nic)
{
    GPtrArray *guarded = status->desired->guarded;
    g_autofree char *theirs = nr_address_format(&nic->theirs);
    gboolean made = FALSE;

    for (guint i = 0; guarded && i < status->actual->changes->len && !made; i++) {
        const NrActualChange *change = status->actual->changes->pdata[i];

        made = change->done && g_str_has_prefix(change->change, "guard-udp ");
    }
    return made && g_ptr_array_find_with_equal_func(guarded, theirs, g_str_equal, NULL);
}

static void row_add(Status *status, const Row *row)
{
    g_autofree char *nic = row->nic ? nr_nic_label(row->nic) : NULL;
    char mac[MAC_TEXT_MAX] = "";
    GVariantBuilder dict;

    if (row->nic)
        mac_format(row->nic->mac, mac);
    g_variant_builder_init(&dict, G_VARIANT_TYPE_VARDICT);
    nr_row_put_text(&dict, "network", row->network);
    nr_row_put_text(&dict, "guest", row->guest ? row->guest->name : NULL);
    nr_row_put_text(&dict, "uuid", row->guest ? row->guest->uuid : NULL);
    nr_row_put_text(&dict, "guest_state",
                    row->guest ? nr_guest_state_name(row->guest->state) : NULL);
    nr_row_put_text(&dict, "nic", nic);
    nr_row_put_text(&dict, "mac", mac);
    nr_row_put_text(&dict, "kind", row->kind);
    nr_row_put_text(&dict, "address", row->address);
    nr_row_put_text(&dict, "peer", row->peer);
    nr_row_put_text(&dict, "state", row->state);
    if (row->reason)
        nr_row_put_text(&dict, "reason", row->reason);
    if (row->endpoint)
        nr_row_put_text(&dict, "endpoint", row->endpoint);
    if (row->nic && row->nic->kind == NR_NIC_UDP && is_guarded(status, row->nic))
        nr_row_put_text(&dict, "guarded", "yes");
    if (row->nic && row->nic->link_down)
        nr_row_put_text(&dict, "link", "down");
    if (row->port && row->port->options)
        nr_row_put_text(&dict, "options", row->port->options + 1); /* without its first comma */
    put_counters(&dict, row);
    g_variant_builder_add(&dict, "{sv}", "relay_pid", g_variant_new_uint32(row->relay_pid));
    g_variant_builder_add_value(&status->rows, g_variant_builder_end(&dict));
    if (row->port)
        g_hash_table_add(status->shown, (gpointer)row->port);
}

/* Looking things up */

static const NrActualEndpoint *endpoint_find(const NrActualNetwork *network, const char *text)
{
    for (guint i = 0; network && text && i < network->endpoints->len; i++) {
        const NrActualEndpoint *endpoint = network->endpoints->pdata[i];

        if (g_str_equal(endpoint->text, text))
            return endpoint;
    }
    return NULL;
}

static const NrActualEndpoint *endpoint_of(const NrActualNetwork *network, const NrActualPort *port)
{
    for (guint i = 0; i < network->endpoints->len; i++) {
        const NrActualEndpoint *endpoint = network->endpoints->pdata[i];

        if (endpoint->id == port->endpoint)
            return endpoint;
    }
    return NULL;
}

static gboolean has_port(const NrActualNetwork *network, const NrActualEndpoint *endpoint)
{
    for (guint i = 0; i < network->ports->len; i++)
        if (((NrActualPort *)network->ports->pdata[i])->endpoint == endpoint->id)
            return TRUE;
    return FALSE;
}

static void index_ports(Status *status)
{
    for (guint i = 0; i < status->actual->networks->len; i++) {
        const NrActualNetwork *network = status->actual->networks->pdata[i];

        for (guint j = 0; j < network->ports->len; j++) {
            const NrActualPort *port = network->ports->pdata[j];
            const NrActualEndpoint *endpoint = endpoint_of(network, port);
            const char *label = port->label ? port->label : endpoint ? endpoint->label : NULL;
            Place *place;

            if (!label)
                continue;
            place = g_new(Place, 1);
            *place = (Place){ network, port };
            g_hash_table_replace(status->labelled, g_strdup(label), place);
        }
    }
}

static char *listener_key(const char *network, const char *endpoint)
{
    return g_strdup_printf("%s\n%s", network, endpoint);
}

/* NICs */

static const char *reason_of_waiting(const Status *status, const NrBinding *binding)
{
    if (binding->guest->state != NR_GUEST_RUNNING)
        return "the guest does not run yet";
    if (binding->nic->kind != NR_NIC_DIALS)
        return NULL;
    if (nr_attempts_was_cut_off(status->attempts, binding->label, binding->guest->id))
        return "its connection was cut off when a person stopped the network; netrelayctl revive "
               "helps";
    return "the guest has not connected; if it stays so, it started before its far end was there, "
           "or its connection was lost, and netrelayctl revive helps";
}

static void served_state(const Status *status, const NrBinding *binding, Row *row)
{
    const NrActualNetwork *network = nr_actual_find(status->actual, binding->network);
    const NrActualEndpoint *endpoint = endpoint_find(network, binding->endpoint);
    const NrAttempt *attempt = nr_attempts_find(status->attempts, binding->network, "");

    if (!attempt && binding->endpoint)
        attempt = nr_attempts_find(status->attempts, binding->network, binding->endpoint);
    if (network)
        row->relay_pid = (guint32)network->pid;
    if (attempt) {
        row->state = attempt->foreign ? "foreign" : "failed";
        row->reason = attempt->text;
    } else if (binding->nic->kind == NR_NIC_MULTICAST && endpoint && has_port(network, endpoint)) {
        row->state = "joined"; /* the network is; who else is in a group nobody can see */
    } else if (binding->nic->kind == NR_NIC_LISTENS && endpoint) {
        row->state = "dialling";
        row->reason = endpoint->detail;
        row->since = endpoint->since;
    } else if (binding->nic->kind == NR_NIC_DIALS && endpoint &&
               !nr_guest_is_active(binding->guest)) {
        row->state = "listening";
    } else {
        row->state = "waiting";
        row->reason = reason_of_waiting(status, binding);
    }
}

/* The two may meet; have they? New string, or NULL. */
static char *direct_state(const Status *status, const NrBinding *binding, Row *row)
{
    gboolean dials = binding->nic->kind == NR_NIC_DIALS;
    const NrMet *met = status->meetings ? g_hash_table_lookup(status->meetings, binding) : NULL;
    g_autofree char *peer = nr_printable(binding->peer_guest);

    switch (met ? met->kind : NR_MEETING_MADE) {
    case NR_MEETING_NONE:
        row->state = "waiting";
        return g_strdup_printf(dials ? "guest %s, which it meets, has no connection of it; "
                                       "netrelayctl revive helps"
                                     : "guest %s, which meets it, has not connected",
                               peer);
    case NR_MEETING_WAITS:
        row->state = "busy";
        return g_strdup_printf("guest %s serves %s, and this one waits behind; QEMU serves one, so "
                               "end that connection, or give one of the two another address",
                               peer, met->served ? met->served : "somebody else");
    default:
        row->state = nr_binding_word(binding);
        return NULL;
    }
}

/* A guest that does not run has a row only where something waits for it. */
static gboolean binding_shows(const Status *status, const NrBinding *binding)
{
    const NrDesiredNetwork *network;

    if (nr_guest_is_active(binding->guest))
        return TRUE;
    if (status->hooked || binding->kind != NR_BINDING_SERVED || !binding->network ||
        !binding->endpoint || binding->nic->kind != NR_NIC_DIALS)
        return FALSE;
    network = nr_desired_network_find(status->desired, binding->network);
    if (!network || network->origin == NR_ORIGIN_FILE)
        return FALSE; /* that listener is there for everybody, and has a row of its own */
    for (guint i = 0; i < network->endpoints->len; i++)
        if (g_str_equal(((NrDesiredEndpoint *)network->endpoints->pdata[i])->text,
                        binding->endpoint))
            return TRUE;
    return FALSE;
}

static const char *state_of(const NrActualPort *port)
{
    static const char *const words[] = {
        [CTL_PORT_BLOCKED] = "blocked",
        [CTL_PORT_HELD] = "held",
    };

    return port->state < G_N_ELEMENTS(words) && words[port->state] ? words[port->state]
                                                                   : "connected";
}

static gboolean is_moving(const Place *place, const char *network)
{
    return place->port->state == CTL_PORT_LEAVING ||
           (network && !g_str_equal(network, place->network->name));
}

static void add_binding(Status *status, const NrBinding *binding)
{
    const NrNic *nic = binding->nic;
    g_autofree char *label = nr_port_label(binding->guest, nic);
    g_autofree char *address =
        nr_address_format(nic->kind == NR_NIC_LISTENS ? &nic->theirs : &nic->ours);
    g_autofree char *theirs = nic->kind == NR_NIC_UDP ? nr_address_format(&nic->theirs) : NULL;
    const Place *place = g_hash_table_lookup(status->labelled, label);
    g_autofree char *found = NULL;
    Row row = { .network = binding->network,
                .guest = binding->guest,
                .nic = nic,
                .kind = nr_nic_kind_name(nic->kind),
                .address = address,
                .peer = binding->peer_guest ? binding->peer_guest : theirs,
                .reason = binding->reason };

    if (place && (binding->kind == NR_BINDING_SERVED || !binding->network)) {
        row.network = place->network->name;
        row.relay_pid = (guint32)place->network->pid;
        row.port = place->port;
        row.peer = place->port->peer ? place->port->peer : row.peer;
        row.state = state_of(place->port);
        if (is_moving(place, binding->network)) {
            found = nr_moving_reason(status->actual, status->attempts, place->network, place->port,
                                     binding->network);
            row.reason = found;
        }
    } else if (binding->kind == NR_BINDING_SERVED) {
        served_state(status, binding, &row);
    } else if (binding->kind == NR_BINDING_DIRECT) {
        found = direct_state(status, binding, &row);
        row.reason = found ? found : row.reason;
    } else {
        row.state = nr_binding_word(binding);
    }
    row_add(status, &row);
    if (binding->network && binding->endpoint)
        g_hash_table_add(status->listeners, listener_key(binding->network, binding->endpoint));
}

/* Endpoints and ports without a NIC */

/* What is dialled and is no guest's is another relay. */
static const char *kind_of(const char *text, const char *label)
{
    const char *const schemes[][2] = {
        { "listen:", "client" }, { "tcp:", label ? "server" : "peer" },
        { "udp:", "udp" },       { "bridge:", "tap" },
        { "tap:", "tap" },       { "mcast:", "mcast" },
        { "user:", "user" },
    };

    for (guint i = 0; text && i < G_N_ELEMENTS(schemes); i++)
        if (g_str_has_prefix(text, schemes[i][0]))
            return schemes[i][1];
    return "client"; /* the listener of an accepted connection may be gone */
}

static const char *after_colon(const char *text)
{
    return text ? strchr(text, ':') + 1 : NULL;
}

/* Of a user: endpoint's options. New string, or NULL. */
static char *gateway_of(const char *text)
{
    g_auto(GStrv) options = g_strsplit(after_colon(text), ",", -1);

    for (char **option = options; *option; option++)
        if (g_str_has_prefix(*option, "host=") || g_str_has_prefix(*option, "ipv6-host="))
            return g_strdup(strchr(*option, '=') + 1);
    return NULL;
}

static void add_port(Status *status, const NrActualNetwork *network, const NrActualPort *port)
{
    const NrActualEndpoint *endpoint = endpoint_of(network, port);
    const char *text = endpoint ? endpoint->text : NULL;
    g_autofree char *gateway = NULL;
    Row row = { .network = network->name,
                .relay_pid = (guint32)network->pid,
                .port = port,
                .kind = kind_of(text, endpoint ? endpoint->label : NULL),
                .address = port->local,
                .peer = port->peer,
                .state = state_of(port),
                .endpoint = text };

    if (g_hash_table_contains(status->shown, port) || port->state == CTL_PORT_CLOSING)
        return;
    if (g_str_equal(row.kind, "tap")) {
        row.address = endpoint->detail ? endpoint->detail : port->detail;
        row.peer = after_colon(text);
    } else if (g_str_equal(row.kind, "peer")) {
        row.address = after_colon(text); /* as its file has it; `peer` is what has come of it */
    } else if (g_str_equal(row.kind, "user")) {
        row.address = gateway = gateway_of(text);
    }
    row_add(status, &row);
}

/* A listener that refused somebody has a row, whom else it let in. */
static gboolean is_told_by_ports(const NrActualNetwork *network, const NrActualEndpoint *endpoint)
{
    return endpoint && has_port(network, endpoint) && endpoint->refused == 0;
}

/* netrelay-user dials nobody: it is about to begin, or has ended. */
static const char *dialling_state(const NrActualEndpoint *endpoint, const char *kind)
{
    if (!g_str_equal(kind, "user"))
        return "dialling";
    return endpoint->detail && *endpoint->detail ? "failed" : "waiting";
}

static void add_endpoint(Status *status, const NrDesiredNetwork *network,
                         const NrDesiredEndpoint *wanted)
{
    const NrActualNetwork *actual = nr_actual_find(status->actual, network->name);
    const NrActualEndpoint *endpoint = endpoint_find(actual, wanted->text);
    const NrAttempt *attempt = nr_attempts_find(status->attempts, network->name, "");
    g_autofree char *key = listener_key(network->name, wanted->text);
    g_autofree char *gateway = NULL;
    Row row = { .network = network->name,
                .relay_pid = actual ? (guint32)actual->pid : 0,
                .kind = g_str_has_prefix(wanted->text, "listen:")
                            ? "listen"
                            : kind_of(wanted->text, wanted->label),
                .address = after_colon(wanted->text),
                .state = "waiting",
                .endpoint = wanted->text };

    if (g_hash_table_contains(status->listeners, key) || is_told_by_ports(actual, endpoint))
        return;
    if (!attempt)
        attempt = nr_attempts_find(status->attempts, network->name, wanted->text);
    if (g_str_equal(row.kind, "tap")) {
        row.peer = row.address;
        row.address = NULL;
    } else if (g_str_equal(row.kind, "user")) {
        row.address = gateway = gateway_of(wanted->text);
    }
    if (attempt) {
        row.state = attempt->foreign ? "foreign" : "failed";
        row.reason = attempt->text;
    } else if (endpoint && endpoint->state == CTL_ENDPOINT_LISTENING) {
        row.state = "listening";
        row.reason = endpoint->detail;
    } else if (endpoint && endpoint->state == CTL_ENDPOINT_DIALLING) {
        row.state = dialling_state(endpoint, row.kind);
        row.reason = endpoint->detail;
        row.since = endpoint->since;
    }
    row_add(status, &row);
}

/* What the network has of this host beside its bridge, which the TAP's row shows. */
static void add_ground(Status *status, const NrDesiredNetwork *network,
                       const NrDesiredEndpoint *endpoint)
{
    g_autoptr(GPtrArray) missing = nr_ground_missing(endpoint, status->actual);
    const NrAttempt *failed = nr_attempts_find(status->attempts, network->name, endpoint->text);

    for (guint i = 0; endpoint->ground && i < endpoint->ground->len; i++) {
        const char *text = endpoint->ground->pdata[i];
        g_autofree char *thing = NULL;
        gboolean lacks =
            missing && g_ptr_array_find_with_equal_func(missing, text, g_str_equal, NULL);
        struct host_change change;
        Row row = { .network = network->name, .kind = "host", .state = lacks ? "waiting" : "set" };

        if (host_change_parse(&change, text))
            thing = nr_change_thing(&change);
        if (!thing)
            continue;
        row.address = thing;
        row.peer = change.kind == HOST_UPLINK ? change.value : change.device;
        if (lacks && failed) {
            row.state = "failed";
            row.reason = failed->text;
        }
        row_add(status, &row);
    }
    if (endpoint->lacks) {
        Row row = { .network = network->name,
                    .kind = "host",
                    .peer = after_colon(endpoint->text),
                    .state = "waiting",
                    .reason = endpoint->lacks };

        row_add(status, &row);
    }
}

static void add_service(Status *status, const NrDesiredNetwork *network)
{
    const NrAttempt *failed = nr_attempts_find(status->attempts, network->name, NR_ACTION_DNSMASQ);
    Row row = { .network = network->name, .kind = "dnsmasq", .state = "waiting" };
    struct host_change bridge;

    if (!network->dnsmasq)
        return;
    if (host_change_parse(&bridge, network->served->pdata[0]))
        row.address = bridge.device;
    if (nr_actual_service(status->actual, network->name)) {
        row.state = "serving";
    } else if (failed) {
        row.state = "failed";
        row.reason = failed->text;
    }
    row_add(status, &row);
}

static void add_stopped(Status *status, const char *name)
{
    g_autofree char *reason =
        g_strdup_printf("it waits for a person; netrelayctl net-start %s starts it", name);
    Row row = { .network = name, .state = "stopped", .reason = reason };

    row_add(status, &row);
}

static void add_rows(Status *status)
{
    for (guint i = 0; i < status->desired->stopped->len; i++)
        add_stopped(status, status->desired->stopped->pdata[i]);
    for (guint i = 0; i < status->desired->bindings->len; i++)
        if (binding_shows(status, status->desired->bindings->pdata[i]))
            add_binding(status, status->desired->bindings->pdata[i]);
    for (guint i = 0; i < status->actual->networks->len; i++) {
        const NrActualNetwork *network = status->actual->networks->pdata[i];

        for (guint j = 0; j < network->ports->len; j++)
            add_port(status, network, network->ports->pdata[j]);
    }
    for (guint i = 0; i < status->desired->networks->len; i++) {
        const NrDesiredNetwork *network = status->desired->networks->pdata[i];

        for (guint j = 0; j < network->endpoints->len; j++) {
            add_endpoint(status, network, network->endpoints->pdata[j]);
            add_ground(status, network, network->endpoints->pdata[j]);
        }
        add_service(status, network);
    }
}

GVariant *nr_status_rows(const NrDesired *desired, const NrActual *actual,
                         const NrAttempts *attempts, gboolean hooked, GHashTable *meetings)
{
    Status status = {
        .desired = desired,
        .actual = actual,
        .attempts = attempts,
        .hooked = hooked,
        .meetings = meetings,
    };
    GVariant *rows;

    g_variant_builder_init(&status.rows, G_VARIANT_TYPE("aa{sv}"));
    status.labelled = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    status.shown = g_hash_table_new(NULL, NULL);
    status.listeners = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    index_ports(&status);
    add_rows(&status);
    rows = g_variant_builder_end(&status.rows);
    g_hash_table_unref(status.labelled);
    g_hash_table_unref(status.shown);
    g_hash_table_unref(status.listeners);
    return rows;
}
