/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/attempts.h"

#include <errno.h>
#include <string.h>

#define YOUNG_MS       10000 /* a relay that dies before has died at its start */
#define FIRST_DEATH_MS 200

struct NrAttempts {
    GHashTable *by_key;  /* "network\nendpoint" -> NrAttempt */
    GHashTable *cut_off; /* label -> id of the guest, whose next start is another matter */
};

static char *key_new(const char *network, const char *endpoint)
{
    return g_strdup_printf("%s\n%s", network, endpoint ? endpoint : "");
}

static void attempt_free(gpointer p)
{
    NrAttempt *attempt = p;

    g_free(attempt->network);
    g_free(attempt->endpoint);
    g_free(attempt->text);
    g_free(attempt);
}

NrAttempts *nr_attempts_new(void)
{
    NrAttempts *attempts = g_new0(NrAttempts, 1);

    attempts->by_key = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, attempt_free);
    attempts->cut_off = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return attempts;
}

void nr_attempts_free(NrAttempts *attempts)
{
    if (!attempts)
        return;
    g_hash_table_unref(attempts->by_key);
    g_hash_table_unref(attempts->cut_off);
    g_free(attempts);
}

static NrAttempt *lookup(const NrAttempts *attempts, const char *network, const char *endpoint)
{
    g_autofree char *key = key_new(network, endpoint);

    return g_hash_table_lookup(attempts->by_key, key);
}

static NrAttempt *obtain(NrAttempts *attempts, const char *network, const char *endpoint)
{
    NrAttempt *attempt = lookup(attempts, network, endpoint);

    if (attempt)
        return attempt;
    attempt = g_new0(NrAttempt, 1);
    attempt->network = g_strdup(network);
    attempt->endpoint = g_strdup(endpoint ? endpoint : "");
    g_hash_table_insert(attempts->by_key, key_new(network, endpoint), attempt);
    return attempt;
}

static gboolean attempt_set(NrAttempt *attempt, int error, const char *text, gint64 now_ms)
{
    gboolean news = attempt->error == 0 || g_strcmp0(attempt->text, text) != 0;

    attempt->delay_ms = attempt->delay_ms == 0 ? NR_ATTEMPT_FIRST_MS
                                               : MIN(attempt->delay_ms * 2, NR_ATTEMPT_LAST_MS);
    attempt->next_ms = now_ms + attempt->delay_ms;
    attempt->error = error;
    if (news) {
        g_free(attempt->text);
        attempt->text = g_strdup(text ? text : g_strerror(-error));
    }
    return news;
}

gboolean nr_attempts_failed(NrAttempts *attempts, const NrAction *action, int error,
                            const char *text, gint64 now_ms)
{
    NrAttempt *attempt = obtain(attempts, action->network, action->endpoint);

    attempt->foreign = action->kind == NR_ACTION_ATTACH && !action->named && error == -EADDRINUSE;
    attempt->laying = action->ground && action->kind != NR_ACTION_SERVE;
    attempt->newest_id = action->newest_id;
    return attempt_set(attempt, error, text, now_ms);
}

void nr_attempts_died(NrAttempts *attempts, const char *network, const char *endpoint,
                      gint64 age_ms, const char *text, gint64 now_ms)
{
    g_autofree char *key = key_new(network, endpoint);
    NrAttempt *attempt;

    if (age_ms >= YOUNG_MS) { /* it lived long: replaced at once */
        g_hash_table_remove(attempts->by_key, key);
        return;
    }
    attempt = obtain(attempts, network, endpoint);
    if (attempt->delay_ms == 0) { /* for the first time: replaced well within a second */
        attempt_set(attempt, -ECHILD, text, now_ms);
        attempt->next_ms = now_ms + FIRST_DEATH_MS;
    } else {
        attempt_set(attempt, -ECHILD, text, now_ms);
    }
}

void nr_attempts_worked(NrAttempts *attempts, const NrAction *action)
{
    g_autofree char *key = key_new(action->network, action->endpoint);
    NrAttempt *attempt = g_hash_table_lookup(attempts->by_key, key);

    if (!attempt)
        return;
    if (action->kind == NR_ACTION_SPAWN || action->kind == NR_ACTION_SERVE)
        attempt->error = 0; /* its back-off counts on, should it die again soon */
    else
        g_hash_table_remove(attempts->by_key, key);
}

gboolean nr_attempts_allow(const NrAttempts *attempts, const NrAction *action, gint64 now_ms)
{
    const NrAttempt *attempt;

    if (nr_action_takes(action))
        return TRUE;
    attempt = nr_attempts_find(attempts, action->network, action->endpoint);
    if (!attempt)
        return TRUE;
    if (attempt->foreign)
        return action->newest_id > attempt->newest_id || action->named;
    return now_ms >= attempt->next_ms;
}

const NrAttempt *nr_attempts_find(const NrAttempts *attempts, const char *network,
                                  const char *endpoint)
{
    const NrAttempt *attempt = lookup(attempts, network, endpoint);

    return attempt && attempt->error != 0 ? attempt : NULL;
}

gboolean nr_attempts_is_foreign(const NrAttempts *attempts, const char *network,
                                const NrDesiredEndpoint *endpoint)
{
    const NrAttempt *attempt = nr_attempts_find(attempts, network, endpoint->text);

    return attempt && attempt->foreign && !endpoint->named &&
           endpoint->newest_id <= attempt->newest_id;
}

void nr_attempts_keep(NrAttempts *attempts, const NrDesired *desired)
{
    g_autoptr(GHashTable) wanted = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    GHashTableIter iter;
    gpointer key;

    if (g_hash_table_size(attempts->by_key) == 0)
        return;
    for (guint i = 0; i < desired->networks->len; i++) {
        const NrDesiredNetwork *network = desired->networks->pdata[i];

        g_hash_table_add(wanted, key_new(network->name, ""));
        if (network->dnsmasq)
            g_hash_table_add(wanted, key_new(network->name, NR_ACTION_DNSMASQ));
        for (guint j = 0; j < network->endpoints->len; j++) {
            const NrDesiredEndpoint *endpoint = network->endpoints->pdata[j];

            g_hash_table_add(wanted, key_new(network->name, endpoint->text));
        }
    }
    for (guint i = 0; i < desired->bindings->len; i++) {
        const NrBinding *binding = desired->bindings->pdata[i];

        if (binding->network && nr_guest_is_active(binding->guest))
            g_hash_table_add(wanted, key_new(binding->network, binding->label));
    }
    g_hash_table_iter_init(&iter, attempts->by_key);
    while (g_hash_table_iter_next(&iter, &key, NULL))
        if (!g_hash_table_contains(wanted, key))
            g_hash_table_iter_remove(&iter);
}

void nr_attempts_settle(NrAttempts *attempts, const NrActual *actual)
{
    if (g_hash_table_size(attempts->by_key) == 0)
        return;
    for (guint i = 0; i < actual->networks->len; i++) {
        const NrActualNetwork *network = actual->networks->pdata[i];
        NrAttempt *start = lookup(attempts, network->name, "");

        if (start)
            start->error = 0; /* its back-off counts on, should it die again soon */
        for (guint j = 0; j < network->endpoints->len; j++) {
            const NrActualEndpoint *endpoint = network->endpoints->pdata[j];
            g_autofree char *key = key_new(network->name, endpoint->text);

            if (!endpoint->astray && !endpoint->groundless && endpoint->state != CTL_ENDPOINT_ENDED)
                g_hash_table_remove(attempts->by_key, key);
        }
    }
}

void nr_attempts_explain_foreign(NrAttempts *attempts, char *(*explain)(const char *endpoint))
{
    GHashTableIter iter;
    gpointer p;

    g_hash_table_iter_init(&iter, attempts->by_key);
    while (g_hash_table_iter_next(&iter, NULL, &p)) {
        NrAttempt *attempt = p;

        if (!attempt->foreign)
            continue;
        g_free(attempt->text);
        attempt->text = explain(attempt->endpoint);
    }
}

void nr_attempts_retry(NrAttempts *attempts, const char *network, const char *endpoint)
{
    NrAttempt *attempt = lookup(attempts, network, endpoint);

    if (attempt)
        attempt->next_ms = 0;
}

void nr_attempts_retry_all(NrAttempts *attempts)
{
    GHashTableIter iter;
    gpointer p;

    g_hash_table_iter_init(&iter, attempts->by_key);
    while (g_hash_table_iter_next(&iter, NULL, &p))
        ((NrAttempt *)p)->next_ms = 0;
}

void nr_attempts_retry_devices(NrAttempts *attempts)
{
    GHashTableIter iter;
    gpointer p;

    g_hash_table_iter_init(&iter, attempts->by_key);
    while (g_hash_table_iter_next(&iter, NULL, &p)) {
        NrAttempt *attempt = p;

        if (attempt->laying)
            continue;
        if (attempt->error == -EADDRNOTAVAIL || attempt->error == -EXDEV ||
            g_str_has_prefix(attempt->endpoint, "bridge:") ||
            g_str_has_prefix(attempt->endpoint, "mcast:"))
            attempt->next_ms = 0;
    }
}

void nr_attempts_cut_off(NrAttempts *attempts, const char *label, int guest_id)
{
    g_hash_table_replace(attempts->cut_off, g_strdup(label), GINT_TO_POINTER(guest_id));
}

gboolean nr_attempts_was_cut_off(const NrAttempts *attempts, const char *label, int guest_id)
{
    gpointer id;

    return g_hash_table_lookup_extended(attempts->cut_off, label, NULL, &id) &&
           GPOINTER_TO_INT(id) == guest_id;
}

gint64 nr_attempts_next(const NrAttempts *attempts)
{
    GHashTableIter iter;
    gint64 next_ms = -1;
    gpointer p;

    g_hash_table_iter_init(&iter, attempts->by_key);
    while (g_hash_table_iter_next(&iter, NULL, &p)) {
        const NrAttempt *attempt = p;

        if (attempt->error != 0 && !attempt->foreign && (next_ms < 0 || attempt->next_ms < next_ms))
            next_ms = attempt->next_ms;
    }
    return next_ms;
}
