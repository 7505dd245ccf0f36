/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which texts are port numbers, hosts and names. */
#include "xml/value.h"

#include <string.h>

static void test_l4_port(void)
{
    static const struct {
        const char *text;
        guint16 expected; /* 0: refused */
    } rows[] = {
        { "1", 1 },
        { "65535", 65535 },
        { "00080", 80 },
        { "0", 0 },
        { "65536", 0 },
        { "70000", 0 },
        { "", 0 },
        { " 80", 0 },
        { "80 ", 0 },
        { "+80", 0 },
        { "-1", 0 },
        { "0x50", 0 },
        { "12ab", 0 },
        { "8\n", 0 },
        { "1.5", 0 },
        { "1e3", 0 },
        { "18446744073709551617", 0 },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        guint16 l4_port = 7;

        g_assert_true(nr_value_l4_port(rows[i].text, &l4_port) == (rows[i].expected != 0));
        g_assert_cmpuint(l4_port, ==, rows[i].expected ? rows[i].expected : 7);
    }
}

static void test_host(void)
{
    static const struct {
        const char *text;
        NrHostKind kind;
        const char *expected;
    } rows[] = {
        { "127.0.0.1", NR_HOST_IPV4, "127.0.0.1" },
        { "0.0.0.0", NR_HOST_IPV4, "0.0.0.0" },
        { "127.1", NR_HOST_IPV4, "127.0.0.1" },
        { "0", NR_HOST_IPV4, "0.0.0.0" },
        { "0x7f000001", NR_HOST_IPV4, "127.0.0.1" },
        { "010.0.0.1", NR_HOST_IPV4, "8.0.0.1" }, /* octal, to QEMU too */
        { "127.0.0.256", NR_HOST_NONE, NULL },
        { "1.2.3.4.5", NR_HOST_NONE, NULL },
        { "127.0.0.1 x", NR_HOST_NONE, NULL },
        { "127.0.0.1:80", NR_HOST_NONE, NULL },
        { "3com.example", NR_HOST_NONE, NULL }, /* QEMU takes it for an address */
        { "::1", NR_HOST_IPV6, "::1" },
        { "2001:DB8:0::1", NR_HOST_IPV6, "2001:db8::1" },
        { "::ffff:127.0.0.1", NR_HOST_IPV6, "::ffff:127.0.0.1" },
        { "fe80::1%lo", NR_HOST_NONE, NULL },
        { "[::1]", NR_HOST_NONE, NULL },
        { "localhost", NR_HOST_NAME, "localhost" },
        { "Host-B.Example.", NR_HOST_NAME, "host-b.example." },
        { "my_host", NR_HOST_NAME, "my_host" },
        { "", NR_HOST_NONE, NULL },
        { ".", NR_HOST_NONE, NULL },
        { "a..b", NR_HOST_NONE, NULL },
        { "-a", NR_HOST_NONE, NULL },
        { "a/b", NR_HOST_NONE, NULL },
        { "a\nb", NR_HOST_NONE, NULL },
        { "h\xc3\xb6st", NR_HOST_NONE, NULL },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *host = NULL;

        g_test_message("'%s'", rows[i].text);
        g_assert_cmpint(nr_value_host(rows[i].text, &host), ==, rows[i].kind);
        g_assert_cmpstr(host, ==, rows[i].expected);
    }
}

/* Frees `owned`. */
static void expect_host_kind(char *owned, NrHostKind kind)
{
    g_autofree char *text = owned;
    g_autofree char *host = NULL;

    g_assert_cmpint(nr_value_host(text, &host), ==, kind);
}

static void test_host_length(void)
{
    g_autofree char *label = g_strnfill(63, 'a');

    expect_host_kind(g_strdup(label), NR_HOST_NAME);
    expect_host_kind(g_strconcat(label, "a", NULL), NR_HOST_NONE);
    expect_host_kind(g_strdup_printf("%s.%s.%s.%.61s", label, label, label, label), NR_HOST_NAME);
    expect_host_kind(g_strdup_printf("%s.%s.%s.%.62s", label, label, label, label), NR_HOST_NONE);
}

static void test_names(void)
{
    g_autofree char *long_network = g_strnfill(65, 'n');

    g_assert_true(nr_value_is_network_name("lab"));
    g_assert_true(nr_value_is_network_name("0.a_b-C"));
    g_assert_true(nr_value_is_network_name(long_network + 1));
    g_assert_false(nr_value_is_network_name(long_network));
    g_assert_false(nr_value_is_network_name(""));
    g_assert_false(nr_value_is_network_name("-rf"));
    g_assert_false(nr_value_is_network_name("../x"));
    g_assert_false(nr_value_is_network_name("a b"));
    g_assert_false(nr_value_is_network_name("a\n"));

    g_assert_true(nr_value_is_bridge_name("br0"));
    g_assert_true(nr_value_is_bridge_name("br-0123456789ab"));
    g_assert_false(nr_value_is_bridge_name("br-0123456789abc"));
    g_assert_false(nr_value_is_bridge_name(""));
    g_assert_false(nr_value_is_bridge_name("."));
    g_assert_false(nr_value_is_bridge_name(".."));
    g_assert_true(nr_value_is_bridge_name("..."));
    g_assert_false(nr_value_is_bridge_name("a/b"));
    g_assert_false(nr_value_is_bridge_name("a:b"));
    g_assert_false(nr_value_is_bridge_name("a b"));
    g_assert_false(nr_value_is_bridge_name("br\xc3\xb6"));
}

static void expect_quote(const char *text, const char *expected)
{
    g_autofree char *quoted = nr_value_quote(text);

    g_assert_cmpstr(quoted, ==, expected);
}

static void test_quote(void)
{
    g_autofree char *huge = g_strnfill(100000, 'x');

    expect_quote("70000", "70000");
    expect_quote("-1", "-1");
    expect_quote("", "''");
    expect_quote("a\033b", "'a\\x1bb'");
    expect_quote(huge, "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...'");
}

static void test_peer(void)
{
    static const struct {
        const char *text, *expected; /* NULL: refused */
    } rows[] = {
        { "hostb.example:12345", "hostb.example:12345" },
        { "HOSTB:00080", "hostb:80" },
        { "10.1:1", "10.0.0.1:1" },
        { "[2001:DB8:0::1]:65535", "[2001:db8::1]:65535" },
        { "", NULL },
        { ":", NULL },
        { ":1", NULL },
        { "hostb", NULL },
        { "hostb:", NULL },
        { "hostb:0", NULL },
        { "hostb:65536", NULL },
        { "hostb:1:2", NULL },
        { "::1", NULL },
        { "::1:9", NULL },
        { "[::1]", NULL },
        { "[]:1", NULL },
        { "]:1", NULL },
        { "[:1", NULL },
        { "[hostb]:1", NULL },
        { "[10.0.0.1]:1", NULL },
        { "[::1:1", NULL },
        { "::1]:1", NULL },
        { "[[::1]]:1", NULL },
        { "0:1", NULL },
        { "[::0]:1", NULL },
        { "230.0.0.1:1", NULL },
        { "[ff02::1]:1", NULL },
        { "3com.example:1", NULL },
        { "host b:1", NULL },
        { "hostb:1\n", NULL },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *peer = NULL;
        const char *expected = nr_value_peer(rows[i].text, &peer);

        g_test_message("'%s'", rows[i].text);
        g_assert_cmpstr(peer, ==, rows[i].expected);
        g_assert_true(!expected == !!peer);
    }
}

int main(int argc, char *argv[])
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/value/l4-port", test_l4_port);
    g_test_add_func("/value/host", test_host);
    g_test_add_func("/value/host-length", test_host_length);
    g_test_add_func("/value/names", test_names);
    g_test_add_func("/value/quote", test_quote);
    g_test_add_func("/value/peer", test_peer);
    return g_test_run();
}
