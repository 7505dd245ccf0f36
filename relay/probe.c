/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/probe.h"

#include "common/siphash.h"

#define MAGIC 0x6e72706c6f6f7001ull /* its last byte is the version */
#define TYPE  0x88b5

/* On the wire, all of it with the highest byte first. */
enum {
    AT_TYPE = 12,
    AT_MAGIC = 14,
    AT_RELAY = 22,
    AT_SENT = 30,
    AT_TAG = 38,
    AT_PORT = 46,
    AT_SLOT = 50,
    AT_HOPS = 52,
    AT_CHANGED = 53,
    AT_SERIAL = 54,
};

static const struct mac group = { { PROBE_GROUP, 'n', 'r', 'e', 'l', 'y' } };

static void put(uint8_t *at, unsigned bytes, uint64_t value)
{
    while (bytes-- > 0) {
        at[bytes] = (uint8_t)value;
        value >>= 8;
    }
}

static uint64_t get(const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes; ++i)
        value = value << 8 | at[i];
    return value;
}

void probe_write(const struct probe *probe, uint8_t frame[PROBE_LEN])
{
    memset(frame, 0, PROBE_LEN);
    memcpy(frame, group.b, MAC_LEN);
    frame[MAC_LEN] = 0x02; /* a locally administered station */
    put(frame + MAC_LEN + 1, MAC_LEN - 1, probe->relay);
    put(frame + AT_TYPE, 2, TYPE);
    put(frame + AT_MAGIC, 8, MAGIC);
    put(frame + AT_RELAY, 8, probe->relay);
    put(frame + AT_SENT, 8, probe->sent_ms);
    put(frame + AT_TAG, 8, probe->tag);
    put(frame + AT_PORT, 4, probe->port);
    put(frame + AT_SLOT, 2, probe->slot);
    put(frame + AT_SERIAL, 4, probe->serial);
    frame[AT_HOPS] = probe->hops;
    frame[AT_CHANGED] = probe->changed;
}

bool probe_read(struct probe *ret, struct frame frame)
{
    const uint8_t *data = frame.data;

    if (frame.len < PROBE_LEN || !mac_equal(frame_dst(frame), group) ||
        get(data + AT_TYPE, 2) != TYPE || get(data + AT_MAGIC, 8) != MAGIC)
        return false;
    *ret = (struct probe){
        .relay = get(data + AT_RELAY, 8),
        .sent_ms = get(data + AT_SENT, 8),
        .tag = get(data + AT_TAG, 8),
        .port = (uint32_t)get(data + AT_PORT, 4),
        .slot = (uint16_t)get(data + AT_SLOT, 2),
        .serial = (uint32_t)get(data + AT_SERIAL, 4),
        .hops = data[AT_HOPS],
        .changed = data[AT_CHANGED] & 1,
    };
    return true;
}

uint64_t probe_tag(const struct probe *probe, const uint64_t key[2])
{
    uint64_t words[] = {
        probe->relay,
        probe->sent_ms,
        (uint64_t)probe->port << 16 | probe->slot,
        probe->serial,
    };

    return siphash(key, words, sizeof(words) / sizeof(words[0]));
}
