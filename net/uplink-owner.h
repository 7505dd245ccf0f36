/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a device's addresses can be moved to a bridge: by what it is, and by who cares for it. */
#ifndef NR_NET_UPLINK_OWNER_H
#define NR_NET_UPLINK_OWNER_H

#include "net/uplink-plan.h"

#define UPLINK_REASON_MAX 256

enum uplink_verdict {
    UPLINK_FREE,
    UPLINK_OWNED,    /* somebody would give it addresses again, or miss it: only by force */
    UPLINK_UNFIT,    /* it cannot be in a bridge */
    UPLINK_ABSENT,   /* there is no such device */
    UPLINK_ELSEWHERE /* it is in a bridge or bond already */
};

/* Changes nothing. reason: a sentence without full stop; "" where it is free. */
enum uplink_verdict uplink_judge(const char *device, const char *bridge,
                                 char reason[UPLINK_REASON_MAX]);

#endif
