/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One record for each UUID with what each witness last said. Listings of libvirt arrive in their
 * order, but late: one made before a guest stopped may come after the hook's word that it did. A
 * domain id is given once, so a listing that says "running" under the id of the start that is over
 * is known to be old news. It is remembered as `stale_id` until a listing without it has come.
 */
#include "daemon/inventory.h"

#include <string.h>

typedef struct {
    NrGuest *running;
    NrGuest *announced;
    NrGuest *starting; /* as libvirt lists it, in the state ANNOUNCED */
    NrGuest *defined;
    gint64 deadline_ms; /* of announced */
    gboolean recalled;  /* announced to a manager before us: any list is newer */
    NrGuest *ran;       /* as that one knew it, until a list has come */
    int stale_id;       /* of the start that is over; -1 none */
    guint missed;       /* what `hooks` was when it started without a hook's word, or 0 */
} Record;

struct NrInventory {
    GHashTable *records; /* UUID -> Record */
    guint hooks;         /* one more than a hook has announced guests */
    gboolean listed;     /* all guests were known once: what comes is new */
    NrInventoryChanged changed;
    gpointer data;
};

static void record_free(gpointer data)
{
    Record *record = data;

    g_clear_pointer(&record->running, nr_guest_unref);
    g_clear_pointer(&record->announced, nr_guest_unref);
    g_clear_pointer(&record->starting, nr_guest_unref);
    g_clear_pointer(&record->defined, nr_guest_unref);
    g_clear_pointer(&record->ran, nr_guest_unref);
    g_free(record);
}

NrInventory *nr_inventory_new(NrInventoryChanged changed, gpointer data)
{
    NrInventory *inventory = g_new0(NrInventory, 1);

    inventory->records = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, record_free);
    inventory->hooks = 1;
    inventory->changed = changed;
    inventory->data = data;
    return inventory;
}

void nr_inventory_free(NrInventory *inventory)
{
    if (!inventory)
        return;
    g_hash_table_unref(inventory->records);
    g_free(inventory);
}

static NrGuest *record_active(const Record *record)
{
    if (record->running)
        return record->running;
    return record->announced ? record->announced : record->starting;
}

static NrGuest *record_guest(const Record *record)
{
    NrGuest *active = record ? record_active(record) : NULL;

    return active || !record ? active : record->defined;
}

static Record *get_record(NrInventory *inventory, const char *uuid)
{
    Record *record = g_hash_table_lookup(inventory->records, uuid);

    if (record)
        return record;
    record = g_new0(Record, 1);
    record->stale_id = -1;
    g_hash_table_insert(inventory->records, g_strdup(uuid), record);
    return record;
}

/* Takes a reference, or a copy where the state is not what the witness can say. */
static void set_guest(NrGuest **guest, NrGuest *value, NrGuestState state)
{
    NrGuest *taken = NULL;

    if (value)
        taken = value->state == state ? nr_guest_ref(value) : nr_guest_copy(value, state);
    g_clear_pointer(guest, nr_guest_unref);
    *guest = taken;
}

static gboolean same_guest(const NrGuest *a, const NrGuest *b)
{
    return a == b || (a && b && nr_guest_equal(a, b));
}

/* before: a reference to what counted, or NULL. TRUE where something else counts now. A record that
 * says nothing any more goes. */
static gboolean record_settle(NrInventory *inventory, const char *uuid, NrGuest *before)
{
    Record *record = g_hash_table_lookup(inventory->records, uuid);
    gboolean changed = !same_guest(before, record_guest(record));

    if (before)
        nr_guest_unref(before);
    if (record && !record_guest(record) && record->stale_id < 0 && !record->ran)
        g_hash_table_remove(inventory->records, uuid);
    return changed;
}

static NrGuest *hold(NrGuest *guest)
{
    return guest ? nr_guest_ref(guest) : NULL;
}

static void tell(NrInventory *inventory, gboolean changed)
{
    if (changed && inventory->changed)
        inventory->changed(inventory->data);
}

/* libvirt gives the id some time before it calls the hook, and hooks of guests that start together
 * come as they like. Whoever is announced later starts later: the others were told so. */
static NrGuest *put_in_order(const NrInventory *inventory, NrGuest *guest)
{
    gint64 last = 0;
    GHashTableIter iter;
    NrGuest *ordered;
    gpointer value;

    g_hash_table_iter_init(&iter, inventory->records);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const NrGuest *other = record_guest(value);

        if (other && nr_guest_is_active(other) && other->id >= 0 &&
            !g_str_equal(other->uuid, guest->uuid))
            last = MAX(last, nr_guest_order(other));
    }
    if (guest->id < 0 || nr_guest_order(guest) > last)
        return nr_guest_ref(guest);
    ordered = nr_guest_copy(guest, guest->state);
    ordered->order = last + 1;
    return ordered;
}

void nr_inventory_announce(NrInventory *inventory, NrGuest *guest, gint64 now_ms)
{
    g_autoptr(NrGuest) ordered = put_in_order(inventory, guest);
    Record *record = get_record(inventory, guest->uuid);
    NrGuest *before = hold(record_guest(record));

    /* libvirt prepares no guest that runs: the run that we know of is over. */
    if (record->running && record->running->id != guest->id)
        record->stale_id = record->running->id;
    else if (record->stale_id == guest->id)
        record->stale_id = -1; /* a new libvirtd counts from the start: the id means this run */
    set_guest(&record->running, NULL, NR_GUEST_RUNNING);
    set_guest(&record->starting, NULL, NR_GUEST_ANNOUNCED);
    set_guest(&record->announced, ordered, NR_GUEST_ANNOUNCED);
    record->deadline_ms = now_ms + NR_ANNOUNCED_DEADLINE_MS;
    record->recalled = FALSE;
    inventory->hooks++;
    tell(inventory, record_settle(inventory, guest->uuid, before));
}

void nr_inventory_recall(NrInventory *inventory, NrGuest *guest, gint64 now_ms)
{
    Record *record = get_record(inventory, guest->uuid);
    NrGuest *before = hold(record_guest(record));

    if (guest->state == NR_GUEST_RUNNING) {
        set_guest(&record->ran, guest, NR_GUEST_RUNNING);
    } else {
        set_guest(&record->announced, guest, NR_GUEST_ANNOUNCED);
        record->deadline_ms = now_ms + NR_ANNOUNCED_DEADLINE_MS;
        record->recalled = TRUE;
    }
    tell(inventory, record_settle(inventory, guest->uuid, before));
}

void nr_inventory_release(NrInventory *inventory, const char *uuid)
{
    Record *record = g_hash_table_lookup(inventory->records, uuid);
    NrGuest *before, *active;

    if (!record)
        return;
    before = hold(record_guest(record));
    active = record_active(record);
    if (active && active->id >= 0)
        record->stale_id = active->id;
    set_guest(&record->running, NULL, NR_GUEST_RUNNING);
    set_guest(&record->starting, NULL, NR_GUEST_ANNOUNCED);
    set_guest(&record->announced, NULL, NR_GUEST_ANNOUNCED);
    tell(inventory, record_settle(inventory, uuid, before));
}

static const NrNic *find_nic(const NrGuest *guest, struct mac mac)
{
    for (guint i = 0; i < guest->nics->len; i++) {
        const NrNic *nic = g_ptr_array_index(guest->nics, i);

        if (mac_equal(nic->mac, mac))
            return nic;
    }
    return NULL;
}

/* Metadata that broke while the guest runs changes nothing for it; its next start is refused. */
static void keep_wishes(NrGuest *kept, const NrGuest *before)
{
    g_clear_pointer(&kept->metadata_fault, g_free);
    for (guint i = 0; i < kept->nics->len; i++) {
        NrNic *nic = g_ptr_array_index(kept->nics, i);
        const NrNic *old = find_nic(before, nic->mac);

        if (old)
            nr_wish_copy(&nic->wish, &old->wish);
    }
}

/* What a list does not know of the guest, or no longer. Returns a new reference, or NULL. */
static NrGuest *keep_known(NrGuest *running, const Record *record)
{
    const NrGuest *before = record_active(record), *told = before ? before : record->ran;
    gboolean broke = running && before && running->metadata_fault && !before->metadata_fault;
    gboolean ordered = running && told && told->order && told->id == running->id;
    NrGuest *kept;

    if (!broke && !ordered)
        return hold(running);
    kept = nr_guest_copy(running, running->state);
    if (ordered)
        kept->order = told->order;
    if (broke)
        keep_wishes(kept, before);
    return kept;
}

static void record_sync(Record *record, NrGuest *listed, NrGuest *defined)
{
    g_autoptr(NrGuest) active = keep_known(listed, record);
    gboolean runs;

    if (active && record->stale_id >= 0 && active->id == record->stale_id)
        g_clear_pointer(&active, nr_guest_unref); /* of before the end: says nothing of now */
    else
        record->stale_id = -1;
    runs = active && active->state == NR_GUEST_RUNNING;
    set_guest(&record->running, runs ? active : NULL, NR_GUEST_RUNNING);
    set_guest(&record->starting, runs ? NULL : active, NR_GUEST_ANNOUNCED);
    set_guest(&record->defined, defined, NR_GUEST_DEFINED);
    if (runs || (record->recalled && !active))
        set_guest(&record->announced, NULL, NR_GUEST_ANNOUNCED);
    record->recalled = FALSE;
    g_clear_pointer(&record->ran, nr_guest_unref);
}

static gboolean sync_one(NrInventory *inventory, const char *uuid, NrGuest *running,
                         NrGuest *defined)
{
    Record *record = get_record(inventory, uuid);
    NrGuest *before = hold(record_guest(record));
    gboolean was_active = record->running || record->announced;

    record_sync(record, running, defined);
    if (!record->running)
        record->missed = 0;
    else if (!was_active && inventory->listed)
        record->missed = inventory->hooks;
    return record_settle(inventory, uuid, before);
}

void nr_inventory_sync_guest(NrInventory *inventory, const char *uuid, NrGuest *running,
                             NrGuest *defined)
{
    tell(inventory, sync_one(inventory, uuid, running, defined));
}

typedef struct {
    NrGuest *running, *defined; /* borrowed */
} Listed;

static gboolean has_text(const GPtrArray *texts, const char *text)
{
    for (guint i = 0; texts && i < texts->len; i++)
        if (g_str_equal(g_ptr_array_index(texts, i), text))
            return TRUE;
    return FALSE;
}

static GHashTable *list_by_uuid(const GPtrArray *guests)
{
    GHashTable *table = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);

    for (guint i = 0; i < guests->len; i++) {
        NrGuest *guest = g_ptr_array_index(guests, i);
        Listed *listed = g_hash_table_lookup(table, guest->uuid);

        if (!listed) {
            listed = g_new0(Listed, 1);
            g_hash_table_insert(table, guest->uuid, listed);
        }
        if (guest->state == NR_GUEST_DEFINED)
            listed->defined = guest;
        else
            listed->running = guest;
    }
    return table;
}

void nr_inventory_sync_all(NrInventory *inventory, const GPtrArray *guests, const GPtrArray *unread)
{
    g_autoptr(GHashTable) table = list_by_uuid(guests);
    g_autoptr(GPtrArray) known = g_ptr_array_new_with_free_func(g_free);
    gboolean changed = FALSE;
    GHashTableIter iter;
    gpointer key, value;

    g_hash_table_iter_init(&iter, inventory->records);
    while (g_hash_table_iter_next(&iter, &key, NULL))
        if (!g_hash_table_contains(table, key) && !has_text(unread, key))
            g_ptr_array_add(known, g_strdup(key));
    for (guint i = 0; i < known->len; i++)
        changed |= sync_one(inventory, g_ptr_array_index(known, i), NULL, NULL);

    g_hash_table_iter_init(&iter, table);
    while (g_hash_table_iter_next(&iter, &key, &value)) {
        const Listed *listed = value;

        if (!has_text(unread, key))
            changed |= sync_one(inventory, key, listed->running, listed->defined);
    }
    inventory->listed = TRUE;
    tell(inventory, changed);
}

gint64 nr_inventory_expire(NrInventory *inventory, gint64 now_ms)
{
    gboolean changed = FALSE;
    gint64 next_ms = -1;
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, inventory->records);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        g_autoptr(NrGuest) before = NULL;
        Record *record = value;

        if (!record->announced)
            continue;
        if (record->deadline_ms > now_ms) {
            next_ms = next_ms < 0 ? record->deadline_ms : MIN(next_ms, record->deadline_ms);
            continue;
        }
        before = g_steal_pointer(&record->announced);
        changed = changed || !same_guest(before, record_guest(record));
        if (!record_guest(record))
            g_hash_table_iter_remove(&iter);
    }
    tell(inventory, changed);
    return next_ms;
}

static int compare_guests(gconstpointer a, gconstpointer b)
{
    const NrGuest *const *first = a, *const *second = b;

    return strcmp((*first)->uuid, (*second)->uuid);
}

static void unref_guest(gpointer guest)
{
    nr_guest_unref(guest);
}

GPtrArray *nr_inventory_snapshot(const NrInventory *inventory)
{
    GPtrArray *guests = g_ptr_array_new_with_free_func(unref_guest);
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, inventory->records);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        NrGuest *guest = record_guest(value);

        if (guest)
            g_ptr_array_add(guests, nr_guest_ref(guest));
    }
    g_ptr_array_sort(guests, compare_guests);
    return guests;
}

static gboolean dials(const NrGuest *guest)
{
    for (guint i = 0; i < guest->nics->len; i++)
        if (((const NrNic *)guest->nics->pdata[i])->kind == NR_NIC_DIALS)
            return TRUE;
    return FALSE;
}

GPtrArray *nr_inventory_unannounced(const NrInventory *inventory)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, inventory->records);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const Record *record = value;

        if (record->running && record->missed == inventory->hooks && dials(record->running))
            g_ptr_array_add(names, g_strdup(record->running->name));
    }
    return names;
}

/* A UUID comes first: it may be another guest's name. */
static const Record *find_record(const NrInventory *inventory, const char *guest)
{
    const Record *record = g_hash_table_lookup(inventory->records, guest);
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, inventory->records);
    while (!record && g_hash_table_iter_next(&iter, NULL, &value))
        if (record_guest(value) && g_str_equal(record_guest(value)->name, guest))
            record = value;
    return record;
}

NrGuest *nr_inventory_find(const NrInventory *inventory, const char *guest)
{
    return record_guest(find_record(inventory, guest));
}

NrGuest *nr_inventory_defined(const NrInventory *inventory, const char *guest)
{
    const Record *record = find_record(inventory, guest);

    return record ? record->defined : NULL;
}
