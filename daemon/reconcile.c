/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * State: `next` (a pass that was asked for), and what the executor is at. A pass decides at once
 * and leaves its work to the executor, so another one may come while that goes on. `desired` and
 * `attempts` are what the last pass found, for the status and for hooks.
 */
#include "daemon/reconcile.h"

#include <errno.h>
#include "common/endpoint.h"
#include "daemon/execute.h"
#include "daemon/log.h"
#include "daemon/retire.h"
#include "daemon/step.h"
#include "daemon/waiters.h"

#define LINKS_MS     200 /* changes of links come in flocks */
#define RETRY_MIN_MS 20
#define REST_FACTOR  4 /* from a pass to the next, of its own time: for what it has begun */
#define REST_MAX_US  200000

struct NrReconcile {
    const NrWorld *world;
    void (*passed)(gpointer data);
    gpointer data;
    NrExecutor *executor;
    gboolean started, guests_known;
    guint next, settle, due, links;
    gint64 rest_until_us;
    NrAttempts *attempts;
    NrDesired *desired;
    GHashTable *retry;      /* UUIDs of guests whose failures are tried again at once */
    GHashTable *complaints; /* refusals of the last pass, each logged when it is new */
    NrWaiters *waiters;
};

static gint64 now_ms(void)
{
    return g_get_monotonic_time() / 1000;
}

static void clear_timer(guint *timer)
{
    if (*timer)
        g_source_remove(*timer);
    *timer = 0;
}

/* Asking for passes */

static void begin_pass(NrReconcile *reconcile);

static gboolean on_next(gpointer data)
{
    NrReconcile *reconcile = data;

    reconcile->next = 0;
    begin_pass(reconcile);
    return G_SOURCE_REMOVE;
}

static void pass_in(NrReconcile *reconcile, gint64 ms)
{
    clear_timer(&reconcile->next);
    if (reconcile->started)
        reconcile->next =
            g_timeout_add_full(G_PRIORITY_DEFAULT, (guint)MAX(ms, 0), on_next, reconcile, NULL);
}

void nr_reconcile_request(NrReconcile *reconcile)
{
    if (!reconcile->next)
        pass_in(reconcile, (reconcile->rest_until_us - g_get_monotonic_time() + 999) / 1000);
}

static gboolean on_due(gpointer data)
{
    NrReconcile *reconcile = data;

    reconcile->due = 0;
    nr_reconcile_request(reconcile);
    return G_SOURCE_REMOVE;
}

static gboolean on_links_settled(gpointer data)
{
    NrReconcile *reconcile = data;

    reconcile->links = 0;
    nr_attempts_retry_devices(reconcile->attempts);
    nr_ground_look_again(reconcile->world->ground);
    nr_serving_look(reconcile->world->serving);
    nr_reconcile_request(reconcile);
    return G_SOURCE_REMOVE;
}

void nr_reconcile_links_changed(NrReconcile *reconcile)
{
    if (!reconcile->links)
        reconcile->links = g_timeout_add(LINKS_MS, on_links_settled, reconcile);
}

void nr_reconcile_files_changed(NrReconcile *reconcile)
{
    nr_attempts_retry_all(reconcile->attempts);
    nr_reconcile_request(reconcile);
}

void nr_reconcile_retry_guest(NrReconcile *reconcile, const char *uuid)
{
    g_hash_table_add(reconcile->retry, g_strdup(uuid));
}

void nr_reconcile_relay_died(NrReconcile *reconcile, const char *network, gint64 age_ms,
                             const char *text)
{
    g_autofree char *reason = g_strdup_printf("its relay is gone: %s", text);

    nr_log(NR_LOG_WARNING, "network %s: %s", network, reason);
    nr_attempts_died(reconcile->attempts, network, "", age_ms, reason, now_ms());
    nr_reconcile_request(reconcile);
}

void nr_reconcile_dnsmasq_died(NrReconcile *reconcile, const char *network, gint64 age_ms,
                               const char *text)
{
    nr_log(NR_LOG_WARNING, "network %s: %s", network, text);
    nr_attempts_died(reconcile->attempts, network, NR_ACTION_DNSMASQ, age_ms, text, now_ms());
    nr_reconcile_request(reconcile);
}

void nr_reconcile_wait_guest(NrReconcile *reconcile, const char *uuid, void (*done)(gpointer data),
                             gpointer data)
{
    nr_waiters_add_guest(reconcile->waiters, uuid, done, data);
    pass_in(reconcile, 0);
}

void nr_reconcile_wait(NrReconcile *reconcile, const char *network, void (*done)(gpointer data),
                       gpointer data)
{
    nr_waiters_add(reconcile->waiters, network, done, data);
    pass_in(reconcile, 0);
}

void nr_reconcile_cancel(NrReconcile *reconcile, gpointer data)
{
    nr_waiters_cancel(reconcile->waiters, data);
}

/* What is said, and what is tried again */

/* Each refusal is said once, and again only after it was gone. */
static void complain(NrReconcile *reconcile)
{
    GHashTable *now = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (guint i = 0; i < reconcile->desired->bindings->len; i++) {
        const NrBinding *binding = reconcile->desired->bindings->pdata[i];

        if (binding->kind != NR_BINDING_REFUSED || !binding->reason)
            continue;
        if (!g_hash_table_contains(reconcile->complaints, binding->reason) &&
            !g_hash_table_contains(now, binding->reason))
            nr_log(NR_LOG_WARNING, "%s", binding->reason);
        g_hash_table_add(now, g_strdup(binding->reason));
    }
    g_hash_table_unref(reconcile->complaints);
    reconcile->complaints = now;
}

static void retry_network(NrReconcile *reconcile, const char *name)
{
    for (guint i = 0; i < reconcile->desired->networks->len; i++) {
        const NrDesiredNetwork *network = reconcile->desired->networks->pdata[i];

        if (!g_str_equal(network->name, name))
            continue;
        nr_attempts_retry(reconcile->attempts, name, "");
        nr_attempts_retry(reconcile->attempts, name, NR_ACTION_DNSMASQ);
        for (guint j = 0; j < network->endpoints->len; j++) {
            const NrDesiredEndpoint *endpoint = network->endpoints->pdata[j];

            nr_attempts_retry(reconcile->attempts, name, endpoint->text);
        }
    }
}

static void retry_guests(NrReconcile *reconcile)
{
    if (g_hash_table_size(reconcile->retry) == 0)
        return;
    for (guint i = 0; i < reconcile->desired->bindings->len; i++) {
        const NrBinding *binding = reconcile->desired->bindings->pdata[i];

        if (binding->network && g_hash_table_contains(reconcile->retry, binding->guest->uuid))
            retry_network(reconcile, binding->network);
    }
    g_hash_table_remove_all(reconcile->retry);
}

/* What a person has stopped needs no list of guests to be taken away. */
static gboolean is_stopped(const NrReconcile *reconcile, const char *name)
{
    const GPtrArray *networks = reconcile->world->networks->networks;

    for (guint i = 0; i < networks->len; i++) {
        const NrNetwork *network = networks->pdata[i];

        if (network->stopped && g_str_equal(network->name, name))
            return TRUE;
    }
    return FALSE;
}

/* What is there again at once, changed, is not taken away: a listener that admits other hosts. */
static gboolean is_replaced(const NrReconcile *reconcile, const GPtrArray *actions,
                            const NrAction *detach)
{
    for (guint i = 0; i < actions->len; i++) {
        const NrAction *action = actions->pdata[i];

        if (action->kind == NR_ACTION_ATTACH && detach->kind == NR_ACTION_DETACH &&
            g_str_equal(action->network, detach->network) &&
            g_str_equal(action->endpoint, detach->endpoint))
            return nr_attempts_allow(reconcile->attempts, action, now_ms());
    }
    return FALSE;
}

/* A guest in the hook is about to bind it, and libvirt may list no guests before that is answered.
 * Connections outlast their listener. */
static gboolean is_to_be_bound(const NrReconcile *reconcile, const NrAction *detach)
{
    const GPtrArray *bindings = reconcile->desired->bindings;
    struct endpoint endpoint;
    const char *expected;

    if (detach->kind != NR_ACTION_DETACH ||
        endpoint_parse(&endpoint, detach->endpoint, &expected) < 0 ||
        endpoint.kind != ENDPOINT_LISTEN)
        return FALSE;
    for (guint i = 0; i < bindings->len; i++) {
        const NrBinding *binding = bindings->pdata[i];

        if (binding->guest->state == NR_GUEST_ANNOUNCED && binding->nic->kind == NR_NIC_LISTENS &&
            binding->nic->theirs.l4_port == endpoint.local.l4_port)
            return TRUE;
    }
    return FALSE;
}

/* As long as it is not known which guests run, each of them may need what is there. A dnsmasq is
 * there for what files say. */
static gboolean may_take(const NrReconcile *reconcile, const GPtrArray *actions,
                         const NrAction *action)
{
    return reconcile->guests_known || action->kind == NR_ACTION_UNSERVE ||
           is_stopped(reconcile, action->network) || is_replaced(reconcile, actions, action) ||
           is_to_be_bound(reconcile, action);
}

/* What is not to be done now is left out. */
static void hold_back(const NrReconcile *reconcile, GPtrArray *actions)
{
    gint64 now = now_ms();

    for (guint i = 0; i < actions->len;) {
        const NrAction *action = actions->pdata[i];

        if ((nr_action_takes(action) && !may_take(reconcile, actions, action)) ||
            !nr_attempts_allow(reconcile->attempts, action, now))
            g_ptr_array_remove_index(actions, i);
        else
            i++;
    }
}

/* An address that is left to others needs no relay of ours. */
static gboolean is_left_alone(const NrReconcile *reconcile, const NrDesiredNetwork *network)
{
    for (guint i = 0; i < network->endpoints->len; i++)
        if (!nr_attempts_is_foreign(reconcile->attempts, network->name,
                                    network->endpoints->pdata[i]))
            return FALSE;
    return network->endpoints->len > 0;
}

static GPtrArray *compute_plan(const NrReconcile *reconcile, const NrDesired *desired,
                               const NrActual *actual)
{
    g_autoptr(GPtrArray) networks = g_ptr_array_new();
    NrDesired ours = { .networks = networks, .bindings = desired->bindings };
    GPtrArray *actions;

    for (guint i = 0; i < desired->networks->len; i++)
        if (!is_left_alone(reconcile, desired->networks->pdata[i]))
            g_ptr_array_add(networks, desired->networks->pdata[i]);
    actions = nr_plan_new(&ours, actual);
    if (reconcile->world->retiring)
        nr_retire_plan(actions);
    hold_back(reconcile, actions);
    return actions;
}

GPtrArray *nr_reconcile_plan(NrReconcile *reconcile)
{
    g_autoptr(NrDesired) desired = nr_world_desired(reconcile->world);
    g_autoptr(NrActual) actual = nr_world_actual(reconcile->world, desired);

    return compute_plan(reconcile, desired, actual);
}

/* The pass */

static void on_result(const NrAction *action, int error, const char *text, gpointer data)
{
    g_autofree char *what = nr_action_format(action);
    NrReconcile *reconcile = data;
    const NrAttempt *attempt;

    if (error == 0) {
        nr_log(NR_LOG_INFO, "%s", what);
        nr_attempts_worked(reconcile->attempts, action);
        return;
    }
    if (nr_action_takes(action)) {
        nr_log(NR_LOG_WARNING, "%s: %s", what, text);
        return;
    }
    if (error == -EAGAIN && action->kind == NR_ACTION_SERVE)
        return; /* what keeps its addresses away says it */
    if (error == -ENOTCONN && nr_attempts_find(reconcile->attempts, action->network, ""))
        return; /* the relay's own failure says it */
    if (!nr_attempts_failed(reconcile->attempts, action, error, text, now_ms()))
        return; /* said before */
    attempt = nr_attempts_find(reconcile->attempts, action->network, action->endpoint);
    if (attempt && attempt->foreign)
        nr_log(NR_LOG_NOTICE, "%s: left alone: %s", what, text);
    else
        nr_log(NR_LOG_WARNING, "%s: failed: %s", what, text);
}

static void set_due(NrReconcile *reconcile, gint64 next_ms)
{
    gint64 wait_ms;

    if (reconcile->due)
        g_source_remove(reconcile->due);
    reconcile->due = 0;
    if (next_ms < 0)
        return;
    wait_ms = CLAMP(next_ms - now_ms(), RETRY_MIN_MS, 3600 * 1000);
    reconcile->due = g_timeout_add((guint)wait_ms, on_due, reconcile);
}

static gint64 earlier(gint64 a, gint64 b)
{
    if (a < 0 || b < 0)
        return MAX(a, b);
    return MIN(a, b);
}

static gboolean on_settle(gpointer data)
{
    NrReconcile *reconcile = data;

    reconcile->settle = 0;
    nr_waiters_serve(reconcile->waiters, reconcile->desired, reconcile->executor);
    set_due(reconcile, earlier(nr_attempts_next(reconcile->attempts),
                               nr_inventory_expire(reconcile->world->inventory, now_ms())));
    reconcile->passed(reconcile->data);
    return G_SOURCE_REMOVE;
}

/* Many ends make one look at who has waited for them. */
static void settle_soon(NrReconcile *reconcile)
{
    if (!reconcile->settle)
        reconcile->settle = g_idle_add_full(G_PRIORITY_DEFAULT, on_settle, reconcile, NULL);
}

static void on_done(gpointer data)
{
    NrReconcile *reconcile = data;

    if (nr_executor_has_put_off(reconcile->executor))
        nr_reconcile_request(reconcile);
    settle_soon(reconcile);
}

static const NrExecuteEvents execute_events = {
    .result = on_result,
    .done = on_done,
};

static GPtrArray *next_plan(NrReconcile *reconcile)
{
    g_autoptr(NrActual) actual = NULL;

    nr_inventory_expire(reconcile->world->inventory, now_ms());
    nr_desired_free(reconcile->desired);
    reconcile->desired = nr_world_desired(reconcile->world);
    actual = nr_world_actual(reconcile->world, reconcile->desired);
    if (reconcile->world->retiring)
        nr_retire_desired(reconcile->desired, actual);
    complain(reconcile);
    nr_attempts_keep(reconcile->attempts, reconcile->desired);
    nr_attempts_settle(reconcile->attempts, actual);
    retry_guests(reconcile);
    return compute_plan(reconcile, reconcile->desired, actual);
}

static void begin_pass(NrReconcile *reconcile)
{
    gint64 began_us = g_get_monotonic_time(), ended_us;
    GPtrArray *actions;

    nr_waiters_pass_begins(reconcile->waiters);
    actions = next_plan(reconcile);
    ended_us = g_get_monotonic_time();
    reconcile->rest_until_us = ended_us + MIN((ended_us - began_us) * REST_FACTOR, REST_MAX_US);
    nr_execute(reconcile->executor, actions);
    nr_udp_guard_follow(reconcile->world->udp_guard, reconcile->desired, reconcile->guests_known);
    settle_soon(reconcile);
}

/* Life */

NrReconcile *nr_reconcile_new(const NrWorld *world, void (*passed)(gpointer data), gpointer data)
{
    NrReconcile *reconcile = g_new0(NrReconcile, 1);

    reconcile->world = world;
    reconcile->passed = passed;
    reconcile->data = data;
    reconcile->executor =
        nr_executor_new(world->relays, world->ground, world->serving, &execute_events, reconcile);
    reconcile->attempts = nr_attempts_new();
    reconcile->waiters = nr_waiters_new();
    reconcile->retry = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    reconcile->complaints = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return reconcile;
}

void nr_reconcile_free(NrReconcile *reconcile)
{
    if (!reconcile)
        return;
    clear_timer(&reconcile->next);
    clear_timer(&reconcile->settle);
    clear_timer(&reconcile->due);
    clear_timer(&reconcile->links);
    nr_executor_free(reconcile->executor);
    nr_waiters_free(reconcile->waiters);
    nr_desired_free(reconcile->desired);
    nr_attempts_free(reconcile->attempts);
    g_hash_table_unref(reconcile->retry);
    g_hash_table_unref(reconcile->complaints);
    g_free(reconcile);
}

void nr_reconcile_start(NrReconcile *reconcile)
{
    reconcile->started = TRUE;
    nr_reconcile_request(reconcile);
}

void nr_reconcile_guests_known(NrReconcile *reconcile)
{
    reconcile->guests_known = TRUE;
    nr_reconcile_request(reconcile);
}

gboolean nr_reconcile_knows_guests(const NrReconcile *reconcile)
{
    return reconcile->guests_known;
}

const NrDesired *nr_reconcile_desired(const NrReconcile *reconcile)
{
    return reconcile->desired;
}

const NrAttempts *nr_reconcile_attempts(const NrReconcile *reconcile)
{
    return reconcile->attempts;
}

void nr_reconcile_cut_off(NrReconcile *reconcile, const NrBinding *binding)
{
    nr_attempts_cut_off(reconcile->attempts, binding->label, binding->guest->id);
}

void nr_reconcile_look_at_foreign(NrReconcile *reconcile)
{
    nr_attempts_explain_foreign(reconcile->attempts, nr_step_explain_foreign);
}
