/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib.h>
#include <unistd.h>
#include "net/stable-mac.h"
#include "netns.h"

static struct mac mac_of(const char *words)
{
    struct mac mac;

    g_assert_cmpint(stable_mac(0xfe, words, &mac), ==, 0);
    g_assert_cmphex(mac.b[0], ==, 0xfe);
    return mac;
}

static void test_words(void)
{
    struct mac first = mac_of("nrtap0");

    if (access("/etc/machine-id", R_OK) < 0) {
        g_test_skip("this host has no id");
        return;
    }
    g_assert_true(mac_equal(mac_of("nrtap0"), first));
    g_assert_false(mac_equal(mac_of("nrtap1"), first));
    g_assert_false(mac_equal(mac_of("nrtap0 "), first));
    netns_enter(); /* another one, as of a container with the same id */
    g_assert_false(mac_equal(mac_of("nrtap0"), first));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    netns_enter();
    g_test_add_func("/stable-mac/words", test_words);
    return g_test_run();
}
