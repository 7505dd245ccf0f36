/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a request of the hook's: what is taken has a known wish, and a name with an end that
 * can be shown. The XML that comes with it is domain-xml's. Seeds: tests/data/wire/hook-request. */
#include <string.h>

#include "common/hook-proto.h"
#include "xml/guest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree struct hook_request *request = g_new0(struct hook_request, 1);
    g_autofree char *shown = NULL;

    if (size > 0)
        memcpy(request, data, MIN(size, sizeof(*request)));
    if (hook_request_check(request, size) < 0)
        return 0;
    g_assert_cmpuint(strlen(request->name), <, HOOK_NAME_MAX);
    g_assert_true(request->op >= HOOK_PREPARE && request->op <= HOOK_RECONNECT);
    shown = nr_printable(request->name);
    g_assert_true(g_utf8_validate(shown, -1, NULL));
    return 0;
}
