/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "desired-row.h"

#include <string.h>

static void check_sentences(const NrDesired *desired)
{
    for (guint i = 0; i < desired->bindings->len; i++) {
        const NrBinding *binding = g_ptr_array_index(desired->bindings, i);
        g_autofree char *label = nr_nic_label(binding->nic);

        g_assert_true((binding->kind == NR_BINDING_SERVED) == !binding->reason);
        g_assert_true((binding->kind == NR_BINDING_SERVED) == (binding->endpoint != NULL));
        g_assert_true((binding->kind == NR_BINDING_DIRECT) == (binding->peer_guest != NULL));
        if (!binding->reason)
            continue;
        g_assert_false(g_str_has_suffix(binding->reason, "."));
        g_assert_null(strchr(binding->reason, '\n'));
        if (binding->kind != NR_BINDING_REFUSED)
            continue;
        g_assert_nonnull(strstr(binding->reason, binding->guest->name));
        g_assert_nonnull(strstr(binding->reason, label));
    }
}

/* The second plan after a whole pass is empty. */
static void check_plan(const NrDesired *desired)
{
    g_autoptr(NrActual) actual = nr_actual_new();
    g_autoptr(GPtrArray) first = nr_plan_new(desired, actual);
    g_autoptr(GPtrArray) second = NULL;
    g_autofree char *left = NULL;

    fixture_apply(actual, first);
    second = nr_plan_new(desired, actual);
    left = fixture_show_plan(second);
    g_assert_cmpstr(left, ==, "");
}

void desired_check_words(const NrDesired *desired, const char *says)
{
    g_auto(GStrv) lines = g_strsplit(says ? says : "", "\n", -1);

    for (char **line = lines; *line && **line; line++) {
        g_auto(GStrv) parts = g_strsplit(*line, ": ", 2);
        g_auto(GStrv) words = g_strsplit(parts[1], "|", -1);
        const NrBinding *binding = fixture_binding(desired, parts[0]);

        for (char **word = words; *word; word++)
            if (!strstr(binding->reason, *word))
                g_error("\"%s\" is not in: %s", *word, binding->reason);
        g_test_message("%s", binding->reason);
    }
}

/* The same world, however its guests are listed. */
static void check_order(const GPtrArray *guests, const GPtrArray *networks, const NrPolicy *policy,
                        const char *expected)
{
    g_autoptr(GPtrArray) reversed = g_ptr_array_new();
    g_autoptr(NrDesired) desired = NULL;
    g_autofree char *shown = NULL;

    for (guint i = guests->len; i > 0; i--)
        g_ptr_array_add(reversed, g_ptr_array_index(guests, i - 1));
    desired = fixture_decide(reversed, networks, policy);
    shown = fixture_show(desired);
    g_assert_cmpstr(shown, ==, expected);
}

static char **words_of(const char *list)
{
    return list ? g_strsplit(list, ";", -1) : NULL;
}

static void test_row(gconstpointer data)
{
    const DesiredRow *row = data;
    g_auto(GStrv) bridges = words_of(row->bridges), peers = words_of(row->peers);
    g_auto(GStrv) addresses = words_of(row->addresses), ports = words_of(row->ports);
    NrPolicy policy = { .implicit = row->implicit,
                        .system = !row->session,
                        .bridges = bridges,
                        .peers = peers,
                        .addresses = addresses,
                        .ports = ports,
                        .hooked = !row->unhooked,
                        .config = (char *)"/etc/netrelay/netrelayd.conf" };
    g_autoptr(GPtrArray) guests = fixture_guests(row->guests);
    g_autoptr(GPtrArray) networks = fixture_networks(row->files);
    g_autoptr(NrDesired) desired = fixture_decide(guests, networks, &policy);
    g_autofree char *shown = fixture_show(desired);

    g_assert_cmpstr(shown, ==, row->expected);
    check_sentences(desired);
    desired_check_words(desired, row->says);
    check_order(guests, networks, &policy, row->expected);
    check_plan(desired);
}

void desired_rows_add(const char *folder, const DesiredRow *rows, gsize count)
{
    for (gsize i = 0; i < count; i++) {
        g_autofree char *path = g_strdup_printf("/desired/%s/%s", folder, rows[i].name);

        g_test_add_data_func(path, &rows[i], test_row);
    }
}
