/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/json.h"

#include <json-glib/json-glib.h>
#include <stdio.h>
#include "xml/guest.h"

static void append_escaped(GString *text, gunichar c)
{
    if (c <= 0xffff)
        g_string_append_printf(text, "\\u%04x", c);
    else
        g_string_append_printf(text, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10),
                               0xdc00 + ((c - 0x10000) & 0x3ff));
}

/* What is not ASCII stands in strings only, and a newline only between them. */
static char *escape(const char *json)
{
    GString *text = g_string_new(NULL);

    for (const char *c = json; *c; c = g_utf8_next_char(c)) {
        gunichar one = g_utf8_get_char(c);

        if (one == '\n' || nr_is_printable(one))
            g_string_append_unichar(text, one);
        else
            append_escaped(text, one);
    }
    return g_string_free(text, FALSE);
}

char *nr_json_text(GVariant *value, gboolean pretty)
{
    g_autoptr(GVariant) owned = g_variant_ref_sink(value);
    g_autoptr(JsonNode) node = json_gvariant_serialize(owned);
    g_autofree char *text = json_to_string(node, pretty);

    return escape(text);
}

void nr_json_print(GVariant *value)
{
    g_autofree char *text = nr_json_text(value, TRUE);

    puts(text);
}

void nr_json_print_line(GVariant *value)
{
    g_autofree char *text = nr_json_text(value, FALSE);

    puts(text);
}
