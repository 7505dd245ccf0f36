/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A virtio header and a frame that need not fit it: what is cut are frames, within the room there
 * is, and with no byte of payload more than there was.
 * Seeds: tests/data/wire/segment. */
#include <glib.h>
#include <string.h>

#include "relay/framing.h"
#include "relay/segment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void cut(const struct virtio_net_hdr *head, const uint8_t *data, size_t len, size_t room)
{
    g_autofree uint8_t *buf = g_malloc(MAX(room, FRAMING_HEADER + len));
    struct frame frame = { 0 };
    size_t at = 0;
    ssize_t n;

    memcpy(buf + FRAMING_HEADER, data, len);
    n = segment_frame(buf, len, room, head);
    g_assert_true(n < 0 || (size_t)n <= room);
    while (n > 0 && at < (size_t)n) {
        g_assert_cmpint(framing_next(buf + at, (size_t)n - at, &frame), ==, 0);
        g_assert_cmpuint(frame.len, <=, len);
        at += FRAMING_HEADER + frame.len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct virtio_net_hdr head;

    if (size < sizeof(head) || size - sizeof(head) > FRAME_MAX)
        return 0;
    memcpy(&head, data, sizeof(head));
    data += sizeof(head);
    size -= sizeof(head);
    for (size_t room = size; room < 4 * size + 8192; room += room / 2 + 1)
        cut(&head, data, size, room);
    return 0;
}
