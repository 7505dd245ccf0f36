/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/resolver.h"

#include <gio/gio.h>

#define FOUND_SECONDS  60 /* until it is looked up again */
#define FAILED_SECONDS 5
#define NAMES_MAX      4096

typedef struct {
    NrResolver *resolver; /* NULL: the resolver is gone, or the name is not wanted any more */
    char *name;
    GCancellable *cancellable;
    gint64 due_us; /* of the next lookup */
    gboolean asking;
} Lookup;

struct NrResolver {
    void (*changed)(gpointer data);
    gpointer data;
    GHashTable *lookups; /* name -> Lookup */
    GHashTable *table;   /* name -> address text */
    guint timer;
};

static void lookup_free(Lookup *lookup)
{
    g_object_unref(lookup->cancellable);
    g_free(lookup->name);
    g_free(lookup);
}

/* A lookup that is under way frees itself when it comes back. */
static void lookup_drop(gpointer p)
{
    Lookup *lookup = p;

    lookup->resolver = NULL;
    if (lookup->asking)
        g_cancellable_cancel(lookup->cancellable);
    else
        lookup_free(lookup);
}

/* QEMU's socket NICs speak IPv4 only. */
static GInetAddress *prefer_v4(GList *addresses)
{
    for (GList *node = addresses; node; node = node->next)
        if (g_inet_address_get_family(node->data) == G_SOCKET_FAMILY_IPV4)
            return node->data;
    return addresses ? addresses->data : NULL;
}

static void table_set(NrResolver *resolver, const char *name, const char *text)
{
    const char *known = g_hash_table_lookup(resolver->table, name);

    if (known && (text[0] == '\0' || g_str_equal(known, text)))
        return; /* the same, or not found this time: what was found stays */
    g_hash_table_insert(resolver->table, g_strdup(name), g_strdup(text));
    resolver->changed(resolver->data);
}

static void set_timer(NrResolver *resolver);

static void on_looked_up(GObject *source, GAsyncResult *result, gpointer data)
{
    GList *addresses = g_resolver_lookup_by_name_finish(G_RESOLVER(source), result, NULL);
    GInetAddress *address = prefer_v4(addresses);
    g_autofree char *text = address ? g_inet_address_to_string(address) : g_strdup("");
    Lookup *lookup = data;

    g_resolver_free_addresses(addresses);
    lookup->asking = FALSE;
    if (!lookup->resolver) {
        lookup_free(lookup);
        return;
    }
    lookup->due_us =
        g_get_monotonic_time() + (text[0] ? FOUND_SECONDS : FAILED_SECONDS) * G_USEC_PER_SEC;
    set_timer(lookup->resolver);
    table_set(lookup->resolver, lookup->name, text);
}

static void lookup_begin(Lookup *lookup)
{
    g_autoptr(GResolver) resolver = g_resolver_get_default();

    lookup->asking = TRUE;
    g_resolver_lookup_by_name_async(resolver, lookup->name, lookup->cancellable, on_looked_up,
                                    lookup);
}

static gboolean on_due(gpointer data)
{
    NrResolver *resolver = data;
    gint64 now_us = g_get_monotonic_time();
    GHashTableIter iter;
    gpointer p;

    resolver->timer = 0;
    g_hash_table_iter_init(&iter, resolver->lookups);
    while (g_hash_table_iter_next(&iter, NULL, &p)) {
        Lookup *lookup = p;

        if (!lookup->asking && now_us >= lookup->due_us)
            lookup_begin(lookup);
    }
    set_timer(resolver);
    return G_SOURCE_REMOVE;
}

/* For the first one that is due. */
static void set_timer(NrResolver *resolver)
{
    gint64 due_us = G_MAXINT64, wait_us;
    GHashTableIter iter;
    gpointer p;

    g_clear_handle_id(&resolver->timer, g_source_remove);
    g_hash_table_iter_init(&iter, resolver->lookups);
    while (g_hash_table_iter_next(&iter, NULL, &p))
        if (!((Lookup *)p)->asking)
            due_us = MIN(due_us, ((Lookup *)p)->due_us);
    if (due_us == G_MAXINT64)
        return;
    wait_us = MAX(due_us - g_get_monotonic_time(), 0);
    resolver->timer =
        g_timeout_add_seconds((guint)(wait_us / G_USEC_PER_SEC) + 1, on_due, resolver);
}

NrResolver *nr_resolver_new(void (*changed)(gpointer data), gpointer data)
{
    NrResolver *resolver = g_new0(NrResolver, 1);

    resolver->changed = changed;
    resolver->data = data;
    resolver->lookups = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, lookup_drop);
    resolver->table = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return resolver;
}

void nr_resolver_free(NrResolver *resolver)
{
    if (!resolver)
        return;
    if (resolver->timer)
        g_source_remove(resolver->timer);
    g_hash_table_unref(resolver->lookups);
    g_hash_table_unref(resolver->table);
    g_free(resolver);
}

static gboolean is_unwanted(gpointer name, gpointer value, gpointer names)
{
    return !g_strv_contains((const char *const *)names, name);
}

void nr_resolver_want(NrResolver *resolver, char **names)
{
    g_hash_table_foreach_remove(resolver->table, is_unwanted, names);
    g_hash_table_foreach_remove(resolver->lookups, is_unwanted, names);
    for (guint i = 0; names[i] && g_hash_table_size(resolver->lookups) < NAMES_MAX; i++) {
        Lookup *lookup;

        if (g_hash_table_contains(resolver->lookups, names[i]))
            continue;
        lookup = g_new0(Lookup, 1);
        lookup->resolver = resolver;
        lookup->name = g_strdup(names[i]);
        lookup->cancellable = g_cancellable_new();
        g_hash_table_insert(resolver->lookups, lookup->name, lookup);
        lookup_begin(lookup);
    }
    set_timer(resolver);
}

GHashTable *nr_resolver_table(NrResolver *resolver)
{
    return resolver->table;
}
