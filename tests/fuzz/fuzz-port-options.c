/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any text as options of a port: what is taken has a text form, which is taken as the same. Seeds:
 * tests/data/wire/port-options. */
#include <glib.h>
#include <string.h>

#include "common/port-options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    char buf[PORT_OPTIONS_TEXT_MAX], again[PORT_OPTIONS_TEXT_MAX];
    struct port_options options = { 0 }, second = { 0 };

    if (port_options_parse(&options, text))
        return 0;
    g_assert_cmpuint(options.n_rules, <=, PORT_RULES_MAX);
    port_options_format(&options, buf);
    g_assert_cmpuint(strlen(buf), <, PORT_OPTIONS_TEXT_MAX - 1); /* whole, not cut */
    g_assert_null(port_options_parse(&second, buf));
    g_assert_cmpstr(port_options_format(&second, again), ==, buf);
    return 0;
}
