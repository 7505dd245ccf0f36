/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Switches, plain hubs and guests, joined by cables that take their time: played in memory, with
 * time that passes as fast as it can. Every guest says a numbered broadcast now and then, and
 * counts what it hears. Each topology is played with several latencies and seeds.
 */
#include <glib.h>
#include <string.h>
#include "relay/shared.h"
#include "relay/vswitch.h"

#define NODES_MAX  12
#define PORTS_MAX  10
#define CABLES_MAX 24
#define FRAMES_MAX 4096
#define EVENTS_MAX 2000000 /* more: it melts */
#define EVERY_MS   100     /* each guest says something */
#define COPIES_MAX 16
#define TYPE       0x88b6

enum kind { SWITCH, HUB, GUEST };

struct node {
    enum kind kind;
    struct vswitch *sw;
    struct fdb_table *table;
    int cable[PORTS_MAX]; /* -1: none */
    unsigned n_ports;
    unsigned blocks, opens, loops; /* what the switch told of */
    unsigned probes;               /* that reached a guest */
    uint16_t heard[FRAMES_MAX];    /* by number of the frame */
};

struct cable {
    int node[2];
    uint16_t port[2];
    bool cut;
    uint64_t last_us[2]; /* a cable keeps order */
};

struct event {
    uint64_t at_us;
    uint64_t serial;
    int node;
    uint16_t port;
    uint8_t data[FRAME_PAD];
};

struct world {
    GRand *rand;
    GSequence *events;
    uint64_t now_us, serial, played;
    uint64_t latency_us[2];
    struct node node[NODES_MAX];
    struct cable cable[CABLES_MAX];
    unsigned n_nodes, n_cables, n_frames;
    uint64_t said_us[FRAMES_MAX];
    int said_by[FRAMES_MAX];
};

static struct world *w;

static gint event_compare(gconstpointer a, gconstpointer b, gpointer data)
{
    const struct event *one = a, *two = b;

    if (one->at_us != two->at_us)
        return one->at_us < two->at_us ? -1 : 1;
    return one->serial < two->serial ? -1 : 1;
}

static void on_loop(struct vswitch *sw, uint16_t slot, enum loopguard_change what, uint16_t other)
{
    for (unsigned i = 0; i < w->n_nodes; ++i) {
        struct node *node = &w->node[i];

        if (node->sw != sw)
            continue;
        node->blocks += what == LOOPGUARD_BLOCKS;
        node->opens += what == LOOPGUARD_OPENS;
        node->loops += what == LOOPGUARD_LOOPS;
    }
}

static void world_begin(guint32 seed, uint64_t least_us, uint64_t most_us)
{
    w = g_new0(struct world, 1);
    w->rand = g_rand_new_with_seed(seed);
    w->events = g_sequence_new(g_free);
    w->now_us = 10000000;
    w->latency_us[0] = least_us;
    w->latency_us[1] = most_us;
}

static void world_end(void)
{
    for (unsigned i = 0; i < w->n_nodes; ++i) {
        g_free(w->node[i].sw);
        g_free(w->node[i].table);
    }
    g_sequence_free(w->events);
    g_rand_free(w->rand);
    g_clear_pointer(&w, g_free);
}

static uint64_t random_64(void)
{
    return (uint64_t)g_rand_int(w->rand) << 32 | g_rand_int(w->rand);
}

static int add(enum kind kind)
{
    struct node *node = &w->node[w->n_nodes];
    uint64_t key[2] = { random_64(), random_64() };

    g_assert_cmpuint(w->n_nodes, <, NODES_MAX);
    node->kind = kind;
    memset(node->cable, -1, sizeof(node->cable));
    if (kind == SWITCH) {
        node->table = g_new0(struct fdb_table, 1);
        node->sw = g_new0(struct vswitch, 1);
        node->sw->now_ms = w->now_us / 1000;
        vswitch_init(node->sw, node->table, random_64(), key);
        node->sw->on_loop = on_loop;
    }
    return (int)w->n_nodes++;
}

static const struct port_options no_options;

/* Plugs a cable between two nodes, or a node and itself; returns it. */
static int plug(int one, int two)
{
    struct cable *cable = &w->cable[w->n_cables];
    int ends[] = { one, two };

    g_assert_cmpuint(w->n_cables, <, CABLES_MAX);
    for (unsigned i = 0; i < 2; ++i) {
        struct node *node = &w->node[ends[i]];

        g_assert_cmpuint(node->n_ports, <, PORTS_MAX);
        cable->node[i] = ends[i];
        cable->port[i] = (uint16_t)node->n_ports;
        node->cable[node->n_ports] = (int)w->n_cables;
        if (node->kind == SWITCH)
            vswitch_open_port(node->sw, (uint16_t)node->n_ports, node->n_ports + 1, &no_options,
                              NULL);
        ++node->n_ports;
    }
    return (int)w->n_cables++;
}

/* closed: both ends see it at once, as with a connection; otherwise nothing passes, that is all. */
static void cut(int number, bool closed)
{
    struct cable *cable = &w->cable[number];

    cable->cut = true;
    for (unsigned i = 0; closed && i < 2; ++i)
        if (w->node[cable->node[i]].kind == SWITCH)
            vswitch_close_port(w->node[cable->node[i]].sw, cable->port[i]);
}

static void put(int node, uint16_t port, const uint8_t *data)
{
    struct cable *cable =
        w->node[node].cable[port] >= 0 ? &w->cable[w->node[node].cable[port]] : NULL;
    unsigned end;
    struct event *event;

    if (!cable || cable->cut)
        return;
    end = cable->node[0] == node && cable->port[0] == port ? 1 : 0;
    event = g_new0(struct event, 1);
    event->at_us = w->now_us + (uint64_t)g_rand_int_range(w->rand, (gint32)w->latency_us[0],
                                                          (gint32)w->latency_us[1] + 1);
    event->at_us = MAX(event->at_us, cable->last_us[end]);
    cable->last_us[end] = event->at_us;
    event->serial = ++w->serial;
    event->node = cable->node[end];
    event->port = cable->port[end];
    memcpy(event->data, data, sizeof(event->data));
    g_sequence_insert_sorted(w->events, event, event_compare, NULL);
}

static void send_probes(int number)
{
    struct loopguard *guard = &w->node[number].sw->guard;

    for (uint32_t i = 0; i < guard->n_out; ++i)
        put(number, guard->out[i].slot, guard->out[i].frame);
    guard->n_out = 0;
}

static void flood(int number, int in, const uint8_t *data)
{
    struct node *node = &w->node[number];

    for (uint16_t port = 0; port < node->n_ports; ++port)
        if (port != in && (!node->sw || !loopguard_is_blocked(&node->sw->guard, port)))
            put(number, port, data);
}

static void arrive_at_switch(const struct event *event)
{
    struct vswitch *sw = w->node[event->node].sw;
    struct frame frame = { .data = event->data, .len = sizeof(event->data) };
    struct port_counters rx;
    uint16_t out;

    sw->now_ms = w->now_us / 1000;
    out = vswitch_input(sw, event->port, frame, &rx);
    if (out == VERDICT_FLOOD)
        flood(event->node, event->port, event->data);
    else if (out != VERDICT_NONE && !loopguard_is_blocked(&sw->guard, out))
        put(event->node, out, event->data);
    send_probes(event->node);
}

static void arrive(const struct event *event)
{
    struct node *node = &w->node[event->node];
    uint16_t number;

    switch (node->kind) {
    case SWITCH:
        arrive_at_switch(event);
        break;
    case HUB:
        flood(event->node, event->port, event->data);
        break;
    case GUEST:
        if (event->data[13] == (TYPE & 0xff)) {
            memcpy(&number, event->data + 14, sizeof(number));
            ++node->heard[number];
        } else {
            ++node->probes;
        }
        break;
    }
}

/* The next thing: a frame arrives, or a guard has something to do. False: later than that. */
static bool play_next(uint64_t until_us)
{
    GSequenceIter *first = g_sequence_get_begin_iter(w->events);
    struct event *event = g_sequence_iter_is_end(first) ? NULL : g_sequence_get(first);
    uint64_t at_us = event ? event->at_us : UINT64_MAX;
    int tick = -1;

    for (unsigned i = 0; i < w->n_nodes; ++i) {
        const struct vswitch *sw = w->node[i].sw;

        if (sw && sw->guard.due_ms && sw->guard.due_ms * 1000 < at_us) {
            tick = (int)i;
            at_us = sw->guard.due_ms * 1000;
        }
    }
    if (at_us > until_us)
        return false;
    g_assert_cmpuint(++w->played, <, EVENTS_MAX);
    w->now_us = MAX(w->now_us, at_us);
    if (tick >= 0) {
        loopguard_tick(&w->node[tick].sw->guard, w->now_us / 1000);
        send_probes(tick);
    } else {
        arrive(event);
        g_sequence_remove(first);
    }
    return true;
}

static void play(uint64_t ms)
{
    uint64_t until_us = w->now_us + ms * 1000;

    while (play_next(until_us))
        ;
    w->now_us = until_us;
}

/* A broadcast; its number. */
static unsigned say(int guest)
{
    uint8_t data[FRAME_PAD] = { 0xff, 0xff, 0xff, 0xff, 0xff,           0xff,      0x52,
                                0x54, 0,    0,    0,    (uint8_t)guest, TYPE >> 8, TYPE & 0xff };
    uint16_t number = (uint16_t)w->n_frames;

    g_assert_cmpuint(w->n_frames, <, FRAMES_MAX);
    memcpy(data + 14, &number, sizeof(number));
    w->said_us[number] = w->now_us;
    w->said_by[number] = guest;
    ++w->n_frames;
    put(guest, 0, data);
    return number;
}

/* All guests talk for so long. */
static void talk(uint64_t ms)
{
    for (uint64_t at = 0; at < ms; at += EVERY_MS) {
        for (unsigned i = 0; i < w->n_nodes; ++i)
            if (w->node[i].kind == GUEST && w->node[i].cable[0] >= 0)
                say((int)i);
        play(EVERY_MS);
    }
}

static unsigned count_blocked(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < w->n_nodes; ++i)
        for (uint16_t port = 0; w->node[i].sw && port < w->node[i].n_ports; ++port)
            n += loopguard_is_blocked(&w->node[i].sw->guard, port);
    return n;
}

static unsigned count_lines(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < w->n_nodes; ++i)
        n += w->node[i].blocks + w->node[i].opens + w->node[i].loops;
    return n;
}

/* A guest of a switch: what a hub repeats is the hub's affair. */
static bool is_ours(const struct node *guest)
{
    const struct cable *cable = &w->cable[guest->cable[0]];

    return w->node[cable->node[0]].kind == SWITCH || w->node[cable->node[1]].kind == SWITCH;
}

/* Nobody heard anything more than so often, and no guest of ours a probe. */
static void check_copies(unsigned most)
{
    for (unsigned i = 0; i < w->n_nodes; ++i) {
        if (w->node[i].kind != GUEST)
            continue;
        for (unsigned n = 0; n < w->n_frames; ++n)
            g_assert_cmpuint(w->node[i].heard[n], <=, most);
        if (is_ours(&w->node[i]))
            g_assert_cmpuint(w->node[i].probes, ==, 0);
    }
}

/* No guest missed another one's frames for longer than that, from frame `first` on. */
static void check_gaps(unsigned first, uint64_t most_ms)
{
    for (unsigned i = 0; i < w->n_nodes; ++i) {
        uint64_t last_us[NODES_MAX] = { 0 };

        for (unsigned n = first; w->node[i].kind == GUEST && n < w->n_frames; ++n) {
            uint64_t *last = &last_us[w->said_by[n]];

            if (w->said_by[n] == (int)i)
                continue;
            if (w->node[i].heard[n] || !*last)
                *last = w->said_us[n];
            g_assert_cmpuint(w->said_us[n] - *last, <=, most_ms * 1000);
        }
    }
}

/* By now everything is heard exactly once. */
static void check_settled(void)
{
    unsigned first = w->n_frames;

    talk(500);
    play(2000);
    for (unsigned n = first; n < w->n_frames; ++n)
        for (unsigned i = 0; i < w->n_nodes; ++i)
            if (w->node[i].kind == GUEST && w->node[i].cable[0] >= 0)
                g_assert_cmpuint(w->node[i].heard[n], ==, w->said_by[n] != (int)i);
}

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

struct topology {
    const char *name;
    void (*make)(void);
    unsigned blocked; /* ports, in the end */
};

static const struct topology topologies[] = {
    { "two-cables", two_cables, 1 },
    { "three-cables", three_cables, 2 },
    { "ring-of-three", ring_of_three, 1 },
    { "ring-of-five", ring_of_five, 1 },
    { "itself", itself, 1 },
    { "itself-twice", itself_twice, 2 },
    { "by-a-hub", by_a_hub, 1 },
    { "two-by-a-hub", two_by_a_hub, 1 },
    { "all-with-all", all_with_all, 3 },
};

static const uint64_t latencies_us[][2] = {
    { 20, 100 }, { 50, 3000 }, { 2000, 8000 }, { 20000, 40000 }, { 100000, 150000 }
};

#define SEEDS 20

static void each_world(const struct topology *topology,
                       void (*test)(const struct topology *topology, bool is_quick))
{
    for (size_t i = 0; i < G_N_ELEMENTS(latencies_us); ++i)
        for (guint32 seed = 1; seed <= SEEDS; ++seed) {
            world_begin(seed, latencies_us[i][0], latencies_us[i][1]);
            topology->make();
            test(topology, latencies_us[i][1] < 10000);
            world_end();
        }
}

/* From the first frame on: few copies, blocked in time, as much as is needed, and no more. */
static void find(const struct topology *topology, bool is_quick)
{
    say(first_guest());
    play(1000);
    if (is_quick)
        g_assert_cmpuint(count_blocked(), ==, topology->blocked);
    talk(20000);
    check_copies(COPIES_MAX);
    check_gaps(0, 3000);
    g_assert_cmpuint(count_blocked(), ==, topology->blocked);
    g_assert_cmpuint(count_lines(), ==, topology->blocked);
    check_settled();
}

static void test_find(gconstpointer data)
{
    each_world(data, find);
}

/* When the cable that was plugged last is taken away again everybody still hears everybody. */
static void heal(const struct topology *topology, bool closed)
{
    unsigned first;

    talk(2000);
    first = w->n_frames;
    cut(last_cable, closed);
    talk(8000);
    check_copies(COPIES_MAX);
    check_gaps(first, 4000);
    check_settled();
}

static void test_heal(gconstpointer data)
{
    each_world(data, heal);
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
    return g_test_run();
}
