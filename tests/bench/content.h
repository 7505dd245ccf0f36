/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the benchmark's frames hold: made once, numbered again for each round, and looked at again
 * when they arrive. A batch is one flow's frames, back to back as they go into one write.
 *
 * Looking must not be what the benchmark measures. So of every frame that arrives the length, the
 * sender, the receiver and the number are compared, and of one in CHECK_EVERY all bytes. The
 * filling differs from frame to frame of a batch, so a swapped or a stale one is seen.
 */
#ifndef BENCH_CONTENT_H
#define BENCH_CONTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_MAX   69632
#define HEADER      4      /* QEMU's: the length of the frame behind it, the highest byte first */
#define TO_ALL      0xffff /* in place of a station's index */
#define CHECK_EVERY 61     /* a prime, so that it meets each frame of a batch in time */

enum content {
    CONTENT_DATA = 1,
    CONTENT_ANNOUNCE = 2, /* tells a switch, and the others, where a station is */
};

/* The first bytes of a frame. */
struct __attribute__((packed)) tag {
    uint8_t dst[6], src[6];
    uint16_t type;
    uint64_t who; /* content_who(): all that can be known in one comparison */
    uint64_t number;
};

struct batch {
    uint8_t *data;
    uint32_t *offset; /* count + 1 of them: where each frame begins, in framed ones its header */
    unsigned count;
    size_t header; /* bytes before each frame: HEADER or 0 */
};

uint64_t content_who(enum content content, unsigned from, unsigned to);

/* Frames of `sizes` ("64", "1514", "imix", ...) that fill `bytes`; one at least. */
int batch_init(struct batch *b, const char *sizes, size_t bytes, bool framed, enum content content,
               unsigned from, unsigned to);
void batch_done(struct batch *b);

static inline size_t batch_len(const struct batch *b)
{
    return b->offset[b->count];
}

static inline size_t batch_frame_len(const struct batch *b, unsigned slot)
{
    return b->offset[slot + 1] - b->offset[slot] - b->header;
}

/* Gives its frames the numbers from `first` on. */
void batch_number(struct batch *b, uint64_t first);

/* Whether this is the frame in that place of the batch, its number apart. */
bool batch_equals(const struct batch *b, unsigned slot, const uint8_t *frame, size_t len);

#endif
