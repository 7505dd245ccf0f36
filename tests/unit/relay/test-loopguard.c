/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loops of all kinds in played networks, each with several latencies and seeds. */
#include "played-net.h"

#define SILENCE_MS 3000 /* a network in parts */

static int guest_at(int node)
{
    int guest = add(GUEST);

    plug(guest, node);
    return guest;
}

static int first_guest(void)
{
    int i = 0;

    while (w->node[i].kind != GUEST)
        ++i;
    return i;
}

/* Two switches, each with two guests, and so many cables. */
static int n_cables;
static int last_cable;

static void many_cables(void)
{
    int one = add(SWITCH), two = add(SWITCH);

    for (unsigned i = 0; i < 2; ++i) {
        guest_at(one);
        guest_at(two);
    }
    for (int i = 0; i < n_cables; ++i)
        last_cable = plug(i % 2 ? one : two, i % 2 ? two : one);
}

static void two_cables(void)
{
    n_cables = 2;
    many_cables();
}

static void three_cables(void)
{
    n_cables = 3;
    many_cables();
}

static void ring_of(unsigned n)
{
    int nodes[NODES_MAX];

    for (unsigned i = 0; i < n; ++i) {
        nodes[i] = add(SWITCH);
        guest_at(nodes[i]);
    }
    for (unsigned i = 0; i < n; ++i)
        last_cable = plug(nodes[i], nodes[(i + 1) % n]);
}

static void ring_of_three(void)
{
    ring_of(3);
}

static void ring_of_five(void)
{
    ring_of(5);
}

static void itself(void)
{
    int node = add(SWITCH);

    guest_at(node);
    guest_at(node);
    last_cable = plug(node, node);
}

static void itself_twice(void)
{
    itself();
    plug(0, 0);
}

/* A kernel's bridge, say: it knows nothing of loops. A guest is on it, too. */
static void by_a_hub(void)
{
    int node = add(SWITCH), hub = add(HUB);

    guest_at(node);
    guest_at(hub);
    plug(node, hub);
    last_cable = plug(node, hub);
}

static void two_by_a_hub(void)
{
    int one = add(SWITCH), two = add(SWITCH), hub = add(HUB);

    guest_at(one);
    guest_at(two);
    guest_at(hub);
    plug(one, hub);
    plug(two, hub);
    last_cable = plug(one, two);
}

/* Each of four with each other one: six cables, three too many. */
static void all_with_all(void)
{
    int nodes[4];

    for (unsigned i = 0; i < 4; ++i) {
        nodes[i] = add(SWITCH);
        guest_at(nodes[i]);
    }
    for (unsigned i = 0; i < 4; ++i)
        for (unsigned k = i + 1; k < 4; ++k)
            last_cable = plug(nodes[i], nodes[k]);
}

/* Some switches, joined somehow, with more cables than are needed. */
static void at_random(void)
{
    int n = g_rand_int_range(w->rand, 2, 6);

    for (int i = 0; i < n; ++i) {
        add(SWITCH);
        if (i > 0)
            plug(i, g_rand_int_range(w->rand, 0, i));
    }
    for (int i = 0; i < n; ++i)
        guest_at(i);
    for (int i = g_rand_int_range(w->rand, 1, 5); i > 0; --i)
        last_cable = plug(g_rand_int_range(w->rand, 0, n), g_rand_int_range(w->rand, 0, n));
}

struct topology {
    const char *name;
    void (*make)(void);
};

static const struct topology topologies[] = {
    { "two-cables", two_cables },
    { "three-cables", three_cables },
    { "ring-of-three", ring_of_three },
    { "ring-of-five", ring_of_five },
    { "itself", itself },
    { "itself-twice", itself_twice },
    { "by-a-hub", by_a_hub },
    { "two-by-a-hub", two_by_a_hub },
    { "all-with-all", all_with_all },
    { "at-random", at_random },
};

static const uint64_t latencies_us[][2] = {
    { 20, 100 }, { 50, 3000 }, { 2000, 8000 }, { 20000, 40000 }, { 100000, 150000 }
};

#define SEEDS (g_test_slow() ? 100 : 3)

/* is_quick: a frame goes round in far less than a second. */
static void each_world(const struct topology *topology, void (*test)(bool is_quick))
{
    for (size_t i = 0; i < G_N_ELEMENTS(latencies_us); ++i)
        for (guint32 seed = 1; seed <= (guint32)SEEDS; ++seed) {
            world_begin(seed, latencies_us[i][0], latencies_us[i][1]);
            topology->make();
            test(latencies_us[i][1] < 10000);
            world_end();
        }
}

/* From the first frame on: few copies, blocked in time, as much as is needed, one line each. */
static void find(bool is_quick)
{
    say(first_guest());
    talk(900);
    if (is_quick)
        g_assert_cmpuint(count_blocked(), ==, count_needless());
    talk(20000);
    check_copies();
    check_gaps(0, SILENCE_MS);
    g_assert_cmpuint(count_blocked(), ==, count_needless());
    g_assert_cmpuint(count_lines(), ==, count_needless());
    check_settled();
}

static void test_find(gconstpointer topology)
{
    each_world(topology, find);
}

/* When the cable that was plugged last is taken away everybody still hears everybody, */
static void heal(bool closed)
{
    unsigned first;

    talk(2000);
    first = w->n_frames;
    cut(last_cable, closed);
    talk(8000);
    check_copies();
    check_gaps(first, SILENCE_MS);
    g_assert_cmpuint(count_blocked(), ==, count_needless());
    check_settled();
}

static void heal_closed(bool is_quick)
{
    heal(true);
}

static void heal_silent(bool is_quick)
{
    heal(false);
}

static void test_heal(gconstpointer topology)
{
    each_world(topology, heal_closed);
    each_world(topology, heal_silent);
}

/* and when it is plugged again, and goes again: each time the others need more patience. */
static void again(bool is_quick)
{
    const struct cable *cable = &w->cable[last_cable];

    cut(last_cable, true);
    talk(3000);
    for (unsigned i = 0; i < 3; ++i) {
        int plugged = plug(cable->node[0], cable->node[1]);

        talk(1500);
        if (is_quick)
            g_assert_cmpuint(count_blocked(), ==, count_needless());
        cut(plugged, true);
        talk(1500);
    }
    talk(10000);
    check_copies();
    g_assert_cmpuint(count_blocked(), ==, count_needless());
    check_settled();
}

static void test_again(gconstpointer topology)
{
    each_world(topology, again);
}

static void add_tests(const char *prefix, void (*test)(gconstpointer data))
{
    for (size_t i = 0; i < G_N_ELEMENTS(topologies); ++i) {
        g_autofree char *path = g_strdup_printf("/loopguard/%s/%s", prefix, topologies[i].name);

        g_test_add_data_func(path, &topologies[i], test);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add_tests("find", test_find);
    add_tests("heal", test_heal);
    add_tests("again", test_again);
    return g_test_run();
}
