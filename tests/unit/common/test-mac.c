/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <glib.h>
#include "common/mac.h"

static void test_round_trip(void)
{
    static const char *const texts[] = { "52:54:00:12:34:56", "ff:ff:ff:ff:ff:ff",
                                         "00:00:00:00:00:00", "09:af:A0:Fe:9A:0F" };
    char buf[MAC_TEXT_MAX];

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autofree char *lower = g_ascii_strdown(texts[i], -1);
        struct mac mac;

        g_assert_cmpint(mac_parse(&mac, texts[i]), ==, 0);
        g_assert_cmpstr(mac_format(mac, buf), ==, lower);
    }
}

static void test_bytes(void)
{
    const struct mac want = { { 0x52, 0x54, 0x00, 0x12, 0xab, 0xff } };
    struct mac mac;

    g_assert_cmpint(mac_parse(&mac, "52:54:00:12:AB:ff"), ==, 0);
    g_assert_cmpmem(mac.b, MAC_LEN, want.b, MAC_LEN);
    g_assert_true(mac_equal(mac, want));
    mac.b[5]--;
    g_assert_false(mac_equal(mac, want));
}

static void test_wrong(void)
{
    static const char *const texts[] = {
        "",
        ":",
        "5",
        "52",
        "52:54:00:12:34",
        "52:54:00:12:34:",
        "52:54:00:12:34:5",
        "52:54:00:12:34:567",
        "52:54:00:12:34:56:",
        "52:54:00:12:34:56:78",
        "5254:00:12:34:56",
        "52-54-00-12-34-56",
        "2:54:00:12:34:56",
        "52:54:00:12:34:5g",
        " 2:54:00:12:34:56",
        "+2:54:00:12:34:56",
        "0x:54:00:12:34:56",
        "52:54:00:12:34:56 ",
        "52:54::12:34:56",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        struct mac mac = { { 1, 2, 3, 4, 5, 6 } };
        g_autofree char *copy = g_strdup(texts[i]); /* exactly as long, for the sanitizer */

        g_test_message("'%s'", texts[i]);
        g_assert_cmpint(mac_parse(&mac, copy), ==, -EINVAL);
        g_assert_true(mac_equal(mac, (struct mac){ { 1, 2, 3, 4, 5, 6 } }));
    }
}

static void test_questions(void)
{
    struct mac guest = { { 0x52, 0x54, 0, 0, 0, 1 } };
    struct mac group = { { 0x01, 0x80, 0xc2, 0, 0, 0 } };
    struct mac broadcast = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };

    g_assert_false(mac_is_multicast(guest));
    g_assert_true(mac_is_multicast(group));
    g_assert_true(mac_is_multicast(broadcast));
    g_assert_false(mac_is_zero(guest));
    g_assert_true(mac_is_zero((struct mac){ { 0 } }));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/mac/round-trip", test_round_trip);
    g_test_add_func("/mac/bytes", test_bytes);
    g_test_add_func("/mac/wrong", test_wrong);
    g_test_add_func("/mac/questions", test_questions);
    return g_test_run();
}
