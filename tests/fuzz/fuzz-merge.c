/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any frames one behind another: what is joined must, cut again, be those very frames.
 * Seeds: tests/data/wire/merge. */
#include <glib.h>
#include <string.h>

#include "relay/framing.h"
#include "relay/merge.h"
#include "relay/segment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROOM (4 * FRAME_MAX)

static void check(struct merge *merge, const uint8_t *from, size_t len)
{
    g_autofree uint8_t *buf = g_malloc(ROOM);
    struct iovec iov[MERGE_FRAMES + 1];
    struct virtio_net_hdr head;
    size_t at = FRAMING_HEADER, n = merge_end(merge, &head, iov);
    ssize_t cut;

    for (size_t i = 0; i < n; at += iov[i++].iov_len)
        memcpy(buf + at, iov[i].iov_base, iov[i].iov_len);
    cut = segment_frame(buf, at - FRAMING_HEADER, ROOM, &head);
    g_assert_cmpmem(buf, cut, from, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct frame frame;
    struct merge merge;
    size_t at = 0, begin = 0;
    bool is_open = false;

    while (framing_next(data + at, size - at, &frame) == 0) {
        if (is_open && !merge_add(&merge, frame)) {
            check(&merge, data + begin, at - begin);
            is_open = false;
        }
        if (!is_open) {
            merge_begin(&merge, frame);
            begin = at;
            is_open = true;
        }
        at += FRAMING_HEADER + frame.len;
    }
    if (is_open)
        check(&merge, data + begin, at - begin);
    return 0;
}
