/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/screen.h"

#define GREEN "\033[32m"
#define PLAIN "\033[0m"
#define K     "\033[K"
#define WIDE  "\346\274\242" /* two columns */
#define MARK  "\314\210"     /* none */

static const struct {
    const char *text;
    guint rows, columns;
    const char *frame; /* between home and the clearing of the rest */
} cases[] = {
    { "", 3, 10, "" },
    { "one\n", 3, 10, "one" K },
    { "one\n\nthree\n", 3, 10, "one" K "\r\n" K "\r\nthree" K },
    { "one\ntwo", 3, 10, "one" K "\r\ntwo" K },
    { "one\ntwo\nthree\nfour\n", 3, 20, "one" K "\r\ntwo" K "\r\n... 2 more lines" K },
    { "one\ntwo\nthree\n", 3, 20, "one" K "\r\ntwo" K "\r\nthree" K },
    { "123456\n", 1, 6, "123456" K },
    { "1234567\n", 1, 6, "123456" K },
    { "one\ntwo\n", 1, 5, "... 2" K },
    { "a" GREEN "bcd" PLAIN "e\n", 1, 5, "a" GREEN "bcd" PLAIN "e" K },
    { "a" GREEN "bcd" PLAIN "e\n", 1, 3, "a" GREEN "bc" PLAIN K },
    { "ab" WIDE "c\n", 1, 4, "ab" WIDE K },
    { "ab" WIDE "c\n", 1, 3, "ab" K },
    { "a" MARK "b" MARK "c\n", 1, 2, "a" MARK "b" MARK K },
};

static void test_frames(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *frame = nr_screen_frame(cases[i].text, cases[i].rows, cases[i].columns);
        g_autofree char *expected = g_strdup_printf("\033[H%s\033[J", cases[i].frame);

        g_assert_cmpstr(frame, ==, expected);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/screen/frames", test_frames);
    return g_test_run();
}
