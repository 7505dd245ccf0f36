/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/damping.h"

#define BEGINNING 64 /* the headers of whatever it is, with its checksums */
#define COUNT_MAX 255
#define WORD      sizeof(uint64_t)

static uint64_t word_at(const uint8_t *bytes)
{
    uint64_t word;

    memcpy(&word, bytes, sizeof(word));
    return word;
}

/* Both halves of the product: each bit of either word may change any bit of it. */
static uint64_t mix(uint64_t one, uint64_t two)
{
    unsigned __int128 product = (unsigned __int128)one * two;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Blocks do not wait for each other. FRAME_MIN bytes are there, so a last block may overlap with
 * what was taken before, and its words with each other. */
static uint64_t hash_of(const struct damping *damping, struct frame frame)
{
    uint32_t len = frame.len < BEGINNING ? frame.len : BEGINNING;
    uint64_t hash = word_at(frame.data + frame.len - WORD) ^ frame.len;
    uint64_t key = damping->seed;

    for (uint32_t at = 0; at + 2 * WORD <= len; at += 2 * WORD) {
        hash += mix(word_at(frame.data + at) ^ key, word_at(frame.data + at + WORD) ^ ~key);
        key += 0x9e3779b97f4a7c15ull;
    }
    hash += mix(word_at(frame.data + (len < 2 * WORD ? 0 : len - 2 * WORD)) ^ key,
                word_at(frame.data + len - WORD) ^ ~key);
    return mix(hash ^ damping->seed, 0xd6e8feb86659fd93ull);
}

/* Since it came last. */
static uint32_t gap_of(const struct damping_entry *entry, uint32_t now_ms)
{
    return now_ms - entry->since_ms - entry->last_ms;
}

/* Its entry, or the one it replaces. */
static struct damping_entry *find(struct damping_entry set[DAMPING_WAYS], uint32_t tag,
                                  uint32_t now_ms)
{
    struct damping_entry *oldest = set;

    for (unsigned i = 0; i < DAMPING_WAYS; ++i) {
        if (set[i].tag == tag)
            return &set[i];
        if (gap_of(&set[i], now_ms) > gap_of(oldest, now_ms))
            oldest = &set[i];
    }
    return oldest;
}

static void count_up(uint8_t *count)
{
    if (*count < COUNT_MAX)
        ++*count;
}

struct damping_count damping_note(struct damping *damping, uint16_t in, struct frame frame,
                                  uint64_t now_ms, bool repeats_are_copies)
{
    uint64_t hash = hash_of(damping, frame);
    uint32_t now = (uint32_t)now_ms, tag = (uint32_t)hash | 1;
    struct damping_entry *entry = find(damping->entry[(hash >> 32) % DAMPING_SETS], tag, now);
    struct damping_count count = {
        .age_ms = now - entry->since_ms,
        .gap_ms = gap_of(entry, now),
    };
    uint16_t bit = (uint16_t)(1u << in % 16);

    if (entry->tag != tag || count.age_ms > DAMPING_WINDOW_MS) {
        *entry = (struct damping_entry){ .tag = tag, .since_ms = now, .from = in };
        return (struct damping_count){ 0 };
    }
    entry->last_ms = (uint16_t)count.age_ms;
    if (entry->from != in || entry->copies > 0 || repeats_are_copies) {
        count.is_again = entry->through & bit;
        entry->through |= bit;
        count_up(&entry->copies);
    } else {
        count_up(&entry->repeats);
    }
    count.copies = entry->copies;
    count.repeats = entry->repeats;
    return count;
}
