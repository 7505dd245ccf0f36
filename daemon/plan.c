/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mark what is as it should be; what stays unmarked is stale. Of the stale, what stands in the way
 * of something new goes first, all else last, so that nobody is without while it need not be.
 *
 * One thing outlives its network: the connection of a running guest that dialled us. Its QEMU never
 * dials again, so a relay that still has one only loses its endpoints, and stops with the guest.
 */
#include "daemon/plan-private.h"

/* --- what is there */

static gboolean address_place(NrPlace *ret, const struct endpoint_address *address)
{
    g_strlcpy(ret->host, address->host, sizeof(ret->host));
    ret->l4_port = address->l4_port;
    return TRUE;
}

/* The address that nobody else can have while the endpoint is there. */
static gboolean endpoint_place(NrPlace *ret, const struct endpoint *endpoint)
{
    switch (endpoint->kind) {
    case ENDPOINT_LISTEN:
    case ENDPOINT_UDP:
        return address_place(ret, &endpoint->local);
    case ENDPOINT_TCP: /* QEMU takes one client at a time */
        return address_place(ret, &endpoint->remote);
    default:
        return FALSE;
    }
}

static void index_guests(NrPlan *plan)
{
    for (guint i = 0; i < plan->desired->bindings->len; i++) {
        NrBinding *binding = g_ptr_array_index(plan->desired->bindings, i);

        if (!nr_guest_is_active(binding->guest))
            continue;
        if (binding->nic->kind == NR_NIC_DIALS)
            g_hash_table_insert(plan->guests, binding->label, binding);
        g_hash_table_insert(plan->options, binding->label, binding->options);
    }
}

/* A guest that still runs has its connection in the network, and nobody has told it to let go. */
static gboolean keeps(const NrPlan *plan, const NrActualNetwork *network, const char *label)
{
    const NrBinding *binding = label ? g_hash_table_lookup(plan->guests, label) : NULL;

    return binding && g_strcmp0(binding->stopped, network->name) != 0;
}

/* FALSE: a guest that still runs has its connection in it. */
gboolean nr_plan_may_stop(const NrPlan *plan, const NrActualNetwork *network)
{
    if (g_hash_table_contains(plan->wanted, network->name))
        return FALSE;
    for (guint i = 0; i < network->ports->len; i++) {
        const NrActualPort *port = g_ptr_array_index(network->ports, i);

        if (keeps(plan, network, port->label))
            return FALSE;
    }
    return TRUE;
}

static gboolean endpoint_fits(const NrActualEndpoint *have, const NrDesiredEndpoint *want)
{
    if (!g_str_equal(have->text, want->text) || have->state == CTL_ENDPOINT_ENDED ||
        g_strcmp0(have->admit, want->admit) != 0)
        return FALSE;
    return !have->label || !want->label || g_str_equal(have->label, want->label);
}

GHashTable *nr_plan_endpoints(const NrActualNetwork *network)
{
    GHashTable *table = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; i < network->endpoints->len; i++) {
        NrActualEndpoint *endpoint = g_ptr_array_index(network->endpoints, i);

        g_hash_table_insert(table, endpoint->text, endpoint);
    }
    return table;
}

static void mark_network(NrPlan *plan, const NrDesiredNetwork *want)
{
    const NrActualNetwork *have = g_hash_table_lookup(plan->present, want->name);
    g_autoptr(GHashTable) endpoints = have ? nr_plan_endpoints(have) : NULL;

    for (guint i = 0; have && i < want->endpoints->len; i++) {
        const NrDesiredEndpoint *wanted = g_ptr_array_index(want->endpoints, i);
        NrActualEndpoint *found = g_hash_table_lookup(endpoints, wanted->text);

        if (found && endpoint_fits(found, wanted))
            g_hash_table_add(plan->as_is, found);
    }
}

static void index_stale(NrPlan *plan, NrActualNetwork *network, NrActualEndpoint *endpoint)
{
    NrStale *stale = g_new0(NrStale, 1);
    const char *expected;
    NrPlace place;

    stale->network = network;
    stale->endpoint = endpoint;
    g_ptr_array_add(plan->stale, stale);
    if (endpoint_parse(&stale->parsed, endpoint->text, &expected) < 0 ||
        !endpoint_place(&place, &stale->parsed))
        return;
    nr_place_index_add(stale->parsed.kind == ENDPOINT_UDP ? plan->udp : plan->tcp, &place, stale);
}

static void find_stale(NrPlan *plan)
{
    for (guint i = 0; i < plan->actual->networks->len; i++) {
        NrActualNetwork *network = g_ptr_array_index(plan->actual->networks, i);

        for (guint k = 0; k < network->endpoints->len; k++) {
            NrActualEndpoint *endpoint = g_ptr_array_index(network->endpoints, k);

            if (!g_hash_table_contains(plan->as_is, endpoint))
                index_stale(plan, network, endpoint);
        }
    }
}

/* --- what is in the way */

static gboolean collides(const NrStale *stale, const char *network, const char *text)
{
    if (g_str_equal(stale->endpoint->text, text))
        return TRUE;
    /* Sockets of one network share a udp address of ours, one for each far end. */
    return stale->parsed.kind != ENDPOINT_UDP || !g_str_equal(stale->network->name, network);
}

static void mark_first(NrPlan *plan, NrStale *stale, const char *network)
{
    GPtrArray *after = g_hash_table_lookup(plan->after, network);
    const char *other = stale->network->name;

    stale->first = TRUE;
    if (g_str_equal(other, network))
        return;
    if (!after) {
        after = g_ptr_array_new_with_free_func(g_free);
        g_hash_table_insert(plan->after, (gpointer)network, after);
    }
    if (!g_ptr_array_find_with_equal_func(after, other, g_str_equal, NULL))
        g_ptr_array_add(after, g_strdup(other));
}

static void mark_group(NrPlan *plan, const NrPlaceGroup *group, const char *network,
                       const char *text)
{
    for (guint i = 0; i < group->values->len; i++) {
        NrStale *stale = g_ptr_array_index(group->values, i);

        if (collides(stale, network, text))
            mark_first(plan, stale, network);
    }
}

/* Endpoints without an address (bridge:, tap:) collide with their own kind of text only. */
static void mark_same_text(NrPlan *plan, GHashTable *texts)
{
    for (guint i = 0; i < plan->stale->len; i++) {
        NrStale *stale = g_ptr_array_index(plan->stale, i);
        const char *network = g_hash_table_lookup(texts, stale->endpoint->text);
        gboolean bridge = g_str_has_prefix(stale->endpoint->text, "bridge:");

        /* Any number of networks may have a TAP in one bridge. */
        if (network && (!bridge || g_str_equal(network, stale->network->name)))
            mark_first(plan, stale, network);
    }
}

/* The next netrelay-user may be meant to have a port of the host that one of these has. */
static void mark_users(NrPlan *plan, const char *network)
{
    for (guint i = 0; i < plan->stale->len; i++) {
        NrStale *stale = g_ptr_array_index(plan->stale, i);

        if (stale->parsed.kind == ENDPOINT_USER)
            mark_first(plan, stale, network);
    }
}

gboolean nr_plan_is_missing(const NrPlan *plan, const NrDesiredEndpoint *endpoint, GHashTable *have)
{
    NrActualEndpoint *found = have ? g_hash_table_lookup(have, endpoint->text) : NULL;

    return !found || !g_hash_table_contains(plan->as_is, found);
}

static void mark_conflicts_of(NrPlan *plan, const NrDesiredNetwork *want, GHashTable *texts)
{
    const NrActualNetwork *present = g_hash_table_lookup(plan->present, want->name);
    g_autoptr(GHashTable) have = present ? nr_plan_endpoints(present) : NULL;

    for (guint i = 0; i < want->endpoints->len; i++) {
        const NrDesiredEndpoint *endpoint = g_ptr_array_index(want->endpoints, i);
        const NrPlaceGroup *group;
        struct endpoint parsed;
        const char *expected;
        NrPlaceIter iter;
        NrPlace place;

        if (!nr_plan_is_missing(plan, endpoint, have))
            continue;
        g_hash_table_insert(texts, endpoint->text, want->name);
        if (endpoint_parse(&parsed, endpoint->text, &expected) < 0)
            continue;
        if (parsed.kind == ENDPOINT_USER)
            mark_users(plan, want->name);
        if (!endpoint_place(&place, &parsed))
            continue;
        nr_place_iter_init(&iter, parsed.kind == ENDPOINT_UDP ? plan->udp : plan->tcp, &place);
        while ((group = nr_place_iter_next(&iter)))
            mark_group(plan, group, want->name, endpoint->text);
    }
}

static void mark_conflicts(NrPlan *plan)
{
    g_autoptr(GHashTable) texts = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; i < plan->desired->networks->len; i++)
        mark_conflicts_of(plan, g_ptr_array_index(plan->desired->networks, i), texts);
    mark_same_text(plan, texts);
}

/* --- the whole */

static void plan_init(NrPlan *plan, const NrDesired *desired, const NrActual *actual)
{
    *plan = (NrPlan){ .desired = desired, .actual = actual };
    plan->actions = g_ptr_array_new_with_free_func(nr_action_free);
    plan->wanted = g_hash_table_new(g_str_hash, g_str_equal);
    plan->present = g_hash_table_new(g_str_hash, g_str_equal);
    plan->as_is = g_hash_table_new(NULL, NULL);
    plan->guests = g_hash_table_new(g_str_hash, g_str_equal);
    plan->options = g_hash_table_new(g_str_hash, g_str_equal);
    plan->stale = g_ptr_array_new_with_free_func(g_free);
    plan->after =
        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)g_ptr_array_unref);
    plan->tcp = nr_place_index_new();
    plan->udp = nr_place_index_new();

    for (guint i = 0; i < desired->networks->len; i++) {
        NrDesiredNetwork *network = g_ptr_array_index(desired->networks, i);

        g_hash_table_insert(plan->wanted, network->name, network);
    }
    for (guint i = 0; i < actual->networks->len; i++) {
        NrActualNetwork *network = g_ptr_array_index(actual->networks, i);

        g_hash_table_insert(plan->present, network->name, network);
    }
}

static GPtrArray *plan_done(NrPlan *plan)
{
    g_hash_table_unref(plan->wanted);
    g_hash_table_unref(plan->present);
    g_hash_table_unref(plan->as_is);
    g_hash_table_unref(plan->guests);
    g_hash_table_unref(plan->options);
    g_ptr_array_unref(plan->stale);
    g_hash_table_unref(plan->after);
    nr_place_index_free(plan->tcp);
    nr_place_index_free(plan->udp);
    return plan->actions;
}

GPtrArray *nr_plan_new(const NrDesired *desired, const NrActual *actual)
{
    NrPlan plan;

    plan_init(&plan, desired, actual);
    index_guests(&plan);
    for (guint i = 0; i < desired->networks->len; i++)
        mark_network(&plan, g_ptr_array_index(desired->networks, i));
    find_stale(&plan);
    mark_conflicts(&plan);
    nr_plan_act(&plan);
    return plan_done(&plan);
}
