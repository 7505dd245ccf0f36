/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib.h>
#include <string.h>
#include "common/port-options.h"

static struct mac mac_of(const char *text)
{
    struct mac mac;

    g_assert_cmpint(mac_parse(&mac, text), ==, 0);
    return mac;
}

static void add(struct port_options *options, const char *key, const char *value)
{
    g_assert_cmpstr(port_options_add(options, key, value), ==, NULL);
}

static void test_nothing_said(void)
{
    char buf[PORT_OPTIONS_TEXT_MAX];
    struct port_options options = { 0 };

    g_assert_cmpstr(port_options_format(&options, buf), ==, "");
    g_assert_true(port_options_allow(&options, mac_of("52:54:00:00:00:01")));
    g_assert_cmpstr(port_options_add(&options, "else", NULL), ==, "");
}

static void test_allow_list(void)
{
    struct port_options options = { 0 };

    add(&options, "allow", "52:54:00:00:00:01");
    add(&options, "allow", "02:00:00:00:00:00/8");
    g_assert_true(port_options_allow(&options, mac_of("52:54:00:00:00:01")));
    g_assert_true(port_options_allow(&options, mac_of("02:ff:ff:ff:ff:ff")));
    g_assert_false(port_options_allow(&options, mac_of("52:54:00:00:00:02")));
    g_assert_false(port_options_allow(&options, mac_of("03:00:00:00:00:00")));
}

static void test_deny_is_stronger(void)
{
    struct port_options options = { 0 };

    add(&options, "deny", "52:54:00:00:00:00/47");
    g_assert_true(port_options_allow(&options, mac_of("52:54:00:00:00:02")));
    g_assert_false(port_options_allow(&options, mac_of("52:54:00:00:00:01")));
    add(&options, "allow", "52:54:00:00:00:01");
    add(&options, "allow", "52:54:00:00:00:02");
    g_assert_false(port_options_allow(&options, mac_of("52:54:00:00:00:01")));
    g_assert_true(port_options_allow(&options, mac_of("52:54:00:00:00:02")));
}

/* As many rules as fit, each as long as can be, have a text form that fits. */
static void test_bounds(void)
{
    char buf[PORT_OPTIONS_TEXT_MAX];
    struct port_options options = { 0 };

    add(&options, "pin", "52:54:00:00:00:01");
    add(&options, "storm", "100000000");
    add(&options, "guest", NULL);
    add(&options, "ingress", "99999999:100000000:4000000");
    add(&options, "egress", "99999999:100000000:4000000");
    for (int i = 0; i < PORT_RULES_MAX; i++)
        add(&options, "allow", "52:54:00:00:00:00/40");
    g_assert_nonnull(strstr(port_options_add(&options, "deny", "52:54:00:00:00:00"), "at most 16"));
    port_options_format(&options, buf);
    g_assert_cmpuint(strlen(buf), <, PORT_OPTIONS_TEXT_MAX - 1);
    g_assert_true(g_str_has_suffix(buf, "egress=99999999:100000000:4000000"));
}

static void test_rates(void)
{
    static const char *const good[] = { "1", "1000:2000", "1000:2000:64", "1000::64" };
    static const char *const bad[] = { "",   "0",         "x",           ":2",
                                       "01", "1000:1000", "1:2:4000001", "1 ",
                                       "-1", "1:0",       "100000001",   "1:2:3:4" };
    char text[64], buf[PORT_OPTIONS_TEXT_MAX];
    struct port_options options;

    for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
        options = (struct port_options){ 0 };
        add(&options, "ingress", good[i]);
        g_snprintf(text, sizeof(text), ",ingress=%s", good[i]);
        g_assert_cmpstr(port_options_format(&options, buf), ==, text);
        g_assert_cmpuint(options.egress.average, ==, 0);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
        g_assert_nonnull(port_options_add(&options, "egress", bad[i]));
    g_assert_nonnull(port_options_add(&options, "egress", NULL));
}

static void test_text_of_many(void)
{
    static const char text[] = ",pin=52:54:00:00:00:01,deny=02:00:00:00:00:00/8,storm=10,guest,"
                               "ingress=1000::64,egress=2000";
    static const char *const bad[] = { "pin", ",", ",pin,", ",else", ",pin=1", ",pinpinpinpin" };
    char buf[PORT_OPTIONS_TEXT_MAX];
    struct port_options options;

    g_assert_cmpstr(port_options_parse(&options, text), ==, NULL);
    g_assert_cmpstr(port_options_format(&options, buf), ==, text);
    g_assert_cmpstr(port_options_parse(&options, ""), ==, NULL);
    g_assert_cmpstr(port_options_format(&options, buf), ==, "");
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
        g_assert_nonnull(port_options_parse(&options, bad[i]));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/port-options/nothing-said", test_nothing_said);
    g_test_add_func("/port-options/allow-list", test_allow_list);
    g_test_add_func("/port-options/deny-is-stronger", test_deny_is_stronger);
    g_test_add_func("/port-options/bounds", test_bounds);
    g_test_add_func("/port-options/rates", test_rates);
    g_test_add_func("/port-options/text-of-many", test_text_of_many);
    return g_test_run();
}
