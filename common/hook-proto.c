/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/hook-proto.h"

#include <errno.h>
#include <string.h>

int hook_request_check(const struct hook_request *request, size_t length)
{
    if (length != sizeof(*request) || request->magic != HOOK_MAGIC ||
        request->version != HOOK_VERSION || request->op < HOOK_PREPARE ||
        request->op > HOOK_RECONNECT || !memchr(request->name, '\0', sizeof(request->name)))
        return -EPROTO;
    return 0;
}
