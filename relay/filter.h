/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which source addresses may come in at a port: its allow and deny rules, and its pin. Pure. */
#ifndef NR_RELAY_FILTER_H
#define NR_RELAY_FILTER_H

#include "common/port-options.h"
#include "relay/frame.h"

/* The address that a port with "pin" took for its own; it outlasts the forwarder. */
struct filter_pin {
    uint32_t id; /* of the port that took it; another one begins anew */
    struct mac mac;
};

static inline bool filter_is_needed(const struct port_options *options)
{
    return options->pin || options->n_rules > 0;
}

/* The first possible address that the rules let in is pinned, if one is to be. */
bool filter_admits(const struct port_options *options, struct filter_pin *pin, uint32_t id,
                   struct mac source);

#endif
