/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/place.h"

#include <string.h>

/*
 * The index has each group three ways: by its exact place, by port among the wildcards, and by port
 * among all. A look-up of an address meets one exact group and the few wildcards of its port; only
 * the look-up of a wildcard walks through all addresses of a port.
 */
struct NrPlaceIndex {
    GHashTable *exact;     /* NrPlace -> NrPlaceGroup, owns */
    GHashTable *wildcards; /* port -> GPtrArray of NrPlaceGroup */
    GHashTable *ports;     /* port -> GPtrArray of NrPlaceGroup */
};

static gboolean host_canonical(char ret[INET6_ADDRSTRLEN], const char *host)
{
    struct in6_addr v6;
    struct in_addr v4;

    if (!host || !*host || g_str_equal(host, "*")) {
        ret[0] = '\0';
        return TRUE;
    }
    if (inet_pton(AF_INET, host, &v4) == 1)
        return inet_ntop(AF_INET, &v4, ret, INET6_ADDRSTRLEN) != NULL;
    if (inet_pton(AF_INET6, host, &v6) == 1)
        return inet_ntop(AF_INET6, &v6, ret, INET6_ADDRSTRLEN) != NULL;
    return FALSE;
}

gboolean nr_place_is_numeric(const char *host)
{
    char text[INET6_ADDRSTRLEN];

    return host_canonical(text, host);
}

NrPlaceResult nr_place_find(NrPlace *ret, const char *host, guint16 l4_port, GHashTable *resolved)
{
    const char *found;

    ret->l4_port = l4_port;
    if (host_canonical(ret->host, host))
        return NR_PLACE_FOUND;
    ret->host[0] = '\0';
    found = resolved ? g_hash_table_lookup(resolved, host) : NULL;
    if (!found)
        return NR_PLACE_RESOLVING;
    if (!*found || !host_canonical(ret->host, found))
        return NR_PLACE_UNKNOWN;
    return NR_PLACE_FOUND;
}

gboolean nr_place_is_any(const NrPlace *place)
{
    return !place->host[0] || g_str_equal(place->host, "0.0.0.0") || g_str_equal(place->host, "::");
}

gboolean nr_place_is_loopback(const NrPlace *place)
{
    return g_str_has_prefix(place->host, "127.") || g_str_equal(place->host, "::1");
}

gboolean nr_place_equal(const NrPlace *a, const NrPlace *b)
{
    return a->l4_port == b->l4_port && g_str_equal(a->host, b->host);
}

gboolean nr_place_overlaps(const NrPlace *a, const NrPlace *b)
{
    gboolean v4_only = g_str_equal(a->host, "0.0.0.0") || g_str_equal(b->host, "0.0.0.0");
    const char *other = g_str_equal(a->host, "0.0.0.0") ? b->host : a->host;

    if (a->l4_port != b->l4_port)
        return FALSE;
    if (g_str_equal(a->host, b->host))
        return TRUE;
    if (!nr_place_is_any(a) && !nr_place_is_any(b))
        return FALSE;
    /* "::" takes IPv4 along; 0.0.0.0 leaves IPv6 alone. */
    return !v4_only || !strchr(other, ':') || g_str_equal(other, "::");
}

void nr_place_to_endpoint(const NrPlace *place, struct endpoint_address *ret)
{
    g_strlcpy(ret->host, place->host, sizeof(ret->host));
    ret->l4_port = place->l4_port;
}

char *nr_place_format(const NrPlace *place)
{
    struct endpoint_address address = { 0 };
    char text[ENDPOINT_TEXT_MAX];

    nr_place_to_endpoint(place, &address);
    return g_strdup(endpoint_address_format(&address, text));
}

static guint place_hash(gconstpointer key)
{
    const NrPlace *place = key;

    return g_str_hash(place->host) * 31 + place->l4_port;
}

static gboolean place_same(gconstpointer a, gconstpointer b)
{
    return nr_place_equal(a, b);
}

static void group_free(gpointer data)
{
    NrPlaceGroup *group = data;

    g_ptr_array_unref(group->values);
    g_free(group);
}

static void list_free(gpointer data)
{
    g_ptr_array_unref(data);
}

NrPlaceIndex *nr_place_index_new(void)
{
    NrPlaceIndex *index = g_new0(NrPlaceIndex, 1);

    index->exact = g_hash_table_new_full(place_hash, place_same, NULL, group_free);
    index->wildcards = g_hash_table_new_full(NULL, NULL, NULL, list_free);
    index->ports = g_hash_table_new_full(NULL, NULL, NULL, list_free);
    return index;
}

void nr_place_index_free(NrPlaceIndex *index)
{
    if (!index)
        return;
    g_hash_table_unref(index->wildcards);
    g_hash_table_unref(index->ports);
    g_hash_table_unref(index->exact);
    g_free(index);
}

static void list_add(GHashTable *table, guint16 l4_port, NrPlaceGroup *group)
{
    GPtrArray *list = g_hash_table_lookup(table, GUINT_TO_POINTER(l4_port));

    if (!list) {
        list = g_ptr_array_new();
        g_hash_table_insert(table, GUINT_TO_POINTER(l4_port), list);
    }
    g_ptr_array_add(list, group);
}

void nr_place_index_add(NrPlaceIndex *index, const NrPlace *place, gpointer value)
{
    NrPlaceGroup *group = g_hash_table_lookup(index->exact, place);

    if (!group) {
        group = g_new0(NrPlaceGroup, 1);
        group->place = *place;
        group->values = g_ptr_array_new();
        g_hash_table_insert(index->exact, &group->place, group);
        list_add(index->ports, place->l4_port, group);
        if (nr_place_is_any(place))
            list_add(index->wildcards, place->l4_port, group);
    }
    g_ptr_array_add(group->values, value);
}

const NrPlaceGroup *nr_place_index_find(const NrPlaceIndex *index, const NrPlace *place)
{
    return g_hash_table_lookup(index->exact, place);
}

void nr_place_iter_init(NrPlaceIter *iter, const NrPlaceIndex *index, const NrPlace *place)
{
    GHashTable *table = nr_place_is_any(place) ? index->ports : index->wildcards;

    *iter = (NrPlaceIter){
        .index = index,
        .place = place,
        .exact = nr_place_index_find(index, place),
        .others = g_hash_table_lookup(table, GUINT_TO_POINTER(place->l4_port)),
    };
}

const NrPlaceGroup *nr_place_iter_next(NrPlaceIter *iter)
{
    const NrPlaceGroup *exact = iter->exact;

    if (exact) {
        iter->exact = NULL;
        return exact;
    }
    while (iter->others && iter->next < iter->others->len) {
        const NrPlaceGroup *group = g_ptr_array_index(iter->others, iter->next++);

        if (!nr_place_equal(&group->place, iter->place) &&
            nr_place_overlaps(&group->place, iter->place))
            return group;
    }
    return NULL;
}
