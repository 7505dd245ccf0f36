/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/view.h"

#include "daemon/row.h"

typedef struct {
    const NrViewInput *input;
    const NrView *before;
    NrView *view;
    GHashTable *unknown; /* networks with a connection that nobody is known to be behind yet */
} Build;

static void fact_free(gpointer data)
{
    NrFact *fact = data;

    g_free(fact->version);
    g_variant_unref(fact->details);
    g_free(fact);
}

static guint32 port_of(GVariant *row)
{
    return (guint32)nr_row_number(row, "port");
}

/* Details */

static void put_text(GVariantDict *details, const char *key, const char *text)
{
    if (text && *text)
        g_variant_dict_insert_value(details, key,
                                    g_variant_new_take_string(g_utf8_make_valid(text, -1)));
}

static void copy_row(GVariantDict *details, GVariant *row)
{
    static const char *const texts[] = {
        "network", "guest", "uuid", "nic", "mac", "address", "peer"
    };

    for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
        put_text(details, texts[i], nr_row_text(row, texts[i]));
    if (port_of(row))
        g_variant_dict_insert(details, "port", "u", port_of(row));
}

/* Takes the key; ends the details. The first fact of a key counts. */
static void add(Build *build, NrFactKind kind, char *key, NrFactState state, const char *version,
                GVariantDict *details)
{
    const NrFact *last = build->before ? g_hash_table_lookup(build->before->facts, key) : NULL;
    NrFact *fact;

    if (g_hash_table_contains(build->view->facts, key)) {
        g_variant_dict_clear(details);
        g_free(key);
        return;
    }
    fact = g_new(NrFact, 1);
    *fact = (NrFact){
        .kind = kind,
        .state = state,
        .version = g_strdup(version ? version : ""),
        .details = g_variant_ref_sink(g_variant_dict_end(details)),
        .since_ms = last && last->state == state ? last->since_ms : build->input->now_ms,
    };
    g_hash_table_insert(build->view->facts, key, fact);
    build->view->pending = build->view->pending || state == NR_STATE_PENDING;
}

/* Faults */

static void add_fault(Build *build, const char *fault, const char *about, NrFactState state,
                      GVariant *row, const char *text)
{
    GVariantDict details;

    g_variant_dict_init(&details, NULL);
    if (row)
        copy_row(&details, row);
    put_text(&details, "fault", fault);
    put_text(&details, "text", text);
    add(build, NR_FACT_FAULT, g_strdup_printf("fault\n%s\n%s", fault, about), state, text,
        &details);
}

/* What tells a row's fault from others of its kind. New string. */
static char *place_of(GVariant *row)
{
    if (*nr_row_text(row, "uuid"))
        return g_strdup_printf("%s/%s", nr_row_text(row, "uuid"), nr_row_text(row, "mac"));
    return g_strdup_printf("%s\n%s\n%s\n%u", nr_row_text(row, "network"), nr_row_text(row, "kind"),
                           nr_row_text(row, "endpoint"), port_of(row));
}

/* New string. */
static char *fault_text(const char *fault, GVariant *row)
{
    const char *reason = nr_row_text(row, "reason"), *address = nr_row_text(row, "address");
    g_autofree char *who = nr_row_whose(row);

    if (g_str_equal(fault, "deaf"))
        return g_strdup_printf("%s: it is deaf: it has no connection to %s, and QEMU does not try "
                               "again",
                               who, address);
    if (g_str_equal(fault, "tunnel"))
        return g_strdup_printf("%s: its tunnel to %s leads nowhere: %s", who, address, reason);
    if (g_str_equal(fault, "unreachable") && nr_row_is(row, "kind", "server"))
        return g_strdup_printf("%s: it listens on %s, and cannot be reached: %s", who, address,
                               reason);
    if (g_str_has_prefix(reason, who)) /* as a refusal does, which virsh prints */
        return g_strdup(reason);
    if (*reason)
        return g_strdup_printf("%s: %s", who, reason);
    return g_strdup_printf("%s: port %u closes a loop, so no frame passes it", who, port_of(row));
}

/* What has not connected yet, or is to move, may be about to: it is a fault when it lasts. is_open:
 * somebody not yet known may be who is missed, so nothing is new, and nothing is over. */
static NrFactState lasting(const Build *build, const char *fault, const char *place,
                           gboolean is_open)
{
    g_autofree char *key = g_strdup_printf("fault\n%s\n%s", fault, place);
    const NrFact *last = build->before ? g_hash_table_lookup(build->before->facts, key) : NULL;

    if (last && last->state == NR_STATE_UP)
        return NR_STATE_UP;
    if (is_open)
        return NR_STATE_PENDING;
    if (!build->before || (last && build->input->now_ms - last->since_ms >= NR_VIEW_DEAF_MS))
        return NR_STATE_UP;
    return NR_STATE_PENDING;
}

static void look_for_fault(Build *build, GVariant *row)
{
    const char *fault = nr_row_fault(row);
    gboolean deaf = g_strcmp0(fault, "deaf") == 0, is_open;
    static const char *const lasts[] = { "deaf", "moved", "way-out", NULL };
    g_autofree char *place = NULL, *text = NULL;

    if (!fault)
        return;
    is_open = deaf && g_hash_table_contains(build->unknown, nr_row_text(row, "network"));
    place = place_of(row);
    text = fault_text(fault, row);
    add_fault(build, fault, place,
              g_strv_contains(lasts, fault) ? lasting(build, fault, place, is_open) : NR_STATE_UP,
              row, text);
}

static void add_findings(Build *build)
{
    gsize count = build->input->findings ? g_variant_n_children(build->input->findings) : 0;
    g_autofree const char **files =
        build->input->faults ? g_variant_get_strv(build->input->faults, NULL) : NULL;

    for (gsize i = 0; i < count; i++) {
        g_autoptr(GVariant) finding = g_variant_get_child_value(build->input->findings, i);

        add_fault(build, nr_row_text(finding, "kind"), nr_row_text(finding, "about"), NR_STATE_UP,
                  NULL, nr_row_text(finding, "text"));
    }
    for (guint i = 0; files && files[i]; i++)
        add_fault(build, "file", files[i], NR_STATE_UP, NULL, files[i]);
}

/* Guests and connections */

static NrFactState guest_state(GVariant *row)
{
    if (nr_row_is(row, "guest_state", "running"))
        return NR_STATE_RUNNING;
    return nr_row_is(row, "guest_state", "announced") ? NR_STATE_ANNOUNCED : NR_STATE_DEFINED;
}

static void add_guest(Build *build, GVariant *row)
{
    g_autofree char *text = g_strdup_printf("guest %s", nr_row_text(row, "guest"));
    GVariantDict details;

    if (!*nr_row_text(row, "uuid"))
        return;
    g_variant_dict_init(&details, NULL);
    put_text(&details, "guest", nr_row_text(row, "guest"));
    put_text(&details, "uuid", nr_row_text(row, "uuid"));
    put_text(&details, "text", text);
    add(build, NR_FACT_GUEST, g_strdup_printf("guest\n%s", nr_row_text(row, "uuid")),
        guest_state(row), NULL, &details);
}

static NrFactKind kind_of(GVariant *row)
{
    if (nr_row_is(row, "kind", "tap"))
        return NR_FACT_BRIDGE;
    if (nr_row_is(row, "kind", "peer"))
        return NR_FACT_TUNNEL;
    return NR_FACT_NIC;
}

static char *connection_text(GVariant *row, NrFactKind kind)
{
    const char *network = nr_row_text(row, "network"), *peer = nr_row_text(row, "peer");

    if (kind == NR_FACT_BRIDGE)
        return g_strdup_printf("network %s: bridge %s, TAP %s", network, peer,
                               nr_row_text(row, "address"));
    if (kind == NR_FACT_TUNNEL)
        return g_strdup_printf("network %s: tunnel to %s", network, nr_row_text(row, "address"));
    if (*nr_row_text(row, "guest"))
        return g_strdup_printf("guest %s, NIC %s: network %s, port %u", nr_row_text(row, "guest"),
                               nr_row_text(row, "nic"), network, port_of(row));
    return g_strdup_printf("network %s: %s, port %u", network, *peer ? peer : "somebody",
                           port_of(row));
}

/* New string. */
static char *connection_key(GVariant *row, NrFactKind kind, const char *place)
{
    if (*nr_row_text(row, "uuid"))
        return g_strdup_printf("nic\n%s/%s", nr_row_text(row, "uuid"), nr_row_text(row, "mac"));
    if (kind == NR_FACT_NIC || !*nr_row_text(row, "endpoint"))
        return g_strdup_printf("port\n%s", place);
    return g_strdup_printf("endpoint\n%s\n%s", nr_row_text(row, "network"),
                           nr_row_text(row, "endpoint"));
}

/* A guest may be forgotten before its connection has ended: whose it was is still known. */
static const NrFact *known_before(const Build *build, const char *place, const char **ret_key)
{
    if (!build->before)
        return NULL;
    *ret_key = g_hash_table_lookup(build->before->places, place);
    return *ret_key ? g_hash_table_lookup(build->before->facts, *ret_key) : NULL;
}

/* A port is there; what it closes a loop for is a fault by itself. */
static void add_connection(Build *build, GVariant *row)
{
    NrFactKind kind = kind_of(row);
    g_autofree char *place = g_strdup_printf("%s %u", nr_row_text(row, "network"), port_of(row));
    g_autofree char *text = connection_text(row, kind);
    g_autofree char *key = connection_key(row, kind, place);
    const char *old_key = NULL;
    const NrFact *old = known_before(build, place, &old_key);
    GVariantDict details;

    if (!port_of(row) || nr_row_is(row, "kind", "user") || /* nobody: it is the network's own */
        !(nr_row_is(row, "state", "connected") || nr_row_is(row, "state", "blocked")))
        return;
    if (old && !*nr_row_text(row, "uuid")) {
        g_free(key);
        key = g_strdup(old_key);
        g_variant_dict_init(&details, old->details);
    } else {
        g_variant_dict_init(&details, NULL);
        copy_row(&details, row);
        put_text(&details, "text", text);
    }
    add(build, kind, g_strdup(key), NR_STATE_UP, place, &details);
    if (kind == NR_FACT_NIC)
        g_hash_table_replace(build->view->places, g_steal_pointer(&place), g_steal_pointer(&key));
}

/* It may be the guest's that seems to be deaf. */
static void look_for_unknown(Build *build, GVariant *row)
{
    if (nr_row_is_unknown(row))
        g_hash_table_add(build->unknown, g_strdup(nr_row_text(row, "network")));
}

static void add_rows(Build *build)
{
    gsize count = build->input->rows ? g_variant_n_children(build->input->rows) : 0;

    for (gsize i = 0; i < count; i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(build->input->rows, i);

        look_for_unknown(build, row);
    }

    for (gsize i = 0; i < count; i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(build->input->rows, i);

        add_guest(build, row);
        add_connection(build, row);
        look_for_fault(build, row);
    }
}

/* Networks and relays */

static void add_network(Build *build, const char *name, NrFactState state, const char *version)
{
    g_autofree char *text = *version ? g_strdup_printf("network %s: %s", name, version)
                                     : g_strdup_printf("network %s", name);
    GVariantDict details;

    g_variant_dict_init(&details, NULL);
    put_text(&details, "network", name);
    put_text(&details, "text", text);
    add(build, NR_FACT_NETWORK, g_strdup_printf("network\n%s", name), state, version, &details);
}

/* What it leads to, and for whom. New string. */
static char *definition_of(const NrDesiredNetwork *network)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < network->endpoints->len; i++) {
        const NrDesiredEndpoint *endpoint = network->endpoints->pdata[i];

        g_string_append_printf(text, "%s%s%s%s", i ? ", " : "", endpoint->text,
                               endpoint->admit ? " for " : "",
                               endpoint->admit ? endpoint->admit : "");
    }
    return g_string_free(text, FALSE);
}

static void add_networks(Build *build)
{
    const NrDesired *desired = build->input->desired;
    const GPtrArray *files = build->input->networks;

    for (guint i = 0; desired && i < desired->networks->len; i++) {
        const NrDesiredNetwork *network = desired->networks->pdata[i];
        g_autofree char *definition = definition_of(network);

        add_network(build, network->name, NR_STATE_UP, definition);
    }
    for (guint i = 0; files && i < files->len; i++) {
        const NrNetwork *network = files->pdata[i];

        if (network->stopped)
            add_network(build, network->name, NR_STATE_DOWN, "");
    }
}

static void add_relay(Build *build, const NrActualNetwork *network)
{
    g_autofree char *pid = g_strdup_printf("%d", (int)network->pid);
    g_autofree char *text = g_strdup_printf("network %s: relay with pid %s", network->name, pid);
    GVariantDict details;

    g_variant_dict_init(&details, NULL);
    put_text(&details, "network", network->name);
    put_text(&details, "text", text);
    g_variant_dict_insert(&details, "relay_pid", "u", (guint32)network->pid);
    add(build, NR_FACT_RELAY, g_strdup_printf("relay\n%s", network->name), NR_STATE_UP, pid,
        &details);
}

static void add_libvirt(Build *build)
{
    const char *state = build->input->libvirt ? build->input->libvirt : "";
    gboolean up = g_str_equal(state, "connected");
    g_autofree char *text = g_strdup_printf("libvirt%s%s", up ? "" : ": ", up ? "" : state);
    GVariantDict details;

    g_variant_dict_init(&details, NULL);
    put_text(&details, "text", text);
    add(build, NR_FACT_LIBVIRT, g_strdup("libvirt"), up ? NR_STATE_UP : NR_STATE_DOWN, NULL,
        &details);
}

/* Views */

NrView *nr_view_new(const NrViewInput *input, const NrView *before)
{
    NrView *view = g_new0(NrView, 1);
    g_autoptr(GHashTable) unknown = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Build build = { .input = input, .before = before, .view = view, .unknown = unknown };

    view->facts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, fact_free);
    view->places = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    view->listed = input->listed;
    add_libvirt(&build);
    add_networks(&build);
    for (guint i = 0; input->actual && i < input->actual->networks->len; i++)
        add_relay(&build, input->actual->networks->pdata[i]);
    add_rows(&build);
    add_findings(&build);
    return view;
}

void nr_view_free(NrView *view)
{
    if (!view)
        return;
    g_hash_table_unref(view->facts);
    g_hash_table_unref(view->places);
    g_free(view);
}

void nr_view_forget_relay(NrView *view, const char *network)
{
    g_autofree char *key = g_strdup_printf("relay\n%s", network);

    g_hash_table_remove(view->facts, key);
}
