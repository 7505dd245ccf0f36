/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a stream of frames, which must come out the same however the stream is split.
 * Seeds: tests/data/wire/framing. */
#include <glib.h>
#include <string.h>

#include "relay/framing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* How far frames go when only so much of the stream is there; *ret_end says why no further. */
static size_t walk(const uint8_t *data, size_t have, int *ret_end)
{
    g_autofree uint8_t *copy = g_memdup2(data, MAX(have, 1));
    struct frame frame;
    size_t at = 0;

    while ((*ret_end = framing_next(copy + at, have - at, &frame)) == 0) {
        g_assert_cmpuint(frame.len, <=, FRAME_MAX);
        g_assert_cmpuint(frame.len, <=, have - at - FRAMING_HEADER);
        g_assert_true(frame.data == copy + at + FRAMING_HEADER);
        at += FRAMING_HEADER + frame.len;
    }
    return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int end, cut_end;
    size_t whole = walk(data, size, &end);
    size_t step = size / 16 + 1;

    for (size_t have = 0; have < size; have += step) {
        size_t at = walk(data, have, &cut_end);

        g_assert_cmpuint(at, <=, whole);
        if (cut_end == FRAMING_E_LENGTH) /* what follows changes nothing */
            g_assert_true(at == whole && end == FRAMING_E_LENGTH);
    }
    return 0;
}
