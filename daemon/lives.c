/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/lives.h"

#include <string.h>

#include "net/link.h"

/* A device that is set down loses its carrier, as far as its driver knows of one. */
typedef struct {
    int ifindex;
    guint32 carrier_changes;
} Life;

struct NrLives {
    GHashTable *seen; /* name of the device -> Life */
};

static GHashTable *table_new(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

NrLives *nr_lives_new(void)
{
    NrLives *lives = g_new0(NrLives, 1);

    lives->seen = table_new();
    return lives;
}

void nr_lives_free(NrLives *lives)
{
    g_hash_table_unref(lives->seen);
    g_free(lives);
}

/* Who removes a network's own bridge, or sets it down, means the network. */
static gboolean is_others(struct journal *journal, const char *device)
{
    struct host_change bridge = { .kind = HOST_BRIDGE };

    g_strlcpy(bridge.device, device, sizeof(bridge.device));
    return !journal_find(journal, &bridge);
}

static gboolean can_be_lost(const struct host_change *change, const Life *before, const Life *now)
{
    switch (change->kind) {
    case HOST_PROXY:
        return before->ifindex != now->ifindex || before->carrier_changes != now->carrier_changes;
    case HOST_HEAR_ROUTERS:
    case HOST_FORWARD_V4:
    case HOST_PROXY_NDP:
        return before->ifindex != now->ifindex;
    default:
        return FALSE;
    }
}

static gboolean is_as_before(const struct journal_record *record)
{
    char now[KERNEL_STATE_MAX];

    return kernel_look(&record->change, now) == 0 && strcmp(now, record->before) == 0 &&
           strcmp(now, record->ours) != 0;
}

/* One that is away at the moment counts as it was. False: nothing is known of it. */
static gboolean find_life(const NrLives *lives, const char *device, Life *ret)
{
    const Life *before = g_hash_table_lookup(lives->seen, device);
    struct link_state link;

    if (link_get(device, &link) == 0)
        *ret = (Life){ link.ifindex, link.carrier_changes };
    else if (before)
        *ret = *before;
    else
        return FALSE;
    return TRUE;
}

static void look_at(const NrLives *lives, struct journal_record *record, const Life *now)
{
    const Life *before = g_hash_table_lookup(lives->seen, record->change.device);

    if (before && record->done && can_be_lost(&record->change, before, now) && is_as_before(record))
        record->done = false;
}

void nr_lives_look(NrLives *lives, struct journal *journal)
{
    GHashTable *seen = table_new();

    for (size_t i = 0; journal && i < journal->count; i++) {
        struct journal_record *record = &journal->records[i];
        const char *device = record->change.device;
        Life now;

        if (!is_others(journal, device) || !find_life(lives, device, &now))
            continue;
        look_at(lives, record, &now);
        g_hash_table_insert(seen, g_strdup(device), g_memdup2(&now, sizeof(now)));
    }
    g_hash_table_unref(lives->seen);
    lives->seen = seen;
}
