/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/json.h"

#include <json-glib/json-glib.h>
#include <stdio.h>

static void print(GVariant *value, gboolean pretty)
{
    g_autoptr(GVariant) owned = g_variant_ref_sink(value);
    g_autoptr(JsonNode) node = json_gvariant_serialize(owned);
    g_autofree char *text = json_to_string(node, pretty);

    puts(text);
}

void nr_json_print(GVariant *value)
{
    print(value, TRUE);
}

void nr_json_print_line(GVariant *value)
{
    print(value, FALSE);
}
