/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/filter.h"

static bool is_pinned(const struct port_options *options, struct filter_pin *pin, uint32_t id,
                      struct mac source)
{
    if (!mac_is_zero(options->pin_mac))
        return mac_equal(source, options->pin_mac);
    if (pin->id == id)
        return mac_equal(source, pin->mac);
    if (mac_is_multicast(source) || mac_is_zero(source))
        return false;
    pin->mac = source;
    pin->id = id;
    return true;
}

bool filter_admits(const struct port_options *options, struct filter_pin *pin, uint32_t id,
                   struct mac source)
{
    return port_options_allow(options, source) &&
           (!options->pin || is_pinned(options, pin, id, source));
}
