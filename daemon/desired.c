/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The frame of the decision: collect every socket NIC as a case, have the rules decide them, have
 * networks and endpoints made of what is served. All maps here die with the call.
 */
#include "daemon/desired-private.h"

#include <string.h>

/* --- what is looked at */

NrDevice *nr_device_new(const char *name)
{
    NrDevice *device = g_new0(NrDevice, 1);

    device->name = g_strdup(name);
    return device;
}

void nr_device_free(gpointer data)
{
    NrDevice *device = data;

    g_free(device->name);
    g_free(device->bridge);
    g_free(device);
}

/* --- what is handed out */

static void endpoint_free(gpointer data)
{
    NrDesiredEndpoint *endpoint = data;

    g_free(endpoint->text);
    g_free(endpoint->label);
    g_free(endpoint->admit);
    g_clear_pointer(&endpoint->ground, g_ptr_array_unref);
    g_free(endpoint->lacks);
    g_free(endpoint);
}

static void network_free(gpointer data)
{
    NrDesiredNetwork *network = data;

    g_free(network->name);
    g_ptr_array_unref(network->endpoints);
    g_free(network->dnsmasq);
    g_clear_pointer(&network->served, g_ptr_array_unref);
    g_free(network);
}

static void binding_free(gpointer data)
{
    NrBinding *binding = data;

    nr_guest_unref(binding->guest);
    g_free(binding->network);
    g_free(binding->endpoint);
    g_free(binding->label);
    g_free(binding->options);
    g_free(binding->peer_guest);
    g_free(binding->stopped);
    g_free(binding->reason);
    g_free(binding);
}

void nr_desired_free(NrDesired *desired)
{
    if (!desired)
        return;
    g_ptr_array_unref(desired->networks);
    g_ptr_array_unref(desired->stopped);
    g_clear_pointer(&desired->guarded, g_ptr_array_unref);
    g_ptr_array_unref(desired->bindings);
    g_free(desired);
}

const char *nr_binding_kind_name(NrBindingKind kind)
{
    static const char *const names[] = {
        [NR_BINDING_SERVED] = "served",   [NR_BINDING_DIRECT] = "direct",
        [NR_BINDING_REMOTE] = "remote",   [NR_BINDING_UNCONNECTED] = "unconnected",
        [NR_BINDING_IGNORED] = "ignored", [NR_BINDING_RESOLVING] = "resolving",
        [NR_BINDING_REFUSED] = "refused",
    };

    return (guint)kind < G_N_ELEMENTS(names) ? names[kind] : "?";
}

gboolean nr_binding_is_beside(const NrBinding *binding, const NrBinding *other)
{
    return binding->guest == other->guest && other->kind == NR_BINDING_SERVED &&
           other->nic->kind == NR_NIC_DIALS && g_strcmp0(binding->network, other->network) == 0 &&
           g_strcmp0(binding->endpoint, other->endpoint) == 0;
}

gboolean nr_binding_refuses_start(const NrBinding *binding)
{
    return binding->kind == NR_BINDING_REFUSED && (binding->named || binding->conflict);
}

const char *nr_binding_word(const NrBinding *binding)
{
    if (binding->kind == NR_BINDING_REFUSED && !nr_binding_refuses_start(binding))
        return "faulty";
    return nr_binding_kind_name(binding->kind);
}

char *nr_network_words(const char *name)
{
    static const struct {
        const char *prefix, *words;
    } ours[] = {
        { "bridge:", "the bridge " },
        { "peer:", "the tunnel of NIC " },
    };

    for (guint i = 0; i < G_N_ELEMENTS(ours); i++)
        if (g_str_has_prefix(name, ours[i].prefix))
            return g_strconcat(ours[i].words, name + strlen(ours[i].prefix), NULL);
    return g_strconcat("the network ", name, NULL);
}

/* --- segments */

static void segment_free(gpointer data)
{
    NrSegment *segment = data;

    if (segment->network)
        network_free(segment->network);
    g_free(segment->uplink);
    g_hash_table_unref(segment->endpoints);
    g_free(segment);
}

NrSegment *nr_decision_segment(NrDecision *d, const char *name, NrOrigin origin)
{
    NrSegment *segment = g_hash_table_lookup(d->segments, name);

    if (segment)
        return segment;
    segment = g_new0(NrSegment, 1);
    segment->endpoints = g_hash_table_new(g_str_hash, g_str_equal);
    segment->network = g_new0(NrDesiredNetwork, 1);
    segment->network->name = g_strdup(name);
    segment->network->origin = origin;
    segment->network->endpoints = g_ptr_array_new_with_free_func(endpoint_free);
    g_hash_table_insert(d->segments, g_strdup(name), segment);
    return segment;
}

void nr_decision_own(NrDecision *d, NrPlaceIndex *owners, const NrPlace *place, NrSegment *segment,
                     NrCase *holder)
{
    NrOwner *owner = g_new0(NrOwner, 1);

    owner->segment = segment;
    owner->holder = holder;
    g_ptr_array_add(d->owners, owner);
    nr_place_index_add(owners, place, owner);
}

gboolean nr_decision_is_local(const NrDecision *d, const NrPlace *place)
{
    return nr_place_is_any(place) || nr_place_is_loopback(place) ||
           g_hash_table_contains(d->local, place->host);
}

/* --- cases */

gboolean nr_case_starts_before(const NrCase *a, const NrCase *b)
{
    return a->rank < b->rank; /* all that are off share the last one */
}

gboolean nr_case_binds(const NrCase *c)
{
    gboolean refused = c->decided && c->binding->kind == NR_BINDING_REFUSED;

    return c->active && !(refused && c->guest->state == NR_GUEST_ANNOUNCED);
}

static void find_place(NrCase *c, NrPlace *ret, const NrAddress *address, GHashTable *resolved)
{
    NrPlaceResult result = nr_place_find(ret, address->host, address->l4_port, resolved);

    if (result == NR_PLACE_FOUND || c->result == NR_PLACE_UNKNOWN)
        return;
    c->result = result;
    c->unresolved = address->host;
}

static void case_find_places(NrCase *c, GHashTable *resolved)
{
    const NrNic *nic = c->nic;

    if (nic->kind != NR_NIC_LISTENS && nic->kind != NR_NIC_OTHER)
        find_place(c, &c->ours, &nic->ours, resolved);
    if (nic->kind == NR_NIC_LISTENS || nic->kind == NR_NIC_UDP)
        find_place(c, &c->theirs, &nic->theirs, resolved);
    c->source = nic->kind == NR_NIC_LISTENS ? c->theirs : c->ours;
    if (nr_place_is_any(&c->ours))
        g_strlcpy(c->ours.host, "127.0.0.1", sizeof(c->ours.host));
}

static gint64 rank_of(const NrGuest *guest)
{
    if (!nr_guest_is_active(guest))
        return G_MAXINT64;
    return guest->id >= 0 ? nr_guest_order(guest) : G_MAXINT64 - 1;
}

static void collect_nic(NrDecision *d, NrDesired *desired, NrGuest *guest, NrNic *nic)
{
    char mac[MAC_TEXT_MAX];
    NrCase *c;

    if (nic->kind == NR_NIC_OTHER && !nr_wish_has_place(&nic->wish))
        return;
    c = g_new0(NrCase, 1);
    c->guest = guest;
    c->nic = nic;
    c->active = nr_guest_is_active(guest);
    c->rank = rank_of(guest);
    c->position = d->cases->len;
    case_find_places(c, d->input->resolved);

    c->binding = g_new0(NrBinding, 1);
    c->binding->guest = nr_guest_ref(guest);
    c->binding->nic = nic;
    c->binding->label = g_strconcat(guest->uuid, "/", mac_format(nic->mac, mac), NULL);
    g_ptr_array_add(desired->bindings, c->binding);
    g_ptr_array_add(d->cases, c);
}

static int compare_guests(gconstpointer a, gconstpointer b)
{
    const NrGuest *const *first = a, *const *second = b;

    return strcmp((*first)->uuid, (*second)->uuid);
}

/* Where the order of two starts is open, a server counts as first: it would hold the address. */
static int compare_starts(gconstpointer a, gconstpointer b)
{
    const NrCase *first = *(NrCase *const *)a, *second = *(NrCase *const *)b;
    gboolean first_listens = first->nic->kind == NR_NIC_LISTENS;
    gboolean second_listens = second->nic->kind == NR_NIC_LISTENS;

    if (first->rank != second->rank)
        return first->rank < second->rank ? -1 : 1;
    if (first_listens != second_listens)
        return first_listens ? -1 : 1;
    return first->position < second->position ? -1 : first->position > second->position;
}

static void index_case(NrDecision *d, NrCase *c)
{
    if (c->nic->fault || c->result != NR_PLACE_FOUND)
        return;
    switch (c->nic->kind) {
    case NR_NIC_DIALS:
        nr_place_index_add(d->dials, &c->ours, c);
        break;
    case NR_NIC_LISTENS:
        nr_place_index_add(d->listens, &c->theirs, c);
        break;
    case NR_NIC_UDP:
        nr_place_index_add(d->sends, &c->ours, c);
        nr_place_index_add(d->binds, &c->theirs, c);
        break;
    default:
        break;
    }
}

static void collect(NrDecision *d, NrDesired *desired)
{
    g_autoptr(GPtrArray) guests = g_ptr_array_sized_new(d->input->guests->len);

    for (guint i = 0; i < d->input->guests->len; i++)
        g_ptr_array_add(guests, g_ptr_array_index(d->input->guests, i));
    g_ptr_array_sort(guests, compare_guests);

    for (guint i = 0; i < guests->len; i++) {
        NrGuest *guest = g_ptr_array_index(guests, i);

        for (guint k = 0; k < guest->nics->len; k++)
            collect_nic(d, desired, guest, g_ptr_array_index(guest->nics, k));
    }
    for (guint i = 0; i < d->cases->len; i++)
        g_ptr_array_add(d->by_start, g_ptr_array_index(d->cases, i));
    g_ptr_array_sort(d->by_start, compare_starts);
    for (guint i = 0; i < d->by_start->len; i++)
        index_case(d, g_ptr_array_index(d->by_start, i));
}

/* --- the whole */

static void decision_init(NrDecision *d, const NrDesiredInput *input)
{
    *d = (NrDecision){ .input = input };
    d->local = g_hash_table_new(g_str_hash, g_str_equal);
    for (const char *const *address = input->addresses; address && *address; address++)
        g_hash_table_add(d->local, (gpointer)*address);
    d->segments = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, segment_free);
    d->cases = g_ptr_array_new_with_free_func(g_free);
    d->by_start = g_ptr_array_new();
    d->owners = g_ptr_array_new_with_free_func(g_free);
    d->dials = nr_place_index_new();
    d->listens = nr_place_index_new();
    d->sends = nr_place_index_new();
    d->binds = nr_place_index_new();
    d->tcp_owners = nr_place_index_new();
    d->udp_owners = nr_place_index_new();
}

static void decision_done(NrDecision *d)
{
    nr_place_index_free(d->dials);
    nr_place_index_free(d->listens);
    nr_place_index_free(d->sends);
    nr_place_index_free(d->binds);
    nr_place_index_free(d->tcp_owners);
    nr_place_index_free(d->udp_owners);
    nr_place_index_free(d->file_listens);
    nr_place_index_free(d->file_udps);
    nr_place_index_free(d->file_groups);
    g_hash_table_unref(d->pending);
    g_ptr_array_unref(d->rules);
    g_ptr_array_unref(d->owners);
    g_ptr_array_unref(d->by_start);
    g_ptr_array_unref(d->cases);
    g_hash_table_unref(d->segments);
    g_hash_table_unref(d->local);
}

static int compare_texts(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* QEMU's udp is IPv4 only; one with another address will not start. */
static gboolean hears_anyone(const NrCase *c)
{
    return c->active && c->nic->kind == NR_NIC_UDP && !c->nic->fault && !c->nic->wish.ignore &&
           c->result == NR_PLACE_FOUND && !strchr(c->theirs.host, ':');
}

static void guard_ports(const NrDecision *d, NrDesired *desired)
{
    if (!d->input->policy->system || !d->input->policy->guard_udp)
        return;
    desired->guarded = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < d->cases->len; i++) {
        const NrCase *c = g_ptr_array_index(d->cases, i);

        if (hears_anyone(c))
            g_ptr_array_add(desired->guarded, nr_place_format(&c->theirs));
    }
    g_ptr_array_sort(desired->guarded, compare_texts);
}

NrDesired *nr_desired_new(const NrDesiredInput *input)
{
    NrDesired *desired = g_new0(NrDesired, 1);
    NrDecision decision;

    desired->networks = g_ptr_array_new_with_free_func(network_free);
    desired->bindings = g_ptr_array_new_with_free_func(binding_free);
    desired->stopped = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < input->networks->len; i++) {
        const NrNetwork *file = g_ptr_array_index(input->networks, i);

        if (file->stopped)
            g_ptr_array_add(desired->stopped, g_strdup(file->name));
    }
    decision_init(&decision, input);
    nr_claims_load(&decision);
    collect(&decision, desired);
    nr_rules_decide(&decision);
    nr_options_decide(&decision);
    guard_ports(&decision, desired);
    nr_endpoints_hand_out(&decision, desired);
    decision_done(&decision);
    return desired;
}

/* --- host names */

static void add_hostname(GHashTable *names, const char *host)
{
    if (!nr_place_is_numeric(host))
        g_hash_table_add(names, g_strdup(host));
}

static void add_hostnames_of_guest(GHashTable *names, const NrGuest *guest)
{
    for (guint i = 0; i < guest->nics->len; i++) {
        const NrNic *nic = g_ptr_array_index(guest->nics, i);

        if (nic->fault)
            continue;
        if (nic->kind != NR_NIC_LISTENS && nic->kind != NR_NIC_OTHER)
            add_hostname(names, nic->ours.host);
        if (nic->kind == NR_NIC_LISTENS || nic->kind == NR_NIC_UDP)
            add_hostname(names, nic->theirs.host);
    }
}

static void add_hostnames_of_file(GHashTable *names, const NrNetwork *file)
{
    for (guint i = 0; i < file->listens->len; i++)
        add_hostname(names, ((NrAddress *)g_ptr_array_index(file->listens, i))->host);
    for (guint i = 0; i < file->udps->len; i++)
        add_hostname(names, ((NrAddress *)g_ptr_array_index(file->udps, i))->host);
    for (guint i = 0; i < file->peers->len; i++) /* the relay asks for itself; is it us? */
        add_hostname(names, ((NrAddress *)g_ptr_array_index(file->peers, i))->host);
    for (guint i = 0; i < file->matches->len; i++)
        add_hostname(names, ((NrMatch *)g_ptr_array_index(file->matches, i))->host);
}

static int compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char **nr_desired_hostnames(const GPtrArray *guests, const GPtrArray *networks)
{
    g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    GPtrArray *sorted = g_ptr_array_new();
    GHashTableIter iter;
    gpointer key;

    for (guint i = 0; guests && i < guests->len; i++)
        add_hostnames_of_guest(names, g_ptr_array_index(guests, i));
    for (guint i = 0; networks && i < networks->len; i++)
        add_hostnames_of_file(names, g_ptr_array_index(networks, i));

    g_hash_table_iter_init(&iter, names);
    while (g_hash_table_iter_next(&iter, &key, NULL))
        g_ptr_array_add(sorted, g_strdup(key));
    g_ptr_array_sort(sorted, compare_names);
    g_ptr_array_add(sorted, NULL);
    return (char **)g_ptr_array_free(sorted, FALSE);
}
