/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <glib.h>
#include <netinet/in.h>
#include "common/prefix.h"

static gboolean covers(const char *text, const char *host)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
    struct prefix prefix;

    g_assert_true(prefix_parse(&prefix, text));
    if (inet_pton(AF_INET, host, &v4.sin_addr) == 1)
        return prefix_covers(&prefix, (struct sockaddr *)&v4);
    g_assert_cmpint(inet_pton(AF_INET6, host, &v6.sin6_addr), ==, 1);
    return prefix_covers(&prefix, (struct sockaddr *)&v6);
}

static void test_covers(void)
{
    static const struct {
        const char *prefix, *inside, *outside;
    } rows[] = {
        { "any", "10.0.0.1", NULL },
        { "any", "fe80::1", NULL },
        { "10.1.2.3", "10.1.2.3", "10.1.2.2" },
        { "10.1.2.3", "::ffff:10.1.2.3", "::10.1.2.3" },
        { "10.0.0.0/8", "10.255.0.1", "11.0.0.0" },
        { "10.9.9.9/8", "10.0.0.1", "9.255.255.255" }, /* bits behind the length */
        { "192.168.4.0/22", "192.168.7.255", "192.168.8.0" },
        { "10.0.0.0/31", "10.0.0.1", "10.0.0.2" },
        { "0.0.0.0/0", "1.2.3.4", "2001:db8::1" },
        { "::ffff:10.0.0.0/104", "10.4.5.6", "11.0.0.0" },
        { "2001:db8::/32", "2001:db8:ffff::1", "2001:db9::" },
        { "2001:db8::1", "2001:db8::1", "2001:db8::" },
        { "::/0", "2001:db8::1", NULL },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_test_message("%s", rows[i].prefix);
        g_assert_true(covers(rows[i].prefix, rows[i].inside));
        g_assert_false(rows[i].outside && covers(rows[i].prefix, rows[i].outside));
    }
}

static void test_not_ip(void)
{
    struct sockaddr other = { .sa_family = AF_UNIX };
    struct prefix prefix;

    g_assert_true(prefix_parse(&prefix, "any"));
    g_assert_false(prefix_covers(&prefix, &other));
}

static void test_wrong(void)
{
    static const char *const texts[] = {
        "",
        "/",
        "any/0",
        "Any",
        "10.0.0",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/+8",
        "10.0.0.0/ 8",
        "10.0.0.0/8 ",
        "10.0.0.0/08",
        "10.0.0.0/00",
        "10.0.0.0/8/8",
        "::/129",
        "[::1]",
        "example",
        "10.0.0.1:80",
        "1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autofree char *copy = g_strdup(texts[i]); /* exactly as long, for the sanitizer */
        struct prefix prefix;

        g_test_message("'%s'", copy);
        g_assert_false(prefix_parse(&prefix, copy));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/prefix/covers", test_covers);
    g_test_add_func("/prefix/not-ip", test_not_ip);
    g_test_add_func("/prefix/wrong", test_wrong);
    return g_test_run();
}
