/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of ours: what is in it, and that others' rules are as they were. */
#include <errno.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include "changes.h"
#include "common/scope.h"
#include "net/nat.h"
#include "netns.h"

#define V4 "10.0.9.1/24"
#define V6 "fd00:9::1/64,eth0"

static char *ruleset(void)
{
    char *text = NULL;
    int status;

    g_assert_true(g_spawn_command_line_sync("nft list ruleset", &text, NULL, &status, NULL));
    g_assert_cmpint(status, ==, 0);
    return text;
}

static void nft(const char *commands)
{
    const char *argv[] = { "nft", commands, NULL };
    int status;

    g_assert_true(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL,
                               NULL, &status, NULL));
    g_assert_cmpint(status, ==, 0);
}

static gboolean is_set(const char *device, const char *value)
{
    bool there = false;

    g_assert_cmpint(nat_is_set(device, value, &there), ==, 0);
    return there;
}

static void test_round(void)
{
    g_autofree char *text = NULL, *empty = ruleset(), *after = NULL;

    g_assert_false(is_set("br0", V4));
    g_assert_cmpint(nat_remove("br0", V4), ==, 0); /* nothing is there at all */
    g_assert_cmpint(nat_add("br0", V4), ==, 0);
    g_assert_cmpint(nat_add("br0", V6), ==, 0);
    text = ruleset();
    g_assert_cmpstr(text, ==,
                    "table inet netrelay {\n"
                    "\tchain postrouting {\n"
                    "\t\ttype nat hook postrouting priority srcnat; policy accept;\n"
                    "\t\tip saddr 10.0.9.0/24 oifname != \"br0\" masquerade comment \"br0 " V4
                    "\"\n"
                    "\t\tip6 saddr fd00:9::/64 oifname \"eth0\" masquerade comment \"br0 " V6 "\"\n"
                    "\t}\n"
                    "}\n");
    g_assert_true(is_set("br0", V4) && is_set("br0", V6));
    g_assert_cmpint(nat_remove("br0", V4), ==, 0);
    g_assert_cmpint(nat_remove("br0", V4), ==, 0);
    g_assert_true(!is_set("br0", V4) && is_set("br0", V6));
    g_assert_cmpint(nat_remove("br0", V6), ==, 0);
    after = ruleset();
    g_assert_cmpstr(after, ==, empty);
}

/* One whose words begin alike is another one. */
static void test_told_apart(void)
{
    g_assert_cmpint(nat_add("br0", V4 ",eth0"), ==, 0);
    g_assert_false(is_set("br0", V4));
    g_assert_false(is_set("r0", V4 ",eth0"));
    g_assert_false(is_set("br0", V4 ",eth"));
    g_assert_cmpint(nat_remove("br0", V4), ==, 0);
    g_assert_true(is_set("br0", V4 ",eth0"));
    g_assert_cmpint(nat_remove("br0", V4 ",eth0"), ==, 0);
}

static void test_of_others(void)
{
    static const char theirs[] =
        "add table ip nat; add chain ip nat POSTROUTING { type nat hook postrouting priority 100; "
        "};"
        "add rule ip nat POSTROUTING ip saddr 10.0.9.0/24 masquerade comment \"br0 " V4 "\"";
    g_autofree char *before = NULL, *after = NULL, *kept = NULL;

    nft(theirs);
    before = ruleset();
    g_assert_false(is_set("br0", V4));
    g_assert_cmpint(nat_add("br0", V4), ==, 0);
    g_assert_cmpint(nat_remove("br0", V4), ==, 0);
    after = ruleset();
    g_assert_cmpstr(after, ==, before);

    /* Somebody's rule and chain in our table. */
    g_assert_cmpint(nat_add("br0", V4), ==, 0);
    nft("add chain inet netrelay mine; add rule inet netrelay mine counter");
    g_assert_cmpint(nat_remove("br0", V4), ==, 0);
    kept = ruleset();
    g_assert_nonnull(strstr(kept, "chain mine"));
    g_assert_false(is_set("br0", V4));
    nft("flush ruleset");
    g_assert_cmpint(nat_remove("br0", V4), ==, 0);
}

/* What somebody has called by our name, and is none. */
static void test_in_the_way(void)
{
    nft("add table inet netrelay; add chain inet netrelay postrouting { type filter hook input "
        "priority 0; }");
    g_assert_cmpint(nat_add("br0", V4), <, 0);
    g_assert_false(is_set("br0", V4));
    nft("flush ruleset");
}

/* What is data never becomes a command. */
static void test_refused(void)
{
    static const struct {
        const char *device, *value;
    } cases[] = {
        { "br*", V4 },
        { "br\"; flush ruleset; \"", V4 },
        { "", V4 },
        { "br0", "10.0.9.1" },
        { "br0", "any" },
        { "br0", "10.0.9.1/33" },
        { "br0", "10.0.9.1/24," },
        { "br0", "10.0.9.1/24,eth*" },
        { "br0", "10.0.9.1/24,eth0123456789012" },
        { "br0", "10.0.9.1/24 accept" },
        { "br0", "fd00:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000/64" },
    };
    g_autofree char *before = ruleset(), *after = NULL;

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        g_assert_cmpint(nat_add(cases[i].device, cases[i].value), ==, -EINVAL);
    after = ruleset();
    g_assert_cmpstr(after, ==, before);
}

static void test_laid(void)
{
    static const char *const texts[] = { "bridge br0", "address br0 " V4, "nat br0 " V4,
                                         "nat br0 " V6, NULL };
    static const char *const bad[] = { "nat br0 " V4, "nat br0 10.0.9.1", NULL };
    _cleanup_(freep) struct journal *journal = changes_reopen();
    g_autofree char *before = changes_host_text(), *after = NULL, *back = NULL;

    g_assert_cmpint(changes_lay(journal, bad), ==, -EINVAL);
    back = changes_host_text();
    changes_assert_same(back, before);
    changes_lay_anew(texts);
    changes_lay_anew(texts);
    g_assert_true(is_set("br0", V4) && is_set("br0", V6));
    nft("flush ruleset"); /* as a firewall's restart may do: it stays gone */
    changes_lay_anew(texts);
    g_assert_false(is_set("br0", V4));
    changes_lift_anew();
    after = changes_host_text();
    changes_assert_same(after, before);
}

static void test_kills(void)
{
    static const char *const texts[] = { "nat br0 " V4, NULL };

    if (!changes_skip_without_ptrace())
        changes_check_kills(texts, 10);
}

int main(int argc, char **argv)
{
    int status;

    g_test_init(&argc, &argv, NULL);
    changes_begin();
    g_test_add_func("/nat/round", test_round);
    g_test_add_func("/nat/told-apart", test_told_apart);
    g_test_add_func("/nat/of-others", test_of_others);
    g_test_add_func("/nat/in-the-way", test_in_the_way);
    g_test_add_func("/nat/refused", test_refused);
    g_test_add_func("/nat/laid", test_laid);
    g_test_add_func("/nat/kills", test_kills);
    status = g_test_run();
    changes_end();
    return status;
}
