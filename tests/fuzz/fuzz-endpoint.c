/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any text as an endpoint: what is taken has a canonical form, which is taken as the same. Seeds:
 * tests/data/wire/endpoint. */
#include <glib.h>
#include <string.h>

#include "common/endpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef int parse(struct endpoint *ret, const char *text, const char **ret_expected);

static void check(parse *parse_it, const char *text)
{
    char buf[ENDPOINT_TEXT_MAX], again[ENDPOINT_TEXT_MAX];
    struct endpoint endpoint, second;
    const char *expected = NULL;

    if (parse_it(&endpoint, text, &expected) < 0) {
        g_assert_true(expected && *expected);
        return;
    }
    endpoint_format(&endpoint, buf);
    g_assert_cmpuint(strlen(buf), <, ENDPOINT_TEXT_MAX - 1); /* whole, not cut */
    g_assert_cmpint(endpoint_parse(&second, buf, &expected), ==, 0);
    g_assert_cmpstr(endpoint_format(&second, again), ==, buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);

    check(endpoint_parse, text);
    check(endpoint_parse_listen, text);
    return 0;
}
