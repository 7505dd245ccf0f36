/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/events.h"

#include <string.h>

/* Which change of a fact is which event; all rows that fit are told, in their order. What has
 * changed in the same state has another version. */
static const struct {
    NrFactKind kind;
    NrFactState from, to;
    const char *event;
} changes[] = {
    { NR_FACT_LIBVIRT, NR_STATE_UP, NR_STATE_DOWN, "libvirt-lost" },
    { NR_FACT_LIBVIRT, NR_STATE_DOWN, NR_STATE_UP, "libvirt-connected" },

    { NR_FACT_NETWORK, NR_STATE_NONE, NR_STATE_UP, "network-up" },
    { NR_FACT_NETWORK, NR_STATE_DOWN, NR_STATE_UP, "network-up" },
    { NR_FACT_NETWORK, NR_STATE_UP, NR_STATE_UP, "network-changed" },
    { NR_FACT_NETWORK, NR_STATE_UP, NR_STATE_DOWN, "network-stopped" },
    { NR_FACT_NETWORK, NR_STATE_UP, NR_STATE_NONE, "network-gone" },
    { NR_FACT_NETWORK, NR_STATE_DOWN, NR_STATE_NONE, "network-gone" },

    { NR_FACT_RELAY, NR_STATE_UP, NR_STATE_NONE, "relay-ended" },
    { NR_FACT_RELAY, NR_STATE_UP, NR_STATE_UP, "relay-started" },
    { NR_FACT_RELAY, NR_STATE_NONE, NR_STATE_UP, "relay-started" },

    { NR_FACT_GUEST, NR_STATE_RUNNING, NR_STATE_NONE, "guest-ended" },
    { NR_FACT_GUEST, NR_STATE_RUNNING, NR_STATE_DEFINED, "guest-ended" },
    { NR_FACT_GUEST, NR_STATE_RUNNING, NR_STATE_ANNOUNCED, "guest-ended" },
    { NR_FACT_GUEST, NR_STATE_ANNOUNCED, NR_STATE_NONE, "guest-ended" },
    { NR_FACT_GUEST, NR_STATE_ANNOUNCED, NR_STATE_DEFINED, "guest-ended" },
    { NR_FACT_GUEST, NR_STATE_NONE, NR_STATE_DEFINED, "guest-seen" },
    { NR_FACT_GUEST, NR_STATE_DEFINED, NR_STATE_NONE, "guest-gone" },
    { NR_FACT_GUEST, NR_STATE_NONE, NR_STATE_ANNOUNCED, "guest-starting" },
    { NR_FACT_GUEST, NR_STATE_DEFINED, NR_STATE_ANNOUNCED, "guest-starting" },
    { NR_FACT_GUEST, NR_STATE_RUNNING, NR_STATE_ANNOUNCED, "guest-starting" },
    { NR_FACT_GUEST, NR_STATE_NONE, NR_STATE_RUNNING, "guest-started" },
    { NR_FACT_GUEST, NR_STATE_DEFINED, NR_STATE_RUNNING, "guest-started" },
    { NR_FACT_GUEST, NR_STATE_ANNOUNCED, NR_STATE_RUNNING, "guest-started" },

    { NR_FACT_NIC, NR_STATE_UP, NR_STATE_NONE, "nic-disconnected" },
    { NR_FACT_NIC, NR_STATE_UP, NR_STATE_UP, "nic-disconnected" },
    { NR_FACT_NIC, NR_STATE_UP, NR_STATE_UP, "nic-connected" },
    { NR_FACT_NIC, NR_STATE_NONE, NR_STATE_UP, "nic-connected" },

    { NR_FACT_TUNNEL, NR_STATE_UP, NR_STATE_NONE, "tunnel-down" },
    { NR_FACT_TUNNEL, NR_STATE_UP, NR_STATE_UP, "tunnel-down" },
    { NR_FACT_TUNNEL, NR_STATE_UP, NR_STATE_UP, "tunnel-up" },
    { NR_FACT_TUNNEL, NR_STATE_NONE, NR_STATE_UP, "tunnel-up" },

    { NR_FACT_BRIDGE, NR_STATE_UP, NR_STATE_NONE, "bridge-left" },
    { NR_FACT_BRIDGE, NR_STATE_UP, NR_STATE_UP, "bridge-left" },
    { NR_FACT_BRIDGE, NR_STATE_UP, NR_STATE_UP, "bridge-joined" },
    { NR_FACT_BRIDGE, NR_STATE_NONE, NR_STATE_UP, "bridge-joined" },

    { NR_FACT_FAULT, NR_STATE_NONE, NR_STATE_UP, "fault" },
    { NR_FACT_FAULT, NR_STATE_PENDING, NR_STATE_UP, "fault" },
    { NR_FACT_FAULT, NR_STATE_UP, NR_STATE_UP, "fault" },
    { NR_FACT_FAULT, NR_STATE_UP, NR_STATE_NONE, "cleared" },
};

/* The fact of one key in both views; one of them may be NULL. */
typedef struct {
    const char *key;
    const NrFact *before, *after;
} Change;

/* Its connection goes on, with another name. */
static gboolean is_renamed(const NrFact *fact, const NrView *other)
{
    return fact->kind == NR_FACT_NIC && g_hash_table_contains(other->places, fact->version);
}

/* What libvirt's first list shows was there before; nobody could tell. */
static gboolean is_news(const Change *change, const NrView *before, const NrView *after)
{
    const NrFact *fact = change->after ? change->after : change->before;

    if (change->before && change->after)
        return change->before->state != change->after->state ||
               !g_str_equal(change->before->version, change->after->version);
    if (change->before)
        return !is_renamed(fact, after);
    if (before->listed)
        return TRUE;
    return fact->state != NR_STATE_RUNNING && fact->state != NR_STATE_DEFINED &&
           !is_renamed(fact, before);
}

static GVariant *event_new(const char *event, const NrFact *fact)
{
    GVariantDict dict;

    g_variant_dict_init(&dict, fact->details);
    g_variant_dict_insert(&dict, "event", "s", event);
    return g_variant_ref_sink(g_variant_dict_end(&dict));
}

/* What ends is told with what it was. */
static const NrFact *told_fact(const Change *change, const char *event)
{
    static const char *const ends[] = { "-disconnected", "-down", "-left", "cleared" };

    for (guint i = 0; change->before && i < G_N_ELEMENTS(ends); i++)
        if (g_str_has_suffix(event, ends[i]))
            return change->before;
    return change->after ? change->after : change->before;
}

static void tell(GPtrArray *events, const Change *change)
{
    const NrFact *fact = change->after ? change->after : change->before;
    NrFactState from = change->before ? change->before->state : NR_STATE_NONE;
    NrFactState to = change->after ? change->after->state : NR_STATE_NONE;

    for (guint i = 0; i < G_N_ELEMENTS(changes); i++)
        if (changes[i].kind == fact->kind && changes[i].from == from && changes[i].to == to)
            g_ptr_array_add(events,
                            event_new(changes[i].event, told_fact(change, changes[i].event)));
}

/* By kind, what ends before what begins, then by key. */
static int compare_changes(gconstpointer a, gconstpointer b)
{
    const Change *x = a, *y = b;
    const NrFact *one = x->after ? x->after : x->before, *other = y->after ? y->after : y->before;

    if (one->kind != other->kind)
        return (int)one->kind - (int)other->kind;
    if (!x->after != !y->after)
        return x->after ? 1 : -1;
    return strcmp(x->key, y->key);
}

static void collect(GArray *found, const NrView *before, const NrView *after)
{
    GHashTableIter iter;
    gpointer key, fact;

    g_hash_table_iter_init(&iter, after->facts);
    while (g_hash_table_iter_next(&iter, &key, &fact)) {
        Change change = { key, g_hash_table_lookup(before->facts, key), fact };

        if (is_news(&change, before, after))
            g_array_append_val(found, change);
    }
    g_hash_table_iter_init(&iter, before->facts);
    while (g_hash_table_iter_next(&iter, &key, &fact)) {
        Change change = { key, fact, NULL };

        if (!g_hash_table_contains(after->facts, key) && is_news(&change, before, after))
            g_array_append_val(found, change);
    }
}

GPtrArray *nr_events_between(const NrView *before, const NrView *after)
{
    GPtrArray *events = g_ptr_array_new_with_free_func((GDestroyNotify)g_variant_unref);
    g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(Change));

    collect(found, before, after);
    g_array_sort(found, compare_changes);
    for (guint i = 0; i < found->len; i++)
        tell(events, &g_array_index(found, Change, i));
    return events;
}
