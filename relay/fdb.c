/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A set-associative table. A newcomer whose set is full takes, in this order:
 *   1. a place that is free or has aged out;
 *   2. of the entries never confirmed (seen once, never sent to) that of the port which has most;
 *   3. the oldest entry of a port that has more entries than the newcomer's;
 *   4. the oldest entry of its own port;
 * or else is not learned, and its frames go on being flooded. So a flood of invented addresses
 * evicts itself, and a station that talks stays known whatever other ports do.
 */
#include "relay/fdb.h"

#include <string.h>

#define FDB_CONFIRMED 0x80000000u

static uint64_t mac_key(struct mac mac)
{
    uint64_t key = 0;

    memcpy(&key, mac.b, MAC_LEN);
    return key;
}

static uint32_t set_of(const struct fdb *fdb, uint64_t key)
{
    uint64_t h = (key ^ fdb->table->seed) * 0x9e3779b97f4a7c15ull;

    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93ull;
    return (uint32_t)(h >> 40) % FDB_SETS * FDB_WAYS;
}

static uint16_t entry_port(uint64_t entry)
{
    return (uint16_t)((entry & 0xffff) - 1);
}

static uint32_t age_of(uint32_t seen, uint32_t now_s)
{
    uint32_t since = seen & ~FDB_CONFIRMED;

    return now_s > since ? now_s - since : 0;
}

void fdb_init(struct fdb *fdb, struct fdb_table *table)
{
    fdb->table = table;
    memset(fdb->count, 0, sizeof(fdb->count));
    for (uint32_t i = 0; i < FDB_SIZE; ++i) {
        if (!table->entry[i])
            continue;
        if (entry_port(table->entry[i]) < FDB_PORTS)
            ++fdb->count[entry_port(table->entry[i])];
        else
            table->entry[i] = 0;
    }
}

static void entry_clear(struct fdb *fdb, uint32_t i)
{
    if (fdb->table->entry[i])
        --fdb->count[entry_port(fdb->table->entry[i])];
    fdb->table->entry[i] = 0;
}

/* Better to lose a than b: the port with more entries, then the older one. */
static bool is_cheaper(const struct fdb *fdb, uint32_t a, uint32_t b, uint32_t now_s)
{
    uint32_t count_a = fdb->count[entry_port(fdb->table->entry[a])];
    uint32_t count_b = fdb->count[entry_port(fdb->table->entry[b])];

    if (count_a != count_b)
        return count_a > count_b;
    return age_of(fdb->table->seen[a], now_s) > age_of(fdb->table->seen[b], now_s);
}

/* FDB_SIZE where nothing may be taken. */
static uint32_t choose_place(const struct fdb *fdb, uint32_t set, uint16_t port, uint32_t now_s)
{
    const struct fdb_table *table = fdb->table;
    uint32_t once = FDB_SIZE, richer = FDB_SIZE, own = FDB_SIZE;

    for (uint32_t i = set; i < set + FDB_WAYS; ++i) {
        uint16_t owner = entry_port(table->entry[i]);

        if (!table->entry[i] || age_of(table->seen[i], now_s) > FDB_AGE_S)
            return i;
        if (!(table->seen[i] & FDB_CONFIRMED) &&
            (once == FDB_SIZE || is_cheaper(fdb, i, once, now_s)))
            once = i;
        if (owner == port && (own == FDB_SIZE || is_cheaper(fdb, i, own, now_s)))
            own = i;
        if (fdb->count[owner] > fdb->count[port] + 1 &&
            (richer == FDB_SIZE || is_cheaper(fdb, i, richer, now_s)))
            richer = i;
    }
    /* One seen once may still be somebody's only station: the rich must not take it. */
    if (once != FDB_SIZE && fdb->count[entry_port(table->entry[once])] >= fdb->count[port])
        return once;
    return richer != FDB_SIZE ? richer : own;
}

static uint32_t entry_find(const struct fdb *fdb, uint64_t key, uint32_t set)
{
    for (uint32_t i = set; i < set + FDB_WAYS; ++i)
        if (fdb->table->entry[i] >> 16 == key && fdb->table->entry[i])
            return i;
    return FDB_SIZE;
}

void fdb_learn(struct fdb *fdb, struct mac mac, uint16_t port, uint32_t now_s)
{
    uint64_t key = mac_key(mac);
    uint64_t entry = key << 16 | (uint16_t)(port + 1);
    uint32_t set = set_of(fdb, key);
    uint32_t i = entry_find(fdb, key, set);

    if (mac_is_multicast(mac) || mac_is_zero(mac) || port >= FDB_PORTS)
        return;
    if (i != FDB_SIZE && fdb->table->entry[i] == entry) {
        if (fdb->table->seen[i] != (now_s | FDB_CONFIRMED))
            fdb->table->seen[i] = now_s | FDB_CONFIRMED;
        return;
    }
    if (i == FDB_SIZE)
        i = choose_place(fdb, set, port, now_s);
    if (i == FDB_SIZE)
        return;
    if (fdb->table->entry[i])
        --fdb->count[entry_port(fdb->table->entry[i])];
    ++fdb->count[port];
    fdb->table->entry[i] = entry;
    fdb->table->seen[i] = now_s;
}

uint16_t fdb_find(struct fdb *fdb, struct mac mac, uint32_t now_s)
{
    uint64_t key = mac_key(mac);
    uint32_t i = entry_find(fdb, key, set_of(fdb, key));

    if (i == FDB_SIZE)
        return FDB_NONE;
    if (age_of(fdb->table->seen[i], now_s) > FDB_AGE_S) {
        entry_clear(fdb, i);
        return FDB_NONE;
    }
    if (!(fdb->table->seen[i] & FDB_CONFIRMED)) /* somebody talks to it: it is real */
        fdb->table->seen[i] |= FDB_CONFIRMED;
    return entry_port(fdb->table->entry[i]);
}

void fdb_forget_port(struct fdb *fdb, uint16_t port)
{
    if (port >= FDB_PORTS || !fdb->count[port])
        return;
    for (uint32_t i = 0; i < FDB_SIZE; ++i)
        if (fdb->table->entry[i] && entry_port(fdb->table->entry[i]) == port)
            entry_clear(fdb, i);
}
