/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "content.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC    0x4e52ull
#define TYPE     0xb588 /* 0x88b5 on the wire: local experiments, nobody answers it */
#define NUMBER   offsetof(struct tag, number)
#define SIZE_MIN 60
#define CYCLE    12

/* 7 small, 4 middle, 1 large, as traffic mixes are commonly drawn; not sorted. */
static const uint16_t imix[CYCLE] = { 64, 594, 64, 64, 594, 64, 1514, 64, 594, 64, 594, 64 };

uint64_t content_who(enum content content, unsigned from, unsigned to)
{
    return MAGIC << 48 | (uint64_t)content << 32 | (uint64_t)(from & 0xffff) << 16 | (to & 0xffff);
}

static int sizes_parse(const char *text, size_t sizes[CYCLE])
{
    char *end;
    unsigned long size = strtoul(text, &end, 10);

    if (strcmp(text, "imix") != 0 && (*end || size < SIZE_MIN || size > FRAME_MAX))
        return -EINVAL;
    for (unsigned i = 0; i < CYCLE; i++)
        sizes[i] = *end ? imix[i] : size;
    return 0;
}

static void station_mac(uint8_t mac[6], unsigned station)
{
    const uint8_t own[6] = { 0x52, 0x54, 0, 0xbe, (uint8_t)(station >> 8), (uint8_t)station };

    if (station == TO_ALL)
        memset(mac, 0xff, 6);
    else
        memcpy(mac, own, 6);
}

static void fill(uint8_t *data, size_t len, uint64_t seed)
{
    for (size_t i = 0; i < len; i++) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        data[i] = (uint8_t)(seed >> 56);
    }
}

static void write_header(uint8_t *p, size_t len)
{
    p[0] = (uint8_t)(len >> 24);
    p[1] = (uint8_t)(len >> 16);
    p[2] = (uint8_t)(len >> 8);
    p[3] = (uint8_t)len;
}

static int batch_allocate(struct batch *b, const size_t sizes[CYCLE], size_t bytes, bool framed)
{
    size_t len = 0;

    *b = (struct batch){ .header = framed ? HEADER : 0 };
    do {
        len += b->header + sizes[b->count++ % CYCLE];
    } while (len + b->header + sizes[b->count % CYCLE] <= bytes);
    b->data = malloc(len);
    b->offset = calloc(b->count + 1, sizeof(*b->offset));
    return b->data && b->offset ? 0 : -ENOMEM;
}

int batch_init(struct batch *b, const char *sizes, size_t bytes, bool framed, enum content content,
               unsigned from, unsigned to)
{
    struct tag tag = { .type = TYPE, .who = content_who(content, from, to) };
    size_t cycle[CYCLE];

    if (sizes_parse(sizes, cycle) < 0)
        return -EINVAL;
    if (batch_allocate(b, cycle, bytes, framed) < 0)
        return -ENOMEM;
    station_mac(tag.dst, to);
    station_mac(tag.src, from);
    for (unsigned slot = 0; slot < b->count; slot++) {
        size_t size = cycle[slot % CYCLE];
        uint8_t *frame = b->data + b->offset[slot] + b->header;

        b->offset[slot + 1] = b->offset[slot] + (uint32_t)(b->header + size);
        if (framed)
            write_header(frame - HEADER, size);
        memcpy(frame, &tag, sizeof(tag));
        fill(frame + sizeof(tag), size - sizeof(tag), tag.who ^ slot);
    }
    return 0;
}

void batch_done(struct batch *b)
{
    free(b->data);
    free(b->offset);
}

void batch_number(struct batch *b, uint64_t first)
{
    uint8_t *at = b->data + b->header + NUMBER;

    for (unsigned slot = 0; slot < b->count; slot++, first++)
        memcpy(at + b->offset[slot], &first, sizeof(first));
}

bool batch_equals(const struct batch *b, unsigned slot, const uint8_t *frame, size_t len)
{
    const uint8_t *own = b->data + b->offset[slot] + b->header;
    const size_t behind = sizeof(struct tag);

    return len == batch_frame_len(b, slot) && memcmp(own, frame, NUMBER) == 0 &&
           memcmp(own + behind, frame + behind, len - behind) == 0;
}
