/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One Ethernet frame without FCS: a borrowed view, valid as long as the bytes it looks at. */
#ifndef NR_RELAY_FRAME_H
#define NR_RELAY_FRAME_H

#include <stdint.h>
#include <string.h>
#include "common/mac.h"

#define FRAME_MIN 14    /* an Ethernet header; one shorter can stop QEMU's NIC for good */
#define FRAME_PAD 60    /* what a kernel device expects at least */
#define FRAME_MAX 69632 /* QEMU's NET_BUFSIZE */

struct frame {
    const uint8_t *data;
    uint32_t len;
};

static inline struct mac frame_dst(struct frame frame)
{
    struct mac mac;

    memcpy(mac.b, frame.data, MAC_LEN);
    return mac;
}

static inline struct mac frame_src(struct frame frame)
{
    struct mac mac;

    memcpy(mac.b, frame.data + MAC_LEN, MAC_LEN);
    return mac;
}

#endif
