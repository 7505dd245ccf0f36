/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/holding.h"

#include <stdio.h>
#include <string.h>
#include "relay/attachment.h"

int holding_name_length(const char *endpoint)
{
    size_t len = strlen(endpoint);

    return (int)(len > 0 && endpoint[len - 1] == ':' ? len - 1 : len);
}

const char *holding_name(const struct holding *holding, char buf[HOLDING_NAME_MAX])
{
    const char *endpoint = holding->attachment ? holding->attachment->text : holding->endpoint;

    snprintf(buf, HOLDING_NAME_MAX, "port %u, %.*s%s%s", holding->id, holding_name_length(endpoint),
             endpoint, *holding->peer ? " with " : "", holding->peer);
    return buf;
}

enum ctl_port_state holding_state(const struct holding *holding)
{
    if (holding->state == HOLDING_HELD)
        return CTL_PORT_HELD;
    if (holding->state == HOLDING_CLOSING || holding->state == HOLDING_TOLD)
        return CTL_PORT_CLOSING;
    if (holding->move)
        return CTL_PORT_LEAVING;
    return holding->blocked ? CTL_PORT_BLOCKED : CTL_PORT_UP;
}

struct port_counters holding_counters(const struct holding *holding)
{
    struct port_counters counters = holding->counters;

    counters.drop_stranger += holding->strangers;
    return counters;
}
