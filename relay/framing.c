/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/framing.h"

static uint32_t read_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

int framing_next(const uint8_t *buf, size_t have, struct frame *ret)
{
    uint32_t len;

    if (have < FRAMING_HEADER)
        return FRAMING_E_MORE;
    len = read_be32(buf);
    if (len > FRAME_MAX)
        return FRAMING_E_LENGTH;
    if (have - FRAMING_HEADER < len)
        return FRAMING_E_MORE;

    *ret = (struct frame){ .data = buf + FRAMING_HEADER, .len = len };
    return 0;
}

void framing_put_length(uint8_t buf[FRAMING_HEADER], uint32_t len)
{
    buf[0] = (uint8_t)(len >> 24);
    buf[1] = (uint8_t)(len >> 16);
    buf[2] = (uint8_t)(len >> 8);
    buf[3] = (uint8_t)len;
}
