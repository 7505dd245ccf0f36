/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib.h>
#include <string.h>
#include "common/host-change.h"

#define VALUE_95                                                                                   \
    "12345678901234567890123456789012345678901234567890"                                           \
    "1234567890123456789012345678901234567890123/5"

static void test_both_ways(void)
{
    static const char *const texts[] = { "bridge virbr9",           "address virbr9 192.168.9.1/24",
                                         "address a fd99::1/64",    "bridge 123456789012345",
                                         "address br0 " VALUE_95,   "forward-v4 eth0",
                                         "forward-v6 all",          "route br9 192.0.2.10/32",
                                         "proxy eth0 2001:db8::10", "proxy-ndp eth0",
                                         "hear-routers eth0.100" };

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        char text[HOST_CHANGE_TEXT_MAX];
        struct host_change change;

        g_assert_true(host_change_parse(&change, texts[i]));
        g_assert_cmpstr(host_change_format(&change, text), ==, texts[i]);
    }
}

static void test_refused(void)
{
    static const char *const texts[] = { "",
                                         " ",
                                         "bridge",
                                         "bridge ",
                                         "bridge virbr9 ",
                                         "bridge virbr9 x",
                                         "bridge  virbr9",
                                         "bridge 1234567890123456",
                                         "address virbr9",
                                         "address virbr9 ",
                                         "address virbr9 a b",
                                         "address br0 " VALUE_95 "4",
                                         "Bridge virbr9",
                                         "forward-v4",
                                         "forward-v4 eth0 1",
                                         "aaaaaaaaaaaaaaaaaaaaaaaaaaaa virbr9" };
    struct host_change untouched = { .kind = HOST_ADDRESS, .device = "x", .value = "y" };

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        struct host_change change = untouched;

        g_assert_false(host_change_parse(&change, texts[i]));
        g_assert_true(host_change_equal(&change, &untouched));
    }
}

static void test_equal(void)
{
    struct host_change a, b;

    g_assert_true(host_change_parse(&a, "address br0 10.0.0.1/8"));
    g_assert_true(host_change_parse(&b, "address br0 10.0.0.1/24"));
    g_assert_false(host_change_equal(&a, &b));
    g_assert_true(host_change_parse(&b, "address br1 10.0.0.1/8"));
    g_assert_false(host_change_equal(&a, &b));
    g_assert_true(host_change_parse(&b, "address br0 10.0.0.1/8"));
    g_assert_true(host_change_equal(&a, &b));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/host-change/both-ways", test_both_ways);
    g_test_add_func("/host-change/refused", test_refused);
    g_test_add_func("/host-change/equal", test_equal);
    return g_test_run();
}
