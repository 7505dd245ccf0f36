/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A random walk: guests come, go and change, files appear and vanish, all in a few addresses so
 * that everything is in everything's way. After each step a pass is made, and what must always
 * hold is looked at: while the pass runs, too.
 */
#include "model-fixture.h"

#include <string.h>

#include "daemon/place.h"

#define GUESTS 6
#define STEPS  1500

static const char *const nics[] = {
    "client 127.0.0.1:1",
    "client 10.0.0.1:1",
    "client 127.0.0.1:1 @one",
    "client 127.0.0.1:1 @two",
    "client 127.0.0.1:2 @bridge:br0",
    "client 127.0.0.1:2 @ignore",
    "client 127.0.0.1:1 @peer:192.0.2.1:1",
    "server 127.0.0.1:3 @peer:192.0.2.1:2",
    "client 192.0.2.1:1",
    "server 127.0.0.1:1",
    "server :1",
    "server 127.0.0.1:2 @one",
    "server 127.0.0.1:1 @two",
    "server 10.0.0.1:1 @ignore",
    "udp 127.0.0.1:1>127.0.0.1:2",
    "udp 127.0.0.1:2>127.0.0.1:1",
    "udp 127.0.0.1:1>127.0.0.1:3",
    "udp 127.0.0.1:1>0.0.0.0:2",
    "udp 127.0.0.1:3>127.0.0.1:3",
    "udp 127.0.0.1:1>127.0.0.1:4 @one",
    "udp 127.0.0.1:1>127.0.0.1:5 @two",
    "udp 127.0.0.1:3>127.0.0.1:1 @bridge:br1",
};

static const char *const files[] = {
    "<name>one</name><listen address='127.0.0.1' port='1'/>",
    "<name>one</name><listen port='1'/><bridge name='br0'/>",
    "<name>one</name><match type='server'/>",
    "<name>one</name><udp address='127.0.0.1' port='1'/>",
    "<name>two</name><match domain='g1'/><match domain='g2' type='udp'/>",
    "<name>two</name><listen address='127.0.0.1' port='2'/><match type='client'/>",
    "<name>two</name><udp address='127.0.0.1' port='3'/>",
    "<name>two</name><peer address='192.0.2.1' port='3'/>",
};

typedef struct {
    NrGuestState state;
    int id;
    const char *nics[2];
} Guest;

typedef struct {
    Guest guests[GUESTS];
    const char *files[3];
    NrPolicy policy;
    int next_id;
    NrActual *actual;
    guint32 last_port;
} World;

/* --- steps */

static void step_guest(World *world, Guest *guest)
{
    if (guest->state == NR_GUEST_DEFINED && g_test_rand_bit()) {
        guest->nics[0] = nics[g_test_rand_int_range(0, G_N_ELEMENTS(nics))];
        guest->nics[1] = nics[g_test_rand_int_range(0, G_N_ELEMENTS(nics))];
    } else if (guest->state == NR_GUEST_DEFINED) {
        guest->state = NR_GUEST_ANNOUNCED;
        guest->id = world->next_id++;
    } else if (guest->state == NR_GUEST_ANNOUNCED && g_test_rand_int_range(0, 4)) {
        guest->state = NR_GUEST_RUNNING;
    } else {
        guest->state = NR_GUEST_DEFINED;
        guest->id = -1;
    }
}

static void step(World *world)
{
    if (g_test_rand_int_range(0, 8)) {
        step_guest(world, &world->guests[g_test_rand_int_range(0, GUESTS)]);
        return;
    }
    world->files[0] = g_test_rand_bit() ? files[g_test_rand_int_range(0, 4)] : NULL;
    world->files[1] =
        world->files[0] && g_test_rand_bit() ? files[g_test_rand_int_range(4, 7)] : NULL;
    world->policy.implicit = g_test_rand_int_range(0, 3);
    world->policy.hooked = g_test_rand_int_range(0, 4) > 0;
}

static char *format_guests(const World *world)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint i = 0; i < GUESTS; i++) {
        const Guest *guest = &world->guests[i];
        g_autofree char *id = guest->id < 0 ? g_strdup("-") : g_strdup_printf("%d", guest->id);

        g_string_append_printf(text, "%s %s g%u: %s, %s\n", nr_guest_state_name(guest->state), id,
                               i, guest->nics[0], guest->nics[1]);
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

/* --- what always holds */

static gboolean parse_place(const char *text, struct endpoint *ret, NrPlace *ret_place)
{
    const struct endpoint_address *address;
    const char *expected;

    g_assert_cmpint(endpoint_parse(ret, text, &expected), ==, 0);
    if (ret->kind == ENDPOINT_BRIDGE)
        return FALSE;
    address = ret->kind == ENDPOINT_TCP ? &ret->remote : &ret->local;
    g_assert_cmpint(nr_place_find(ret_place, address->host, address->l4_port, NULL), ==,
                    NR_PLACE_FOUND);
    return TRUE;
}

/* Two endpoints that no two networks may have at one time. */
static void check_pair(const char *network, const char *text, const char *other_network,
                       const char *other_text)
{
    struct endpoint a, b;
    NrPlace place, other;

    if (!parse_place(text, &a, &place) || !parse_place(other_text, &b, &other) ||
        (a.kind == ENDPOINT_UDP) != (b.kind == ENDPOINT_UDP) || !nr_place_overlaps(&place, &other))
        return;
    /* One network may have several udp far ends at one address of ours, nothing else twice. */
    if (a.kind == ENDPOINT_UDP && g_str_equal(network, other_network))
        return;
    g_error("%s in %s, and %s in %s", text, network, other_text, other_network);
}

static void check_actual(const NrActual *actual)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new(), texts = g_ptr_array_new();

    for (guint i = 0; i < actual->networks->len; i++) {
        const NrActualNetwork *network = g_ptr_array_index(actual->networks, i);

        for (guint k = 0; k < network->endpoints->len; k++) {
            const NrActualEndpoint *endpoint = g_ptr_array_index(network->endpoints, k);

            for (guint n = 0; n < names->len; n++)
                check_pair(network->name, endpoint->text, g_ptr_array_index(names, n),
                           g_ptr_array_index(texts, n));
            g_ptr_array_add(names, network->name);
            g_ptr_array_add(texts, endpoint->text);
        }
    }
}

static char *format_label(const NrBinding *binding)
{
    char mac[MAC_TEXT_MAX];

    return g_strconcat(binding->guest->uuid, "/", mac_format(binding->nic->mac, mac), NULL);
}

static NrActualPort *find_port(const NrActualNetwork *network, const char *label)
{
    for (guint i = 0; i < network->ports->len; i++) {
        NrActualPort *port = g_ptr_array_index(network->ports, i);

        if (g_str_equal(port->label, label))
            return port;
    }
    return NULL;
}

static gboolean is_connected(const NrActual *actual, const char *label)
{
    for (guint i = 0; i < actual->networks->len; i++)
        if (find_port(g_ptr_array_index(actual->networks, i), label))
            return TRUE;
    return FALSE;
}

/* QEMU dials once, when it starts, and hangs up when it ends. */
static void move_connections(World *world, const NrDesired *desired)
{
    for (guint i = 0; i < desired->bindings->len; i++) {
        const NrBinding *binding = g_ptr_array_index(desired->bindings, i);
        g_autofree char *label = format_label(binding);
        NrActualNetwork *network;

        for (guint k = 0; k < world->actual->networks->len; k++) {
            network = g_ptr_array_index(world->actual->networks, k);
            if (!nr_guest_is_active(binding->guest) && find_port(network, label))
                g_ptr_array_remove(network->ports, find_port(network, label));
        }
        if (binding->kind != NR_BINDING_SERVED || binding->nic->kind != NR_NIC_DIALS ||
            binding->guest->state != NR_GUEST_RUNNING || is_connected(world->actual, label))
            continue;
        network = nr_actual_find(world->actual, binding->network);
        if (network && network->endpoints->len) {
            NrActualPort *port = nr_actual_port_new(++world->last_port, 1);

            port->label = g_steal_pointer(&label);
            g_ptr_array_add(network->ports, port);
        }
    }
}

/* One action at a time, and each leaves a world that could be. */
static void do_pass(World *world, const GPtrArray *plan)
{
    for (guint i = 0; i < plan->len; i++) {
        g_autoptr(GPtrArray) one = g_ptr_array_new();
        const NrAction *action = g_ptr_array_index(plan, i);

        /* Ports of guests that ended are gone: what is left is a running guest's link. */
        if (action->kind == NR_ACTION_STOP)
            g_assert_cmpuint(nr_actual_find(world->actual, action->network)->ports->len, ==, 0);
        g_ptr_array_add(one, g_ptr_array_index(plan, i));
        fixture_apply(world->actual, one);
        check_actual(world->actual);
    }
}

/* A guest that may start, and whose QEMU binds: nothing of ours is in its way after the pass. */
static void check_start(const World *world, const NrBinding *binding)
{
    gboolean udp = binding->nic->kind == NR_NIC_UDP;
    NrPlace theirs;

    if (!nr_guest_is_active(binding->guest) || (!udp && binding->nic->kind != NR_NIC_LISTENS) ||
        binding->kind == NR_BINDING_REFUSED)
        return;
    nr_place_find(&theirs, binding->nic->theirs.host, binding->nic->theirs.l4_port, NULL);
    for (guint i = 0; i < world->actual->networks->len; i++) {
        const NrActualNetwork *network = g_ptr_array_index(world->actual->networks, i);

        for (guint k = 0; k < network->endpoints->len; k++) {
            const NrActualEndpoint *endpoint = g_ptr_array_index(network->endpoints, k);
            struct endpoint parsed;
            NrPlace place;

            if (!parse_place(endpoint->text, &parsed, &place) ||
                parsed.kind != (udp ? ENDPOINT_UDP : ENDPOINT_LISTEN))
                continue;
            if (nr_place_overlaps(&place, &theirs))
                g_error("%s in %s is in the way of %s", endpoint->text, network->name,
                        binding->guest->name);
        }
    }
}

static gboolean is_wanted_empty(const NrDesired *desired, const char *name)
{
    for (guint i = 0; i < desired->networks->len; i++) {
        const NrDesiredNetwork *network = g_ptr_array_index(desired->networks, i);

        if (g_str_equal(network->name, name))
            return network->endpoints->len == 0;
    }
    return FALSE;
}

/* What is served has its network and endpoint; only a listener may have given way to a guest. */
static void check_served(const World *world, const NrDesired *desired, const NrBinding *binding)
{
    gboolean dials = binding->nic->kind == NR_NIC_DIALS;
    const NrActualNetwork *network;

    if (binding->kind != NR_BINDING_SERVED || !nr_guest_is_active(binding->guest) ||
        (binding->nic->kind == NR_NIC_LISTENS && binding->guest->state != NR_GUEST_RUNNING))
        return;
    network = nr_actual_find(world->actual, binding->network);
    if (!network)
        g_assert_true(dials && is_wanted_empty(desired, binding->network));
    for (guint i = 0; !dials && i < network->endpoints->len; i++) {
        const NrActualEndpoint *endpoint = g_ptr_array_index(network->endpoints, i);

        if (g_str_equal(endpoint->text, binding->endpoint))
            return;
    }
    g_assert_true(dials);
}

/* What is left for a second pass: connections go to relays that are new, and what has lost its last
 * one ends. */
static void settle(World *world, const NrDesired *desired)
{
    g_autoptr(GPtrArray) plan = nr_plan_new(desired, world->actual);

    for (guint i = 0; i < plan->len; i++) {
        NrActionKind kind = ((NrAction *)g_ptr_array_index(plan, i))->kind;

        g_assert_true(kind == NR_ACTION_MOVE || kind == NR_ACTION_STOP);
    }
    do_pass(world, plan);
}

static void check_step(World *world)
{
    g_autofree char *text = format_guests(world);
    g_autoptr(GPtrArray) guests = fixture_guests(text);
    g_autoptr(GPtrArray) reversed = g_ptr_array_new();
    g_autoptr(GPtrArray) networks = fixture_networks(world->files);
    g_autoptr(NrDesired) desired = fixture_decide(guests, networks, &world->policy);
    g_autoptr(NrDesired) again = NULL;
    g_autofree char *shown = fixture_show(desired), *shown_again = NULL, *rest = NULL;
    g_autoptr(GPtrArray) plan = NULL, second = NULL;

    for (guint i = guests->len; i > 0; i--)
        g_ptr_array_add(reversed, g_ptr_array_index(guests, i - 1));
    again = fixture_decide(reversed, networks, &world->policy);
    shown_again = fixture_show(again);
    g_assert_cmpstr(shown, ==, shown_again);
    if (g_test_verbose())
        g_test_message("\n%s%s", text, shown);

    move_connections(world, desired);
    plan = nr_plan_new(desired, world->actual);
    do_pass(world, plan);
    settle(world, desired);
    settle(world, desired);
    second = nr_plan_new(desired, world->actual);
    rest = fixture_show_plan(second);
    g_assert_cmpstr(rest, ==, "");
    for (guint i = 0; i < desired->bindings->len; i++) {
        check_start(world, g_ptr_array_index(desired->bindings, i));
        check_served(world, desired, g_ptr_array_index(desired->bindings, i));
    }
}

static void test_walk(void)
{
    char *bridges[] = { (char *)"br*", NULL }, *peers[] = { (char *)"*", NULL };
    World world = { .next_id = 1, .actual = nr_actual_new() };

    world.policy = (NrPolicy){ .system = TRUE, .bridges = bridges, .peers = peers, .hooked = TRUE };
    for (guint i = 0; i < GUESTS; i++)
        world.guests[i] = (Guest){ NR_GUEST_DEFINED, -1, { nics[i], nics[GUESTS + i] } };
    for (guint i = 0; i < STEPS; i++) {
        step(&world);
        check_step(&world);
    }
    nr_actual_free(world.actual);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/model/a random walk", test_walk);
    return g_test_run();
}
