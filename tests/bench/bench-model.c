/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long a pass decides over a lab of guests with four NICs each: from nothing, and again. */
#include <stdio.h>
#include <stdlib.h>

#include "model-fixture.h"

#define ROUNDS 50

static int compare_times(const void *a, const void *b)
{
    gint64 first = *(const gint64 *)a, second = *(const gint64 *)b;

    return first < second ? -1 : first > second;
}

static void report(const char *what, guint guests, gint64 times_us[ROUNDS])
{
    qsort(times_us, ROUNDS, sizeof(times_us[0]), compare_times);
    printf("%-8s %5u guests %6u NICs: best %6.2f ms, median %6.2f ms, worst %6.2f ms\n", what,
           guests, guests * 4, times_us[0] / 1000.0, times_us[ROUNDS / 2] / 1000.0,
           times_us[ROUNDS - 1] / 1000.0);
}

static void measure(const char *what, FixtureLab lab, guint count)
{
    static const NrPolicy policy = { .system = TRUE, .hooked = TRUE };
    g_autoptr(GPtrArray) guests = fixture_lab(lab, count);
    g_autoptr(GPtrArray) networks = fixture_lab_networks(20);
    g_autofree char *again = g_strconcat(what, "/2", NULL);
    gint64 first_us[ROUNDS], second_us[ROUNDS];

    for (guint i = 0; i < ROUNDS; i++) {
        g_autoptr(NrActual) actual = nr_actual_new();
        gint64 start_us = g_get_monotonic_time();
        g_autoptr(NrDesired) desired = fixture_decide(guests, networks, &policy);
        g_autoptr(GPtrArray) plan = nr_plan_new(desired, actual);
        g_autoptr(GPtrArray) second = NULL;

        first_us[i] = g_get_monotonic_time() - start_us;
        fixture_apply(actual, plan);
        start_us = g_get_monotonic_time();
        second = nr_plan_new(desired, actual);
        second_us[i] = g_get_monotonic_time() - start_us;
    }
    report(what, count, first_us);
    report(again, count, second_us);
}

int main(void)
{
    printf("a pass: who meets whom and the plan; /2: a second plan, with nothing to do\n");
    measure("mixed", FIXTURE_MIXED, 100);
    measure("mixed", FIXTURE_MIXED, 500);
    measure("mixed", FIXTURE_MIXED, 2000);
    measure("crowded", FIXTURE_CROWDED, 500);
    return 0;
}
