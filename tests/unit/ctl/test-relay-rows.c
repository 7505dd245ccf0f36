/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/relay-rows.h"

static GVariant *endpoint_row(const char *text)
{
    struct ctl_msg msg;

    ctl_msg_begin(&msg, CTL_ENDPOINT, 0);
    ctl_put_u32(&msg, CTL_A_ENDPOINT_ID, 7);
    ctl_put_str(&msg, CTL_A_ENDPOINT, text);
    ctl_put_str(&msg, CTL_A_LABEL, "guest");
    ctl_msg_end(&msg);
    return nr_relay_row_new(&msg);
}

static void test_words_for_an_endpoint(void)
{
    static const struct {
        const char *endpoint, *word;
        gboolean is_it, is_it_without_options;
    } rows[] = {
        { "tcp:127.0.0.1:80", "127.0.0.1:80", TRUE, TRUE },
        { "tcp:127.0.0.1:80", "7", TRUE, FALSE },
        { "tcp:127.0.0.1:80", "guest", TRUE, FALSE },
        { "tcp:127.0.0.1:80", "", FALSE, FALSE },
        { "tcp:127.0.0.1:80,guest", "127.0.0.1:80", FALSE, TRUE },
        { "tcp:127.0.0.1:80,guest", "127.0.0.1:80,guest", TRUE, FALSE },
        { "tcp:127.0.0.1:80,guest", "127.0.0.1:8", FALSE, FALSE },
        { "udp:127.0.0.1:80,learn", "udp:127.0.0.1:80", FALSE, TRUE },
        { "unix:/run/a,,b,guest", "unix:/run/a,,b", FALSE, TRUE },
        { "unix:/run/a,,b,guest", "unix:/run/a", FALSE, FALSE },
        { "user:restrict=on,net=10.0.2.0/24", "user:", FALSE, TRUE },
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GVariant) row = endpoint_row(rows[i].endpoint);

        g_test_message("%s by %s", rows[i].endpoint, rows[i].word);
        g_assert_cmpint(nr_relay_is_endpoint(row, rows[i].word), ==, rows[i].is_it);
        g_assert_cmpint(nr_relay_is_endpoint_without_options(row, rows[i].word), ==,
                        rows[i].is_it_without_options);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ctl/relay-rows/words-for-an-endpoint", test_words_for_an_endpoint);
    return g_test_run();
}
