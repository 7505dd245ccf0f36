/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the forwarder has yet to tell the keeper of its ports: a bounded list. */
#ifndef NR_RELAY_NOTICES_H
#define NR_RELAY_NOTICES_H

#include <stdbool.h>
#include "relay/handover.h"

#define NOTICES_MAX 1024

struct notice {
    uint32_t slot, id;
    enum handover_notice what;
    struct mac source;
    uint32_t other;
};

struct notices {
    unsigned n;
    struct notice list[NOTICES_MAX];
};

/* False: there are too many already; for changes of a port's state there is more room. */
bool notices_put(struct notices *notices, struct notice notice);
/* Sends them in order. 0; negative errno: those that are left go another time. */
int notices_tell(struct notices *notices, int sock);

#endif
