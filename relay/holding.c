/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/holding.h"

#include <stdio.h>
#include "relay/attachment.h"

const char *holding_name(const struct holding *holding, char buf[HOLDING_NAME_MAX])
{
    const char *endpoint = holding->attachment ? holding->attachment->text : holding->local;

    snprintf(buf, HOLDING_NAME_MAX, "port %u, %s%s%s", holding->id, endpoint,
             *holding->peer ? " with " : "", holding->peer);
    return buf;
}
