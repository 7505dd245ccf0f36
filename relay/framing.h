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
int framing_next(const uint8_t *buf, size_t have, struct frame *ret);
void framing_put_length(uint8_t buf[FRAMING_HEADER], uint32_t len);

#endif
