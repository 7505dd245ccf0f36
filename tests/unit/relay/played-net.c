/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "played-net.h"

#include <string.h>
#include "relay/shared.h"

#define EVENTS_MAX  2000000 /* more: it melts */
#define EVERY_MS    100     /* each guest says something */
#define COPIES_MAX  16
#define SLOW_US     100000
#define COPIES_SLOW 24 /* where a round takes long, more of them may be frames of their own right */
#define TYPE        0x88b6

struct event {
    uint64_t at_us;
    uint64_t serial;
    int node;
    uint16_t port;
    uint8_t data[FRAME_PAD];
};

struct world *w;

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

void world_begin(guint32 seed, uint64_t least_us, uint64_t most_us)
{
    w = g_new0(struct world, 1);
    w->rand = g_rand_new_with_seed(seed);
    w->events = g_sequence_new(g_free);
    w->now_us = 10000000;
    w->latency_us[0] = least_us;
    w->latency_us[1] = most_us;
}

void world_end(void)
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

int add(enum kind kind)
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

int plug(int one, int two)
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
                              NULL, NULL);
        ++node->n_ports;
    }
    return (int)w->n_cables++;
}

void cut(int number, bool closed)
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

void play(uint64_t ms)
{
    uint64_t until_us = w->now_us + ms * 1000;

    while (play_next(until_us))
        ;
    w->now_us = until_us;
}

void say(int guest)
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
}

void talk(uint64_t ms)
{
    for (uint64_t at = 0; at < ms; at += EVERY_MS) {
        for (unsigned i = 0; i < w->n_nodes; ++i)
            if (w->node[i].kind == GUEST && w->node[i].cable[0] >= 0)
                say((int)i);
        play(EVERY_MS);
    }
}

unsigned count_blocked(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < w->n_nodes; ++i)
        for (uint16_t port = 0; w->node[i].sw && port < w->node[i].n_ports; ++port)
            n += loopguard_is_blocked(&w->node[i].sw->guard, port);
    return n;
}

unsigned count_lines(void)
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

void check_copies(void)
{
    unsigned most = w->latency_us[1] < SLOW_US ? COPIES_MAX : COPIES_SLOW;

    for (unsigned i = 0; i < w->n_nodes; ++i) {
        if (w->node[i].kind != GUEST)
            continue;
        for (unsigned n = 0; n < w->n_frames; ++n)
            g_assert_cmpuint(w->node[i].heard[n], <=, most);
        if (is_ours(&w->node[i]))
            g_assert_cmpuint(w->node[i].probes, ==, 0);
    }
}

void check_gaps(unsigned first, uint64_t most_ms)
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

void check_settled(void)
{
    unsigned first = w->n_frames;

    talk(500);
    play(2000);
    for (unsigned n = first; n < w->n_frames; ++n)
        for (unsigned i = 0; i < w->n_nodes; ++i)
            if (w->node[i].kind == GUEST && w->node[i].cable[0] >= 0)
                g_assert_cmpuint(w->node[i].heard[n], ==, w->said_by[n] != (int)i);
}

unsigned count_needless(void)
{
    unsigned cables = 0;

    for (unsigned i = 0; i < w->n_cables; ++i)
        cables += !w->cable[i].cut;
    return cables - (w->n_nodes - 1);
}
