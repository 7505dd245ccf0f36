/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/json.h"

#include <json-glib/json-glib.h>
#include <string.h>
#include "xml/guest.h"

/* What a guest may be called, and more. */
static const char *const texts[] = {
    "web-1",
    "\xc3\xbcn\xc3\xaf", /* as it is */
    "quote \" backslash \\ slash / <&>",
    "line\nbreak\ttab\rreturn",
    "\033[31m red \033]0;title\007",
    "\x1f unit separator, \x7f delete",
    "\xc2\x9b"
    "31m",                      /* a control sequence in one character */
    "user\xe2\x80\xae.fdp.exe", /* from right to left */
    "\xe2\x80\xa8 line separator",
    "\xf3\xa0\x81\x81 a tag, beyond 16 bits",
    "",
};

static void test_texts(gconstpointer data)
{
    const char *original = texts[GPOINTER_TO_UINT(data)];

    for (gboolean pretty = FALSE; pretty <= TRUE; pretty++) {
        g_autofree char *text =
            nr_json_text(g_variant_new_parsed("{'name': <%s>}", original), pretty);
        g_autoptr(JsonNode) node = json_from_string(text, NULL);

        g_assert_nonnull(node);
        g_assert_cmpstr(json_object_get_string_member(json_node_get_object(node), "name"), ==,
                        original);
        for (const char *c = text; *c; c = g_utf8_next_char(c))
            g_assert_true((pretty && *c == '\n') || nr_is_printable(g_utf8_get_char(c)));
    }
}

static void test_readable(void)
{
    g_autofree char *text = nr_json_text(g_variant_new_strv(texts, 2), FALSE);

    g_assert_cmpstr(text, ==, "[\"web-1\",\"\xc3\xbcn\xc3\xaf\"]");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autofree char *path = g_strdup_printf("/json/text %u", i);

        g_test_add_data_func(path, GUINT_TO_POINTER(i), test_texts);
    }
    g_test_add_func("/json/what can be read stays", test_readable);
    return g_test_run();
}
