/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/ground-rules.h"

static gboolean is_made(const NrActual *actual, const char *text)
{
    for (guint i = 0; i < actual->changes->len; i++) {
        const NrActualChange *change = g_ptr_array_index(actual->changes, i);

        if (change->done && g_str_equal(change->change, text))
            return TRUE;
    }
    return FALSE;
}

GPtrArray *nr_ground_missing(const NrDesiredEndpoint *endpoint, const NrActual *actual)
{
    GPtrArray *missing = NULL;

    for (guint i = 0; endpoint->ground && i < endpoint->ground->len; i++) {
        const char *text = g_ptr_array_index(endpoint->ground, i);

        if (is_made(actual, text))
            continue;
        if (!missing)
            missing = g_ptr_array_new_with_free_func(g_free);
        g_ptr_array_add(missing, g_strdup(text));
    }
    return missing;
}

static void mark(const NrDesiredEndpoint *wanted, NrActualNetwork *network, const NrActual *actual)
{
    g_autoptr(GPtrArray) missing = nr_ground_missing(wanted, actual);

    for (guint i = 0; network && missing && i < network->endpoints->len; i++) {
        NrActualEndpoint *endpoint = g_ptr_array_index(network->endpoints, i);

        endpoint->groundless |= g_str_equal(endpoint->text, wanted->text);
    }
}

void nr_ground_mark(const NrDesired *desired, NrActual *actual)
{
    for (guint i = 0; i < desired->networks->len; i++) {
        const NrDesiredNetwork *network = g_ptr_array_index(desired->networks, i);

        for (guint k = 0; k < network->endpoints->len; k++) {
            const NrDesiredEndpoint *endpoint = g_ptr_array_index(network->endpoints, k);

            if (endpoint->ground)
                mark(endpoint, nr_actual_find(actual, network->name), actual);
        }
    }
}

/* Set of texts, borrowed. */
static GHashTable *all_wanted(const NrDesired *desired)
{
    GHashTable *wanted = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; i < desired->networks->len; i++) {
        const NrDesiredNetwork *network = g_ptr_array_index(desired->networks, i);

        for (guint k = 0; k < network->endpoints->len; k++) {
            const NrDesiredEndpoint *endpoint = g_ptr_array_index(network->endpoints, k);

            for (guint j = 0; endpoint->ground && j < endpoint->ground->len; j++)
                g_hash_table_add(wanted, g_ptr_array_index(endpoint->ground, j));
        }
    }
    return wanted;
}

/* What follows guests and not networks is let go of by whoever follows them (udp-guard.h). */
static gboolean is_of_networks(const char *change)
{
    return !g_str_has_prefix(change, "guard-udp ");
}

GPtrArray *nr_ground_unwanted(const NrDesired *desired, const NrActual *actual)
{
    g_autoptr(GHashTable) wanted = all_wanted(desired);
    GPtrArray *unwanted = g_ptr_array_new();

    for (guint i = actual->changes->len; i-- > 0;) {
        NrActualChange *change = g_ptr_array_index(actual->changes, i);

        if (!change->kept && is_of_networks(change->change) &&
            !g_hash_table_contains(wanted, change->change))
            g_ptr_array_add(unwanted, change);
    }
    return unwanted;
}
