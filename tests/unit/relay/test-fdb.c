/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib.h>
#include <string.h>
#include "relay/fdb.h"

struct fixture {
    struct fdb_table *table;
    struct fdb *fdb;
};

static void set_up(struct fixture *f, gconstpointer unused)
{
    f->table = g_new0(struct fdb_table, 1);
    f->fdb = g_new0(struct fdb, 1);
    f->table->seed = 0x123456789abcdef;
    fdb_init(f->fdb, f->table);
}

static void tear_down(struct fixture *f, gconstpointer unused)
{
    g_free(f->fdb);
    g_free(f->table);
}

static struct mac mac_of(uint32_t n)
{
    struct mac mac = { { 0x52, 0x54, n >> 24 & 0xff, n >> 16 & 0xff, n >> 8 & 0xff, n & 0xff } };

    return mac;
}

static void test_learn_and_move(struct fixture *f, gconstpointer unused)
{
    g_assert_cmpuint(fdb_find(f->fdb, mac_of(1), 10), ==, FDB_NONE);
    fdb_learn(f->fdb, mac_of(1), 3, 10);
    g_assert_cmpuint(fdb_find(f->fdb, mac_of(1), 10), ==, 3);
    fdb_learn(f->fdb, mac_of(1), 0, 11);
    g_assert_cmpuint(fdb_find(f->fdb, mac_of(1), 11), ==, 0);
    g_assert_cmpuint(f->fdb->count[3], ==, 0);
    g_assert_cmpuint(f->fdb->count[0], ==, 1);
    g_assert_cmpuint(fdb_find(f->fdb, mac_of(2), 11), ==, FDB_NONE);
}

static void test_age(struct fixture *f, gconstpointer unused)
{
    fdb_learn(f->fdb, mac_of(1), 3, 1000);
    g_assert_cmpuint(fdb_find(f->fdb, mac_of(1), 1000 + FDB_AGE_S), ==, 3);
    fdb_learn(f->fdb, mac_of(1), 3, 1200); /* a frame makes it young again */
    g_assert_cmpuint(fdb_find(f->fdb, mac_of(1), 1200 + FDB_AGE_S), ==, 3);
    g_assert_cmpuint(fdb_find(f->fdb, mac_of(1), 1201 + FDB_AGE_S), ==, FDB_NONE);
    g_assert_cmpuint(f->fdb->count[3], ==, 0);
}

static void test_impossible_sources(struct fixture *f, gconstpointer unused)
{
    static const struct mac wrong[] = { { { 0 } },
                                        { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } },
                                        { { 0x01, 0, 0x5e, 0, 0, 1 } } };

    for (size_t i = 0; i < G_N_ELEMENTS(wrong); ++i) {
        fdb_learn(f->fdb, wrong[i], 3, 10);
        g_assert_cmpuint(fdb_find(f->fdb, wrong[i], 10), ==, FDB_NONE);
    }
    fdb_learn(f->fdb, mac_of(1), FDB_PORTS, 10);
    g_assert_cmpuint(fdb_find(f->fdb, mac_of(1), 10), ==, FDB_NONE);
}

/* Each of these must stay known: talkers of other ports, and newcomers during the flood. */
static void test_a_flood_evicts_itself(struct fixture *f, gconstpointer unused)
{
    const uint32_t talkers = 1000, twice = GPOINTER_TO_INT(unused);

    for (uint32_t i = 0; i < talkers; ++i) {
        fdb_learn(f->fdb, mac_of(i), (uint16_t)(i % 7), 10);
        fdb_learn(f->fdb, mac_of(i), (uint16_t)(i % 7), 10);
    }
    for (uint32_t i = 0; i < 200000; ++i) {
        fdb_learn(f->fdb, mac_of(0x10000000 + i), 9, 11);
        if (twice)
            fdb_learn(f->fdb, mac_of(0x10000000 + i), 9, 11);
    }
    for (uint32_t i = 0; i < talkers; ++i)
        g_assert_cmpuint(fdb_find(f->fdb, mac_of(i), 12), ==, i % 7);
    for (uint32_t i = 0; i < 100; ++i) {
        fdb_learn(f->fdb, mac_of(0x20000000 + i), 8, 12);
        g_assert_cmpuint(fdb_find(f->fdb, mac_of(0x20000000 + i), 12), ==, 8);
    }
}

/* A station behind the flooding port itself is kept as long as somebody talks to it. */
static void test_a_flood_beside_its_own_talker(struct fixture *f, gconstpointer unused)
{
    fdb_learn(f->fdb, mac_of(1), 9, 10);
    g_assert_cmpuint(fdb_find(f->fdb, mac_of(1), 10), ==, 9);
    for (uint32_t i = 0; i < 200000; ++i)
        fdb_learn(f->fdb, mac_of(0x10000000 + i), 9, 11);
    g_assert_cmpuint(fdb_find(f->fdb, mac_of(1), 11), ==, 9);
}

static void test_forget_port(struct fixture *f, gconstpointer unused)
{
    for (uint32_t i = 0; i < 100; ++i)
        fdb_learn(f->fdb, mac_of(i), (uint16_t)(i % 2), 10);
    fdb_forget_port(f->fdb, 1);
    for (uint32_t i = 0; i < 100; ++i)
        g_assert_cmpuint(fdb_find(f->fdb, mac_of(i), 10), ==, i % 2 ? FDB_NONE : 0);
    g_assert_cmpuint(f->fdb->count[1], ==, 0);
}

/* A successor finds what was learned; what makes no sense is gone. */
static void test_taken_over(struct fixture *f, gconstpointer unused)
{
    struct fdb *heir = g_new0(struct fdb, 1);

    fdb_learn(f->fdb, mac_of(1), 5, 10);
    f->table->entry[7] = 0x1234567890ab0000ull | 0xffff; /* a port that cannot be */
    fdb_init(heir, f->table);
    g_assert_cmpuint(fdb_find(heir, mac_of(1), 10), ==, 5);
    g_assert_cmpuint(heir->count[5], ==, 1);
    g_assert_cmpuint(f->table->entry[7], ==, 0);
    g_free(heir);
}

#define ADD(name, data, function)                                                                  \
    g_test_add(name, struct fixture, GINT_TO_POINTER(data), set_up, function, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("/fdb/learn-and-move", 0, test_learn_and_move);
    ADD("/fdb/age", 0, test_age);
    ADD("/fdb/impossible-sources", 0, test_impossible_sources);
    ADD("/fdb/a-flood-evicts-itself", 0, test_a_flood_evicts_itself);
    ADD("/fdb/a-flood-of-confirmed-evicts-itself", 1, test_a_flood_evicts_itself);
    ADD("/fdb/a-flood-beside-its-own-talker", 0, test_a_flood_beside_its_own_talker);
    ADD("/fdb/forget-port", 0, test_forget_port);
    ADD("/fdb/taken-over", 0, test_taken_over);
    return g_test_run();
}
