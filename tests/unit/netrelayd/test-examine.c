/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/examine.h"

#include <string.h>
#include "model-fixture.h"

#define HOOK "/etc/libvirt/hooks/qemu.d/50-netrelay"

/* "KIND ABOUT" of each finding, one a line; of a notice in parentheses. */
static char *found(const char *guests, const char *unannounced, const char *hook)
{
    g_autoptr(GPtrArray) all = fixture_guests(guests);
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    NrExamined examined = { .guests = all, .unannounced = names, .hook = hook, .system = TRUE };
    g_autoptr(GVariant) findings = NULL;
    GString *lines = g_string_new(NULL);

    if (unannounced)
        g_ptr_array_add(names, (gpointer)unannounced);
    findings = g_variant_ref_sink(nr_examine(&examined));
    for (gsize i = 0; i < g_variant_n_children(findings); i++) {
        g_autoptr(GVariant) finding = g_variant_get_child_value(findings, i);
        const char *level, *kind, *about, *text;
        gboolean notice;

        g_assert_true(g_variant_lookup(finding, "level", "&s", &level));
        notice = g_str_equal(level, "notice");
        g_assert_true(notice || g_str_equal(level, "fault"));
        g_assert_true(g_variant_lookup(finding, "kind", "&s", &kind));
        g_assert_true(g_variant_lookup(finding, "about", "&s", &about));
        g_assert_true(g_variant_lookup(finding, "text", "&s", &text));
        g_assert_null(strchr(text, '\n'));
        g_string_append_printf(lines, notice ? "(%s %s)\n" : "%s %s\n", kind, about);
    }
    return g_string_free(lines, FALSE);
}

static void test_conflicts(void)
{
    static const char *const cases[][2] = {
        { "defined - a: server 127.0.0.1:1\ndefined - b: server 127.0.0.1:2\n", "" },
        { "defined - a: server 127.0.0.1:1\ndefined - b: server 127.0.0.1:1\n",
          "(port-conflict b)\n" },
        { "running 3 a: server 127.0.0.1:1\ndefined - b: server :1\n", "(port-conflict b)\n" },
        { "defined - a: server 127.0.0.1:1, server 127.0.0.1:1\n", "port-conflict a\n" },
        { "defined - a: server 127.0.0.1:1\ndefined - b: client 127.0.0.1:1\n", "" },
        { "defined - a: udp 127.0.0.1:1>127.0.0.1:2\ndefined - b: udp 127.0.0.1:1>127.0.0.1:3\n",
          "" },
        { "defined - a: udp 127.0.0.1:1>127.0.0.1:2\ndefined - b: udp 127.0.0.1:3>127.0.0.1:2\n",
          "(port-conflict b)\n" },
        { "defined - a: udp 127.0.0.1:1>127.0.0.1:2\ndefined - b: server 127.0.0.1:2\n", "" },
        { "defined - a: server 127.0.0.1:1\ndefined - b: server 127.0.0.1:1\n"
          "defined - c: server 127.0.0.1:1\n",
          "(port-conflict b)\n(port-conflict c)\n" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *lines = found(cases[i][0], NULL, HOOK);

        g_assert_cmpstr(lines, ==, cases[i][1]);
    }
}

static void test_hook(void)
{
    g_autofree char *unread = found("", "a", HOOK);
    g_autofree char *without = found("", "a", NULL);
    g_autofree char *called = found("", NULL, HOOK);

    g_assert_cmpstr(unread, ==, "hook-unread " HOOK "\n");
    g_assert_cmpstr(without, ==, "");
    g_assert_cmpstr(called, ==, "");
}

static void test_ground(void)
{
    static const struct {
        NrGroundFault fault;
        const char *level, *kind, *about, *says, *cure;
    } cases[] = {
        { { (char *)"lab", (char *)"address virbr9 192.0.2.1/24", FALSE },
          "fault",
          "undone",
          "lab",
          "it is to give 192.0.2.1/24 to virbr9, and did",
          "ip address add 192.0.2.1/24 dev virbr9" },
        { { (char *)"lab", (char *)"bridge virbr9", FALSE },
          "fault",
          "undone",
          "lab",
          "the bridge virbr9",
          "netrelayctl net-destroy lab, and net-start lab, do it again" },
        { { (char *)"lab", (char *)"bridge virbr9", TRUE },
          "notice",
          "kept",
          "virbr9",
          "network lab has gone, and virbr9",
          "" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GPtrArray) none = g_ptr_array_new(), ground = g_ptr_array_new();
        NrExamined examined = { .guests = none, .unannounced = none, .ground = ground };
        g_autoptr(GVariant) findings = NULL, finding = NULL;
        const char *level, *kind, *about, *text, *cure;

        g_ptr_array_add(ground, (gpointer)&cases[i].fault);
        findings = g_variant_ref_sink(nr_examine(&examined));
        g_assert_cmpuint(g_variant_n_children(findings), ==, 1);
        finding = g_variant_get_child_value(findings, 0);
        g_variant_lookup(finding, "level", "&s", &level);
        g_variant_lookup(finding, "kind", "&s", &kind);
        g_variant_lookup(finding, "about", "&s", &about);
        g_variant_lookup(finding, "text", "&s", &text);
        g_variant_lookup(finding, "cure", "&s", &cure);
        g_assert_cmpstr(level, ==, cases[i].level);
        g_assert_cmpstr(kind, ==, cases[i].kind);
        g_assert_cmpstr(about, ==, cases[i].about);
        g_assert_nonnull(strstr(text, cases[i].says));
        g_assert_cmpstr(cure, ==, cases[i].cure);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/examine/conflicts", test_conflicts);
    g_test_add_func("/examine/hook", test_hook);
    g_test_add_func("/examine/ground", test_ground);
    return g_test_run();
}
