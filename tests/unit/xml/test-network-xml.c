/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Network files; the reader and network.rng must say the same. */
#include <string.h>

#include "fixture.h"
#include "xml/domain-xml.h"
#include "xml/network-xml.h"

static char *parse(const Case *c, gboolean *ret_good, int *ret_code)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(NrNetwork) network = nr_network_xml_parse(c->text, c->length, c->name, &error);

    *ret_good = !!network;
    g_assert_true(!network == !!error);
    if (network)
        return fixture_dump_network(network);
    g_assert_cmpint(error->domain, ==, NR_XML_ERROR);
    g_assert_true(g_str_has_prefix(error->message, c->name)); /* file:line: first */
    *ret_code = error->code;
    return g_strconcat(error->message, "\n", NULL);
}

static gboolean schema_accepts(const Case *c)
{
    xmlDoc *doc = fixture_tree(c);
    gboolean valid = fixture_is_valid("network.rng", xmlDocGetRootElement(doc));

    xmlFreeDoc(doc);
    return valid;
}

static void check(const Case *c, gboolean reader, gboolean schema)
{
    gboolean good;
    int code = NR_XML_ERROR_INVALID;
    g_autofree char *got = parse(c, &good, &code);

    g_assert_true(good == reader);
    g_assert_cmpint(code, ==, NR_XML_ERROR_INVALID);
    g_assert_true(schema_accepts(c) == schema);
    fixture_expect(c, got);
}

static void test_good(const Case *c)
{
    check(c, TRUE, TRUE);
}

static void test_bad(const Case *c)
{
    check(c, FALSE, FALSE);
}

static void test_beyond_schema(const Case *c)
{
    check(c, FALSE, TRUE);
}

static void test_unreadable(const Case *c)
{
    gboolean good;
    int code = -1;
    g_autofree char *got = parse(c, &good, &code);

    g_assert_false(good);
    g_assert_true(code == NR_XML_ERROR_MALFORMED || code == NR_XML_ERROR_LIMIT);
    fixture_expect(c, got);
}

static void test_too_large(void)
{
    g_autofree char *text = g_strnfill(NR_NETWORK_XML_MAX + 1, ' ');
    g_autoptr(GError) error = NULL;

    g_assert_null(nr_network_xml_parse(text, NR_NETWORK_XML_MAX + 1, NULL, &error));
    g_assert_error(error, NR_XML_ERROR, NR_XML_ERROR_LIMIT);
}

/* libxml2 keeps 16 bits for a line, unless told otherwise. */
static void test_line_70000(void)
{
    g_autofree char *lines = g_strnfill(69999, '\n');
    g_autofree char *text = g_strdup_printf("<network>%s<x>\n</x>\n</network>", lines);
    g_autoptr(GError) error = NULL;

    g_assert_null(nr_network_xml_parse(text, strlen(text), "lab.xml", &error));
    g_assert_true(g_str_has_prefix(error->message, "lab.xml:7000"));
}

static void test_without_file(void)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(nr_network_xml_parse("<network>\n<x/></network>", 24, NULL, &error));
    g_assert_cmpstr(
        error->message, ==,
        "line 2: <x>: not known here; name, listen, udp, bridge, forward, ip, domain, dns, peer, "
        "multicast or match was expected");
}

int main(int argc, char *argv[])
{
    g_test_init(&argc, &argv, NULL);
    fixture_add("network/good", test_good);
    fixture_add("network/bad", test_bad);
    fixture_add("network/beyond-schema", test_beyond_schema);
    fixture_add("network/unreadable", test_unreadable);
    g_test_add_func("/network/too-large", test_too_large);
    g_test_add_func("/network/line-70000", test_line_70000);
    g_test_add_func("/network/without-file", test_without_file);
    return g_test_run();
}
