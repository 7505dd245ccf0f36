/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's stream framing: a 32-bit big-endian length before each frame. Pure; it looks at bytes that
 * somebody else keeps, so a stream may be split anywhere.
 */
#ifndef NR_RELAY_FRAMING_H
#define NR_RELAY_FRAMING_H

#include <stddef.h>
#include "relay/frame.h"

#define FRAMING_HEADER 4
#define FRAMING_MAX    (FRAMING_HEADER + FRAME_MAX) /* one frame with its length */

enum framing_result {
    FRAMING_E_MORE = 1,   /* not whole yet */
    FRAMING_E_LENGTH = 2, /* longer than FRAME_MAX: this stream is lost */
};

/*
 * The frame that begins at buf. 0, or one of the above. The frame with its length takes
 * FRAMING_HEADER + ret->len bytes; it may be shorter than FRAME_MIN, even empty.
 */
static inline int framing_next(const uint8_t *buf, size_t have, struct frame *ret)
{
    uint32_t len;

    if (have < FRAMING_HEADER)
        return FRAMING_E_MORE;
    len = (uint32_t)buf[0] << 24 | (uint32_t)buf[1] << 16 | (uint32_t)buf[2] << 8 | buf[3];
    if (len > FRAME_MAX)
        return FRAMING_E_LENGTH;
    if (have - FRAMING_HEADER < len)
        return FRAMING_E_MORE;

    *ret = (struct frame){ .data = buf + FRAMING_HEADER, .len = len };
    return 0;
}

static inline void framing_put_length(uint8_t buf[FRAMING_HEADER], uint32_t len)
{
    buf[0] = (uint8_t)(len >> 24);
    buf[1] = (uint8_t)(len >> 16);
    buf[2] = (uint8_t)(len >> 8);
    buf[3] = (uint8_t)len;
}

#endif
