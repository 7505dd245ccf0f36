/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as two messages about addresses and routes, as the kernel dumps them: what is kept of
 * them can be asked all there is to ask. Seeds: tests/data/wire/uplink-entry. */
#include <glib.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include "net/uplink-entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define IFINDEX 2

/* In memory that ends where the message does. 1: it is kept. */
static int take(const uint8_t *data, size_t size, struct uplink_entry *ret)
{
    g_autofree struct nlmsghdr *message = g_malloc0(NLMSG_HDRLEN + MAX(size, 1));

    if (size == 0)
        return 0;
    message->nlmsg_type = data[0] % 2 ? RTM_NEWROUTE : RTM_NEWADDR;
    message->nlmsg_len = NLMSG_HDRLEN + (uint32_t)size - 1;
    memcpy(NLMSG_DATA(message), data + 1, size - 1);
    return uplink_entry_take(message, IFINDEX, ret);
}

static void ask(const struct uplink_entry *entry)
{
    static const struct uplink_place there = { IFINDEX, IFINDEX + 1 };
    uint32_t buf[UPLINK_MESSAGE_MAX / sizeof(uint32_t)];

    g_assert_true(uplink_entry_is_valid(entry));
    uplink_entry_is_v6(entry);
    uplink_entry_is_link_local(entry);
    uplink_entry_is_timed(entry);
    uplink_entry_is_advertised(entry);
    for (int verb = UPLINK_ADD; verb <= UPLINK_REMOVE; verb++) {
        const struct nlmsghdr *message =
            uplink_entry_request(entry, (enum uplink_verb)verb, there, buf);

        g_assert_true(!message || message->nlmsg_len <= sizeof(buf));
    }
}

static void compare(const struct uplink_entry *one, const struct uplink_entry *other)
{
    g_assert_true(uplink_entry_same(one, one));
    g_assert_true(uplink_entry_same(one, other) == uplink_entry_same(other, one));
    if (!uplink_entry_is_address(one) && uplink_entry_is_address(other))
        uplink_entry_comes_with(one, other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t half = size > 0 ? MIN(size - 1, data[0] * (size_t)4) : 0;
    /* On the heap, each by itself: what is read behind one is nobody's. */
    g_autofree struct uplink_entry *one = g_new0(struct uplink_entry, 1);
    g_autofree struct uplink_entry *other = g_new0(struct uplink_entry, 1);
    int first, second;

    if (size == 0)
        return 0;
    first = take(data + 1, half, one);
    second = take(data + 1 + half, size - 1 - half, other);
    if (first == 1)
        ask(one);
    if (second == 1)
        ask(other);
    if (first == 1 && second == 1) {
        compare(one, other);
        compare(other, one);
    }
    return 0;
}
