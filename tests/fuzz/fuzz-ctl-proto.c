/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a control message, read with and without its check. Seeds:
 * tests/data/wire/ctl-proto. */
#include <glib.h>
#include <string.h>

#include "common/ctl-proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ATTRS 64 /* beyond what is known */

static void read_all(const struct ctl_msg *msg)
{
    char text[CTL_MSG_MAX], brief[4];
    uint32_t u32;
    uint64_t u64;

    for (int attr = 0; attr < ATTRS; attr++) {
        ctl_get_u32(msg, (enum ctl_attr)attr, &u32);
        ctl_get_u64(msg, (enum ctl_attr)attr, &u64);
        if (ctl_get_str(msg, (enum ctl_attr)attr, text, sizeof(text)))
            g_assert_cmpuint(strlen(text), <, sizeof(text));
        if (ctl_get_str(msg, (enum ctl_attr)attr, brief, sizeof(brief)))
            g_assert_cmpuint(strlen(brief), <, sizeof(brief));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree struct ctl_msg *msg = g_new(struct ctl_msg, 1);
    int r;

    msg->len = MIN(size, sizeof(msg->buf));
    if (msg->len > 0)
        memcpy(msg->buf, data, msg->len);
    r = ctl_msg_check(msg);
    g_assert_true(r <= 0);
    if (r == 0)
        g_assert_nonnull(ctl_type_name(ctl_msg_type(msg)));
    read_all(msg);
    return 0;
}
