/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/log.h"

#include <glib.h>
#include <string.h>
#include <unistd.h>

/* Standard error goes into a pipe from here on, until ended(). */
static int pipe_fds[2];
static int saved;

static void begin(void)
{
    g_assert_cmpint(pipe(pipe_fds), ==, 0);
    saved = dup(STDERR_FILENO);
    dup2(pipe_fds[1], STDERR_FILENO);
    close(pipe_fds[1]);
    log_open("lab", LOG_LEVEL_NOTICE);
}

/* The lines that were written; new. */
static char **end(void)
{
    g_autoptr(GString) text = g_string_new(NULL);
    char buf[4096];
    ssize_t n;

    dup2(saved, STDERR_FILENO);
    close(saved);
    while ((n = read(pipe_fds[0], buf, sizeof(buf))) > 0)
        g_string_append_len(text, buf, n);
    close(pipe_fds[0]);
    if (text->len)
        g_string_truncate(text, text->len - 1);
    return g_strsplit(text->str, "\n", -1);
}

static void test_a_kind_is_limited(void)
{
    g_auto(GStrv) lines = NULL;

    begin();
    g_assert_false(log_has_summaries());
    for (int i = 0; i < 1000; i++)
        log_limited(LOG_LEVEL_WARNING, "peer %d misbehaves", i);
    log_limited(LOG_LEVEL_WARNING, "another kind");
    g_assert_true(log_has_summaries());
    log_summaries(false); /* its minute is not over */
    g_assert_true(log_has_summaries());
    log_summaries(true);
    g_assert_false(log_has_summaries());
    log_summaries(true);
    lines = end();
    g_assert_cmpuint(g_strv_length(lines), ==, 12);
    g_assert_cmpstr(lines[0], ==, "<4>netrelay: lab: peer 0 misbehaves");
    g_assert_cmpstr(lines[9], ==, "<4>netrelay: lab: peer 9 misbehaves");
    g_assert_cmpstr(lines[10], ==, "<4>netrelay: lab: another kind");
    g_assert_cmpstr(lines[11], ==,
                    "<4>netrelay: lab: 990 more lines like this were left out: "
                    "peer 999 misbehaves");
}

static void test_several_kinds(void)
{
    static struct log_limit limits[5];
    g_auto(GStrv) lines = NULL;

    begin();
    for (int i = 0; i < 100; i++)
        log_limited_line(&limits[i % 5], LOG_LEVEL_ERROR, "kind %d", i % 5);
    log_summaries(true);
    lines = end();
    g_assert_cmpuint(g_strv_length(lines), ==, 5 * 10 + 5);
    g_assert_true(g_str_has_suffix(lines[54], "10 more lines like this were left out: kind 0"));
}

/* A minute later: the sum first, and then lines again. */
static void test_the_next_minute(void)
{
    static struct log_limit limit;
    g_auto(GStrv) lines = NULL;

    begin();
    for (int i = 0; i < 15; i++)
        log_limited_line(&limit, LOG_LEVEL_ERROR, "line %d", i);
    limit.window_s -= LOG_WINDOW_S;
    log_limited_line(&limit, LOG_LEVEL_ERROR, "line 15");
    g_assert_false(log_has_summaries());
    lines = end();
    g_assert_cmpuint(g_strv_length(lines), ==, 12);
    g_assert_true(g_str_has_suffix(lines[10], "5 more lines like this were left out: line 14"));
    g_assert_true(g_str_has_suffix(lines[11], ": line 15"));
}

/* What is not shown is not counted either; what -v asks for may be more. */
static void test_levels(void)
{
    g_auto(GStrv) lines = NULL;

    begin();
    for (int i = 0; i < 100; i++)
        log_limited(LOG_LEVEL_INFO, "not shown");
    g_assert_false(log_has_summaries());
    log_open("", LOG_LEVEL_INFO);
    for (int i = 0; i < 100; i++)
        log_limited(LOG_LEVEL_INFO, "asked for");
    g_assert_false(log_has_summaries());
    lines = end();
    g_assert_cmpuint(g_strv_length(lines), ==, 100);
}

/* Whatever was put into it: one line of ASCII, and cut where it is too long. */
static void test_what_is_not_text(void)
{
    g_autofree char *longest = g_strnfill(9000, 'x');
    g_auto(GStrv) lines = NULL;

    begin();
    log_notice("unix:/tmp/%s\nis up", "a\033[31m\xff\xe2\x80\xae\xc2\x9b\x7f");
    log_notice("%s", longest);
    lines = end();
    g_assert_cmpuint(g_strv_length(lines), ==, 2);
    g_assert_cmpstr(lines[0], ==,
                    "<5>netrelay: lab: unix:/tmp/a\\x1b[31m\\xff\\xe2\\x80\\xae\\xc2\\x9b\\x7f"
                    "\\x0ais up");
    g_assert_true(g_str_has_suffix(lines[1], "xxx"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/log/a-kind-is-limited", test_a_kind_is_limited);
    g_test_add_func("/log/several-kinds", test_several_kinds);
    g_test_add_func("/log/the-next-minute", test_the_next_minute);
    g_test_add_func("/log/levels", test_levels);
    g_test_add_func("/log/what-is-not-text", test_what_is_not_text);
    return g_test_run();
}
