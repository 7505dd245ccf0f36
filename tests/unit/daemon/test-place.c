/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/place.h"

static NrPlace place(const char *host, guint16 l4_port)
{
    NrPlace ret;

    g_assert_cmpint(nr_place_find(&ret, host, l4_port, NULL), ==, NR_PLACE_FOUND);
    return ret;
}

static void test_find(void)
{
    g_autoptr(GHashTable) resolved = g_hash_table_new(g_str_hash, g_str_equal);
    NrPlace found;

    g_hash_table_insert(resolved, (gpointer) "good", (gpointer) "::0001");
    g_hash_table_insert(resolved, (gpointer) "bad", (gpointer) "");
    g_hash_table_insert(resolved, (gpointer) "odd", (gpointer) "another.name");
    g_assert_cmpint(nr_place_find(&found, "good", 1, resolved), ==, NR_PLACE_FOUND);
    g_assert_cmpstr(found.host, ==, "::1");
    g_assert_cmpint(nr_place_find(&found, "bad", 1, resolved), ==, NR_PLACE_UNKNOWN);
    g_assert_cmpint(nr_place_find(&found, "odd", 1, resolved), ==, NR_PLACE_UNKNOWN);
    g_assert_cmpint(nr_place_find(&found, "new", 1, resolved), ==, NR_PLACE_RESOLVING);
    g_assert_cmpint(nr_place_find(&found, "127.0.0.01", 1, NULL), ==, NR_PLACE_RESOLVING);
    g_assert_true(nr_place_is_numeric(NULL));
    g_assert_true(nr_place_is_numeric("*"));
    g_assert_false(nr_place_is_numeric("localhost"));
}

static const struct {
    const char *a, *b;
    gboolean overlaps;
} pairs[] = {
    { "127.0.0.1", "127.0.0.1", TRUE },
    { "127.0.0.1", "127.0.0.2", FALSE },
    { "0.0.0.0", "127.0.0.1", TRUE },
    { "", "127.0.0.1", TRUE },
    { "::", "127.0.0.1", TRUE },
    { "0.0.0.0", "::1", FALSE },
    { "", "::1", TRUE },
    { "::", "::1", TRUE },
    { "0.0.0.0", "::", TRUE },
    { "", "0.0.0.0", TRUE },
    { "::1", "127.0.0.1", FALSE },
    { "0:0::1", "::1", TRUE },
};

static void test_overlaps(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(pairs); i++) {
        NrPlace a = place(pairs[i].a, 80), b = place(pairs[i].b, 80), c = place(pairs[i].b, 81);
        g_autoptr(NrPlaceIndex) index = nr_place_index_new();
        NrPlaceIter iter;

        g_assert_cmpint(nr_place_overlaps(&a, &b), ==, pairs[i].overlaps);
        g_assert_cmpint(nr_place_overlaps(&b, &a), ==, pairs[i].overlaps);
        g_assert_false(nr_place_overlaps(&a, &c));
        nr_place_index_add(index, &a, &a);
        nr_place_iter_init(&iter, index, &b);
        g_assert_cmpint(nr_place_iter_next(&iter) != NULL, ==, pairs[i].overlaps);
        nr_place_iter_init(&iter, index, &c);
        g_assert_null(nr_place_iter_next(&iter));
    }
}

/* Each overlapping group once, the equal one first, values in the order of adding. */
static void test_index(void)
{
    static const char *const hosts[] = { "127.0.0.1", "0.0.0.0", "127.0.0.2", "", "127.0.0.1" };
    g_autoptr(NrPlaceIndex) index = nr_place_index_new();
    NrPlace any = place("0.0.0.0", 80), one = place("127.0.0.1", 80);
    const NrPlaceGroup *group;
    NrPlaceIter iter;
    guint count = 0;

    for (guint i = 0; i < G_N_ELEMENTS(hosts); i++) {
        NrPlace at = place(hosts[i], 80);

        nr_place_index_add(index, &at, GUINT_TO_POINTER(i));
    }
    nr_place_iter_init(&iter, index, &one);
    group = nr_place_iter_next(&iter);
    g_assert_cmpstr(group->place.host, ==, "127.0.0.1");
    g_assert_cmpuint(group->values->len, ==, 2);
    g_assert_cmpuint(GPOINTER_TO_UINT(g_ptr_array_index(group->values, 1)), ==, 4);
    while (nr_place_iter_next(&iter))
        count++;
    g_assert_cmpuint(count, ==, 2);

    count = 0;
    nr_place_iter_init(&iter, index, &any);
    for (; (group = nr_place_iter_next(&iter)); count++)
        if (!count)
            g_assert_cmpstr(group->place.host, ==, "0.0.0.0");
    g_assert_cmpuint(count, ==, 4);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/place/find", test_find);
    g_test_add_func("/place/overlaps", test_overlaps);
    g_test_add_func("/place/index", test_index);
    return g_test_run();
}
