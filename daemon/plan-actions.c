/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The actions of a plan, in the order they are done. */
#include "daemon/ground-rules.h"
#include "daemon/plan-private.h"

static NrAction *add_action(NrPlan *plan, NrActionKind kind, const char *network)
{
    NrAction *action = nr_action_new(kind, network);

    g_ptr_array_add(plan->actions, action);
    return action;
}

static void detach(NrPlan *plan, const NrStale *stale)
{
    NrAction *action = add_action(plan, NR_ACTION_DETACH, stale->network->name);

    action->endpoint = g_strdup(stale->endpoint->text);
    action->endpoint_id = stale->endpoint->id;
    action->first = stale->first;
}

/* Networks that may stop and have nothing that could wait: set of NrActualNetwork. */
static GHashTable *find_stopped_first(NrPlan *plan)
{
    GHashTable *stopped = g_hash_table_new(NULL, NULL);
    g_autoptr(GHashTable) waiting = g_hash_table_new(NULL, NULL);

    for (guint i = 0; i < plan->stale->len; i++) {
        NrStale *stale = g_ptr_array_index(plan->stale, i);

        g_hash_table_add(stale->first ? stopped : waiting, stale->network);
    }
    for (guint i = 0; i < plan->actual->networks->len; i++) {
        NrActualNetwork *network = g_ptr_array_index(plan->actual->networks, i);

        if (g_hash_table_contains(waiting, network) || !nr_plan_may_stop(plan, network))
            g_hash_table_remove(stopped, network);
    }
    return stopped;
}

static void free_addresses(NrPlan *plan, GHashTable *stopped)
{
    for (guint i = 0; i < plan->stale->len; i++) {
        const NrStale *stale = g_ptr_array_index(plan->stale, i);

        if (stale->first && !g_hash_table_contains(stopped, stale->network))
            detach(plan, stale);
    }
    for (guint i = 0; i < plan->actual->networks->len; i++) {
        NrActualNetwork *network = g_ptr_array_index(plan->actual->networks, i);

        if (g_hash_table_contains(stopped, network))
            add_action(plan, NR_ACTION_STOP, network->name)->first = TRUE;
    }
}

static void spawn_missing(NrPlan *plan)
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

static void attach_missing(NrPlan *plan)
{
    for (guint i = 0; i < plan->desired->networks->len; i++) {
        const NrDesiredNetwork *want = g_ptr_array_index(plan->desired->networks, i);
        const NrActualNetwork *present = g_hash_table_lookup(plan->present, want->name);
        GPtrArray *after = g_hash_table_lookup(plan->after, want->name);
        g_autoptr(GHashTable) have = present ? nr_plan_endpoints(present) : NULL;

        for (guint k = 0; k < want->endpoints->len; k++) {
            const NrDesiredEndpoint *endpoint = g_ptr_array_index(want->endpoints, k);
            NrAction *action;

            if (!nr_plan_is_missing(plan, endpoint, have))
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
static void lay_missing(NrPlan *plan, const NrDesiredNetwork *want)
{
    const NrActualNetwork *present = g_hash_table_lookup(plan->present, want->name);
    g_autoptr(GHashTable) have = present ? nr_plan_endpoints(present) : NULL;

    for (guint i = 0; i < want->endpoints->len; i++) {
        const NrDesiredEndpoint *endpoint = g_ptr_array_index(want->endpoints, i);
        g_autoptr(GPtrArray) missing = nr_ground_missing(endpoint, plan->actual);
        NrAction *action;

        if (!missing || nr_plan_is_missing(plan, endpoint, have))
            continue;
        action = add_action(plan, NR_ACTION_LAY, want->name);
        action->endpoint = g_strdup(endpoint->text);
        action->ground = g_steal_pointer(&missing);
    }
}

/* One action for each network that it was made for. */
static void lift_unwanted(NrPlan *plan)
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
static void end_services(NrPlan *plan)
{
    for (guint i = 0; i < plan->actual->services->len; i++) {
        const NrActualService *service = g_ptr_array_index(plan->actual->services, i);
        const NrDesiredNetwork *want = g_hash_table_lookup(plan->wanted, service->network);

        if (!want || !want->dnsmasq || service->astray)
            add_action(plan, NR_ACTION_UNSERVE, service->network);
    }
}

/* After all that it stands on; one that was told something else makes room for it. */
static void begin_services(NrPlan *plan)
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

static void enslave_astray(NrPlan *plan)
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
static void set_options(NrPlan *plan, const NrActualNetwork *network)
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
static const char *other_network(const NrPlan *plan, const NrActualNetwork *network,
                                 const NrActualPort *port)
{
    const NrBinding *binding = port->label ? g_hash_table_lookup(plan->guests, port->label) : NULL;

    if (!binding || binding->kind != NR_BINDING_SERVED ||
        g_str_equal(binding->network, network->name))
        return NULL;
    return binding->network;
}

/* Once the other relay is there. One that is blocked by the guard against loops moves, too. */
static void move_ports(NrPlan *plan, const NrActualNetwork *network)
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
static void detach_stale(NrPlan *plan)
{
    for (guint i = 0; i < plan->stale->len; i++) {
        const NrStale *stale = g_ptr_array_index(plan->stale, i);

        if (!stale->first && !nr_plan_may_stop(plan, stale->network))
            detach(plan, stale);
    }
}

static void stop_unused(NrPlan *plan, GHashTable *stopped)
{
    for (guint i = 0; i < plan->actual->networks->len; i++) {
        NrActualNetwork *network = g_ptr_array_index(plan->actual->networks, i);

        if (nr_plan_may_stop(plan, network) && !g_hash_table_contains(stopped, network))
            add_action(plan, NR_ACTION_STOP, network->name);
    }
}

void nr_plan_act(NrPlan *plan)
{
    const GPtrArray *desired = plan->desired->networks, *actual = plan->actual->networks;
    g_autoptr(GHashTable) stopped = find_stopped_first(plan);

    end_services(plan);
    free_addresses(plan, stopped);
    spawn_missing(plan);
    attach_missing(plan);
    for (guint i = 0; i < desired->len; i++)
        lay_missing(plan, g_ptr_array_index(desired, i));
    enslave_astray(plan);
    begin_services(plan);
    for (guint i = 0; i < actual->len; i++)
        set_options(plan, g_ptr_array_index(actual, i));
    for (guint i = 0; i < actual->len; i++)
        move_ports(plan, g_ptr_array_index(actual, i));
    detach_stale(plan);
    stop_unused(plan, stopped);
    lift_unwanted(plan);
}
