/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/nic-limits.h"

static void test_words(void)
{
    static const struct {
        const char *options, *text;
    } cases[] = {
        { NULL, NULL },
        { "", NULL },
        { "ingress=50", "sends at most 50 KiB/s" },
        { "ingress=50:60:64", "sends at most 50 KiB/s (peak 60 KiB/s, burst 64 KiB)" },
        { "egress=50:60", "gets at most 50 KiB/s (peak 60 KiB/s)" },
        { "egress=50::64", "gets at most 50 KiB/s (burst 64 KiB)" },
        { "pin=52:54:00:00:00:01", "pinned to 52:54:00:00:00:01" },
        { "pin=52:54:00:00:00:01,ingress=400,egress=800",
          "sends at most 400 KiB/s, gets at most 800 KiB/s, pinned to 52:54:00:00:00:01" },
        /* as a newer manager might have it */
        { "ingress=400,storm=5", "ingress=400,storm=5" },
        { "ingress=400,pin", "ingress=400,pin" },
        { "ingress=fast", "ingress=fast" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = nr_limits_text(cases[i].options);

        g_assert_cmpstr(text, ==, cases[i].text);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/nic-limits/words", test_words);
    return g_test_run();
}
