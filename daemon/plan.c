/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mark what is as it should be; what stays unmarked is stale. Of the stale, what stands in the way
 * of something new goes first, all else last, so that nobody is without while it need not be.
 *
 * One thing outlives its network: the connection of a running guest that dialled us. Its QEMU never
 * dials again, so a relay that still has one only loses its endpoints, and stops with the guest.
 */
#include "daemon/plan.h"

#include <string.h>

#include "daemon/ground-rules.h"
#include "daemon/place.h"

/* An endpoint that exists and is wanted no more, or not as it is. */
typedef struct {
    NrActualNetwork *network;
    NrActualEndpoint *endpoint;
    struct endpoint parsed;
    gboolean first; /* in the way of something new */
} Stale;

typedef struct {
    const NrDesired *desired;
    const NrActual *actual;
    GPtrArray *actions;
    GHashTable *wanted;  /* name -> NrDesiredNetwork, borrowed */
    GHashTable *present; /* name -> NrActualNetwork, borrowed */
    GHashTable *as_is;   /* set of NrActualEndpoint that stay */
    GHashTable *guests;  /* label -> NrBinding: NICs of running guests that dial */
    GHashTable *options; /* label -> what a port of a running guest is to have */
    GPtrArray *stale;    /* Stale, owns */
    GHashTable *after;   /* name -> GPtrArray: the networks that are in its way */
    NrPlaceIndex *tcp;   /* Stale by the address it holds: LISTEN its own, TCP the far end's */
    NrPlaceIndex *udp;
} Plan;

static NrAction *add_action(Plan *plan, NrActionKind kind, const char *network)
{
    NrAction *action = nr_action_new(kind, network);

    g_ptr_array_add(plan->actions, action);
    return action;
}

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

static void index_guests(Plan *plan)
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
static gboolean keeps(const Plan *plan, const NrActualNetwork *network, const char *label)
{
    const NrBinding *binding = label ? g_hash_table_lookup(plan->guests, label) : NULL;

    return binding && g_strcmp0(binding->stopped, network->name) != 0;
}

/* FALSE: a guest that still runs has its connection in it. */
static gboolean may_stop(const Plan *plan, const NrActualNetwork *network)
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

static GHashTable *index_endpoints(const NrActualNetwork *network)
{
    GHashTable *table = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; i < network->endpoints->len; i++) {
        NrActualEndpoint *endpoint = g_ptr_array_index(network->endpoints, i);

        g_hash_table_insert(table, endpoint->text, endpoint);
    }
    return table;
}

static void mark_network(Plan *plan, const NrDesiredNetwork *want)
{
    const NrActualNetwork *have = g_hash_table_lookup(plan->present, want->name);
    g_autoptr(GHashTable) endpoints = have ? index_endpoints(have) : NULL;

    for (guint i = 0; have && i < want->endpoints->len; i++) {
        const NrDesiredEndpoint *wanted = g_ptr_array_index(want->endpoints, i);
        NrActualEndpoint *found = g_hash_table_lookup(endpoints, wanted->text);

        if (found && endpoint_fits(found, wanted))
            g_hash_table_add(plan->as_is, found);
    }
}

static void index_stale(Plan *plan, NrActualNetwork *network, NrActualEndpoint *endpoint)
{
    Stale *stale = g_new0(Stale, 1);
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

static void find_stale(Plan *plan)
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

static gboolean collides(const Stale *stale, const char *network, const char *text)
{
    if (g_str_equal(stale->endpoint->text, text))
        return TRUE;
    /* Sockets of one network share a udp address of ours, one for each far end. */
    return stale->parsed.kind != ENDPOINT_UDP || !g_str_equal(stale->network->name, network);
}

static void mark_first(Plan *plan, Stale *stale, const char *network)
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

static void mark_group(Plan *plan, const NrPlaceGroup *group, const char *network, const char *text)
{
    for (guint i = 0; i < group->values->len; i++) {
        Stale *stale = g_ptr_array_index(group->values, i);

        if (collides(stale, network, text))
            mark_first(plan, stale, network);
    }
}

/* Endpoints without an address (bridge:, tap:) collide with their own kind of text only. */
static void mark_same_text(Plan *plan, GHashTable *texts)
{
    for (guint i = 0; i < plan->stale->len; i++) {
        Stale *stale = g_ptr_array_index(plan->stale, i);
        const char *network = g_hash_table_lookup(texts, stale->endpoint->text);
        gboolean bridge = g_str_has_prefix(stale->endpoint->text, "bridge:");

        /* Any number of networks may have a TAP in one bridge. */
        if (network && (!bridge || g_str_equal(network, stale->network->name)))
            mark_first(plan, stale, network);
    }
}

/* The next netrelay-user may be meant to have a port of the host that one of these has. */
static void mark_users(Plan *plan, const char *network)
{
    for (guint i = 0; i < plan->stale->len; i++) {
        Stale *stale = g_ptr_array_index(plan->stale, i);

        if (stale->parsed.kind == ENDPOINT_USER)
            mark_first(plan, stale, network);
    }
}

static gboolean is_missing(const Plan *plan, const NrDesiredNetwork *want,
                           const NrDesiredEndpoint *endpoint, GHashTable *have)
{
    NrActualEndpoint *found = have ? g_hash_table_lookup(have, endpoint->text) : NULL;

    return !found || !g_hash_table_contains(plan->as_is, found);
}

static void mark_conflicts_of(Plan *plan, const NrDesiredNetwork *want, GHashTable *texts)
{
    const NrActualNetwork *present = g_hash_table_lookup(plan->present, want->name);
    g_autoptr(GHashTable) have = present ? index_endpoints(present) : NULL;

    for (guint i = 0; i < want->endpoints->len; i++) {
        const NrDesiredEndpoint *endpoint = g_ptr_array_index(want->endpoints, i);
        const NrPlaceGroup *group;
        struct endpoint parsed;
        const char *expected;
        NrPlaceIter iter;
        NrPlace place;

        if (!is_missing(plan, want, endpoint, have))
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

static void mark_conflicts(Plan *plan)
{
    g_autoptr(GHashTable) texts = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; i < plan->desired->networks->len; i++)
        mark_conflicts_of(plan, g_ptr_array_index(plan->desired->networks, i), texts);
    mark_same_text(plan, texts);
}

/* --- the actions, in their order */

static void detach(Plan *plan, const Stale *stale)
{
    NrAction *action = add_action(plan, NR_ACTION_DETACH, stale->network->name);

    action->endpoint = g_strdup(stale->endpoint->text);
    action->endpoint_id = stale->endpoint->id;
    action->first = stale->first;
}

/* Networks that may stop and have nothing that could wait: set of NrActualNetwork. */
static GHashTable *find_stopped_first(Plan *plan)
{
    GHashTable *stopped = g_hash_table_new(NULL, NULL);
    g_autoptr(GHashTable) waiting = g_hash_table_new(NULL, NULL);

    for (guint i = 0; i < plan->stale->len; i++) {
        Stale *stale = g_ptr_array_index(plan->stale, i);

        g_hash_table_add(stale->first ? stopped : waiting, stale->network);
    }
    for (guint i = 0; i < plan->actual->networks->len; i++) {
        NrActualNetwork *network = g_ptr_array_index(plan->actual->networks, i);

        if (g_hash_table_contains(waiting, network) || !may_stop(plan, network))
            g_hash_table_remove(stopped, network);
    }
    return stopped;
}

static void free_addresses(Plan *plan, GHashTable *stopped)
{
    for (guint i = 0; i < plan->stale->len; i++) {
        const Stale *stale = g_ptr_array_index(plan->stale, i);

        if (stale->first && !g_hash_table_contains(stopped, stale->network))
            detach(plan, stale);
    }
    for (guint i = 0; i < plan->actual->networks->len; i++) {
        NrActualNetwork *network = g_ptr_array_index(plan->actual->networks, i);

        if (g_hash_table_contains(stopped, network))
            add_action(plan, NR_ACTION_STOP, network->name)->first = TRUE;
    }
}

static void spawn_missing(Plan *plan)
{
    for (guint i = 0; i < plan->desired->networks->len; i++) {
        const NrDesiredNetwork *want = g_ptr_array_index(plan->desired->networks, i);
        NrAction *action;

        /* Without an endpoint it is only wanted for a connection that it has already. */
        if (g_hash_table_contains(plan->present, want->name) || !want->endpoints->len)
            continue;
        action = add_action(plan, NR_ACTION_SPAWN, want->name);
        for (guint k = 0; k < want->endpoints->len; k++) {
            const NrDesiredEndpoint *endpoint = g_ptr_array_index(want->endpoints, k);

            action->named |= endpoint->named;
            action->newest_id = MAX(action->newest_id, endpoint->newest_id);
        }
    }
}

static void attach_missing(Plan *plan)
{
    for (guint i = 0; i < plan->desired->networks->len; i++) {
        const NrDesiredNetwork *want = g_ptr_array_index(plan->desired->networks, i);
        const NrActualNetwork *present = g_hash_table_lookup(plan->present, want->name);
        GPtrArray *after = g_hash_table_lookup(plan->after, want->name);
        g_autoptr(GHashTable) have = present ? index_endpoints(present) : NULL;

        for (guint k = 0; k < want->endpoints->len; k++) {
            const NrDesiredEndpoint *endpoint = g_ptr_array_index(want->endpoints, k);
            NrAction *action;

            if (!is_missing(plan, want, endpoint, have))
                continue;
            action = add_action(plan, NR_ACTION_ATTACH, want->name);
            action->endpoint = g_strdup(endpoint->text);
            action->label = g_strdup(endpoint->label);
            action->admit = g_strdup(endpoint->admit);
            action->ground = nr_ground_missing(endpoint, plan->actual);
            action->named = endpoint->named;
            action->newest_id = endpoint->newest_id;
            action->after = after ? g_ptr_array_ref(after) : NULL;
        }
    }
}

/* Under what is there: its file asks for more than it did, or its making was interrupted. */
static void lay_missing(Plan *plan, const NrDesiredNetwork *want)
{
    const NrActualNetwork *present = g_hash_table_lookup(plan->present, want->name);
    g_autoptr(GHashTable) have = present ? index_endpoints(present) : NULL;

    for (guint i = 0; i < want->endpoints->len; i++) {
        const NrDesiredEndpoint *endpoint = g_ptr_array_index(want->endpoints, i);
        g_autoptr(GPtrArray) missing = nr_ground_missing(endpoint, plan->actual);
        NrAction *action;

        if (!missing || is_missing(plan, want, endpoint, have))
            continue;
        action = add_action(plan, NR_ACTION_LAY, want->name);
        action->endpoint = g_strdup(endpoint->text);
        action->ground = g_steal_pointer(&missing);
    }
}

/* One action for each network that it was made for. */
static void lift_unwanted(Plan *plan)
{
    g_autoptr(GPtrArray) unwanted = nr_ground_unwanted(plan->desired, plan->actual);
    g_autoptr(GHashTable) lifts = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; i < unwanted->len; i++) {
        const NrActualChange *change = g_ptr_array_index(unwanted, i);
        NrAction *action = g_hash_table_lookup(lifts, change->network);

        if (!action) {
            action = add_action(plan, NR_ACTION_LIFT, change->network);
            action->ground = g_ptr_array_new_with_free_func(g_free);
            g_hash_table_insert(lifts, action->network, action);
        }
        g_ptr_array_add(action->ground, g_strdup(change->change));
    }
}

/* Before what it stands on is taken away. */
static void end_services(Plan *plan)
{
    for (guint i = 0; i < plan->actual->services->len; i++) {
        const NrActualService *service = g_ptr_array_index(plan->actual->services, i);
        const NrDesiredNetwork *want = g_hash_table_lookup(plan->wanted, service->network);

        if (!want || !want->dnsmasq || service->astray)
            add_action(plan, NR_ACTION_UNSERVE, service->network);
    }
}

/* After all that it stands on; one that was told something else makes room for it. */
static void begin_services(Plan *plan)
{
    for (guint i = 0; i < plan->desired->networks->len; i++) {
        const NrDesiredNetwork *want = g_ptr_array_index(plan->desired->networks, i);
        const NrActualService *have = nr_actual_service(plan->actual, want->name);
        NrAction *action;

        if (!want->dnsmasq || (have && !have->astray && g_str_equal(have->conf, want->dnsmasq)))
            continue;
        action = add_action(plan, NR_ACTION_SERVE, want->name);
        action->endpoint = g_strdup(NR_ACTION_DNSMASQ);
        action->detail = g_strdup(want->dnsmasq);
        action->ground = g_ptr_array_ref(want->served);
    }
}

static void enslave_astray(Plan *plan)
{
    for (guint i = 0; i < plan->actual->networks->len; i++) {
        const NrActualNetwork *network = g_ptr_array_index(plan->actual->networks, i);

        for (guint k = 0; k < network->endpoints->len; k++) {
            NrActualEndpoint *endpoint = g_ptr_array_index(network->endpoints, k);
            NrAction *action;

            if (!endpoint->astray || !g_hash_table_contains(plan->as_is, endpoint))
                continue;
            action = add_action(plan, NR_ACTION_ENSLAVE, network->name);
            action->endpoint = g_strdup(endpoint->text);
            action->endpoint_id = endpoint->id;
            action->detail = g_strdup(endpoint->detail);
        }
    }
}

/* A port is a guest's as soon as it is labelled, and from then on as that guest has it. What is
 * still held is about to be admitted with its options. */
static void set_options(Plan *plan, const NrActualNetwork *network)
{
    for (guint i = 0; i < network->ports->len; i++) {
        const NrActualPort *port = g_ptr_array_index(network->ports, i);
        const char *wanted = port->label ? g_hash_table_lookup(plan->options, port->label) : NULL;
        NrAction *action;

        if (!wanted || port->state == CTL_PORT_CLOSING || port->state == CTL_PORT_HELD ||
            g_str_equal(wanted, port->options ? port->options : ""))
            continue;
        action = add_action(plan, NR_ACTION_SET_OPTIONS, network->name);
        action->endpoint = g_strdup(port->label);
        action->port_id = port->id;
        action->detail = g_strdup(wanted);
    }
}

/* The network that a running guest's connection belongs to, where that is another one; or NULL. */
static const char *other_network(const Plan *plan, const NrActualNetwork *network,
                                 const NrActualPort *port)
{
    const NrBinding *binding = port->label ? g_hash_table_lookup(plan->guests, port->label) : NULL;

    if (!binding || binding->kind != NR_BINDING_SERVED ||
        g_str_equal(binding->network, network->name))
        return NULL;
    return binding->network;
}

/* Once the other relay is there. One that is blocked by the guard against loops moves, too. */
static void move_ports(Plan *plan, const NrActualNetwork *network)
{
    for (guint i = 0; i < network->ports->len; i++) {
        const NrActualPort *port = g_ptr_array_index(network->ports, i);
        const char *other = other_network(plan, network, port);
        NrAction *action;

        if (!other || !g_hash_table_contains(plan->present, other) ||
            (port->state != CTL_PORT_UP && port->state != CTL_PORT_BLOCKED))
            continue;
        action = add_action(plan, NR_ACTION_MOVE, network->name);
        action->endpoint = g_strdup(port->label);
        action->port_id = port->id;
        action->detail = g_strdup(other);
    }
}

/* Stopping a relay detaches all that is in it. */
static void detach_stale(Plan *plan)
{
    for (guint i = 0; i < plan->stale->len; i++) {
        const Stale *stale = g_ptr_array_index(plan->stale, i);

        if (!stale->first && !may_stop(plan, stale->network))
            detach(plan, stale);
    }
}

static void stop_unused(Plan *plan, GHashTable *stopped)
{
    for (guint i = 0; i < plan->actual->networks->len; i++) {
        NrActualNetwork *network = g_ptr_array_index(plan->actual->networks, i);

        if (may_stop(plan, network) && !g_hash_table_contains(stopped, network))
            add_action(plan, NR_ACTION_STOP, network->name);
    }
}

/* --- the whole */

static void plan_init(Plan *plan, const NrDesired *desired, const NrActual *actual)
{
    *plan = (Plan){ .desired = desired, .actual = actual };
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

static GPtrArray *plan_done(Plan *plan)
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
    g_autoptr(GHashTable) stopped = NULL;
    Plan plan;

    plan_init(&plan, desired, actual);
    index_guests(&plan);
    for (guint i = 0; i < desired->networks->len; i++)
        mark_network(&plan, g_ptr_array_index(desired->networks, i));
    find_stale(&plan);
    mark_conflicts(&plan);
    stopped = find_stopped_first(&plan);

    end_services(&plan);
    free_addresses(&plan, stopped);
    spawn_missing(&plan);
    attach_missing(&plan);
    for (guint i = 0; i < desired->networks->len; i++)
        lay_missing(&plan, g_ptr_array_index(desired->networks, i));
    enslave_astray(&plan);
    begin_services(&plan);
    for (guint i = 0; i < actual->networks->len; i++)
        set_options(&plan, g_ptr_array_index(actual->networks, i));
    for (guint i = 0; i < actual->networks->len; i++)
        move_ports(&plan, g_ptr_array_index(actual->networks, i));
    detach_stale(&plan);
    stop_unused(&plan, stopped);
    lift_unwanted(&plan);
    return plan_done(&plan);
}
