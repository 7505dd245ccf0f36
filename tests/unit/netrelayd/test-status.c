/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include "daemon/meetings.h"
#include "daemon/status.h"
#include "model-fixture.h"

#define NET    "127.0.0.1:12345"
#define LISTEN "listen:127.0.0.1:12345"

static const char *text_of(GVariant *row, const char *key)
{
    const char *text = NULL;

    g_variant_lookup(row, key, "&s", &text);
    return text;
}

/* "KIND GUEST ADDRESS PEER STATE" of each row, one a line. */
static char *shown(const NrDesired *desired, const NrActual *actual, const NrAttempts *attempts,
                   gboolean hooked)
{
    g_autoptr(GVariant) rows =
        g_variant_ref_sink(nr_status_rows(desired, actual, attempts, hooked, NULL));
    GString *text = g_string_new(NULL);

    for (gsize i = 0; i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);

        g_string_append_printf(text, "%s %s %s %s %s\n", text_of(row, "kind"),
                               text_of(row, "guest"), text_of(row, "address"), text_of(row, "peer"),
                               text_of(row, "state"));
    }
    return g_string_free(text, FALSE);
}

typedef struct {
    NrDesired *desired;
    NrActual *actual;
    NrAttempts *attempts;
    NrActualNetwork *network; /* NET with LISTEN, not yet in actual */
} World;

static World world_of(const char *guest, const char *file)
{
    const char *bodies[] = { file, NULL };
    g_autoptr(GPtrArray) guests = fixture_guests(guest);
    g_autoptr(GPtrArray) networks = fixture_networks(bodies);
    NrPolicy policy = { 0 };
    World world = { .desired = fixture_decide(guests, networks, &policy),
                    .actual = nr_actual_new(),
                    .attempts = nr_attempts_new(),
                    .network = nr_actual_network_new(file ? "lab" : NET, 42) };
    NrActualEndpoint *endpoint = nr_actual_endpoint_new(1, LISTEN);

    endpoint->state = CTL_ENDPOINT_LISTENING;
    g_ptr_array_add(world.network->endpoints, endpoint);
    g_ptr_array_add(world.actual->networks, world.network);
    return world;
}

static NrActualPort *add_port(World *world, guint32 endpoint, const char *label)
{
    guint32 id = world->network->ports->len + 1;
    NrActualPort *port = nr_actual_port_new(id, endpoint);

    port->label = g_strdup(label);
    port->local = g_strdup(NET);
    port->peer = g_strdup("127.0.0.1:50000");
    port->state = CTL_PORT_UP;
    g_ptr_array_add(world->network->ports, port);
    return port;
}

static void world_expect(World *world, gboolean hooked, const char *expected)
{
    g_autofree char *text = shown(world->desired, world->actual, world->attempts, hooked);

    g_assert_cmpstr(text, ==, expected);
    nr_desired_free(world->desired);
    nr_actual_free(world->actual);
    nr_attempts_free(world->attempts);
}

static void test_defined(void)
{
    World world = world_of("defined - web: client 127.0.0.1:12345\n", NULL);

    world_expect(&world, FALSE, "client web " NET "  listening\n");
}

/* Another guest's listener is there; the one that does not run has no row of its own. */
static void test_defined_and_hooked(void)
{
    World world = world_of("defined - web: client 127.0.0.1:12345\n"
                           "running 1 db: client 127.0.0.1:12345\n",
                           NULL);

    world_expect(&world, TRUE, "client db " NET "  waiting\n");
}

static void test_connected(void)
{
    World world = world_of("running 1 web: client 127.0.0.1:12345\n", NULL);
    NrBinding *binding = world.desired->bindings->pdata[0];
    g_autofree char *label = nr_port_label(binding->guest, binding->nic);

    add_port(&world, 1, label);
    world_expect(&world, TRUE, "client web " NET " 127.0.0.1:50000 connected\n");
}

/* What is known of how it became deaf holds for as long as its QEMU runs. */
static void test_deaf(void)
{
    for (guint i = 0; i < 2; i++) {
        World world = world_of("running 7 web: client 127.0.0.1:12345\n", NULL);
        const NrBinding *binding = world.desired->bindings->pdata[0];
        g_autoptr(GVariant) rows = NULL, row = NULL;

        nr_attempts_cut_off(world.attempts, binding->label, i ? 7 : 6);
        rows = g_variant_ref_sink(
            nr_status_rows(world.desired, world.actual, world.attempts, TRUE, NULL));
        row = g_variant_get_child_value(rows, 0);
        g_assert_cmpstr(text_of(row, "state"), ==, "waiting");
        g_assert_nonnull(strstr(text_of(row, "reason"), i ? "was cut off" : "has not connected"));
        nr_desired_free(world.desired);
        nr_actual_free(world.actual);
        nr_attempts_free(world.attempts);
    }
}

/* A network file came while it ran: its connection is where it was made, and the row says why it is
 * there yet. */
static void test_moving(void)
{
    static const struct {
        gboolean mute, target, target_mute, failed;
        enum ctl_port_state state;
        const char *words[2];
    } cases[] = {
        { .target = TRUE,
          .words = { "to the network lab now", "about to move there from the network " NET } },
        { .mute = TRUE, .words = { NET " does not answer; it moves by itself", "kill -CONT 42" } },
        { .mute = TRUE, .target = TRUE, .state = CTL_PORT_LEAVING, .words = { NET " does not" } },
        { .target = TRUE, .target_mute = TRUE, .words = { "lab does not answer; ", "CONT 43" } },
        { .target = TRUE,
          .target_mute = TRUE,
          .state = CTL_PORT_LEAVING,
          .words = { "lab does not answer; ", "CONT 43" } },
        { .target = TRUE, .state = CTL_PORT_LEAVING, .words = { "the guest has not read yet" } },
        { .failed = TRUE, .words = { "lab now", "no relay: it did not start" } },
    };
    const NrAction spawn = { .kind = NR_ACTION_SPAWN, .network = (char *)"lab" };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        World world = world_of("running 1 web: client 127.0.0.1:12345\n",
                               "<name>lab</name><listen address='127.0.0.1' port='12345'/>");
        NrBinding *binding = world.desired->bindings->pdata[0];
        g_autofree char *label = nr_port_label(binding->guest, binding->nic);
        g_autoptr(GVariant) rows = NULL, row = NULL;

        g_free(world.network->name);
        world.network->name = g_strdup(NET);
        world.network->mute = cases[i].mute;
        add_port(&world, 1, label)->state = cases[i].state ? cases[i].state : CTL_PORT_UP;
        if (cases[i].target) {
            NrActualNetwork *lab = nr_actual_network_new("lab", 43);

            lab->mute = cases[i].target_mute;
            g_ptr_array_add(world.actual->networks, lab);
        }
        if (cases[i].failed)
            nr_attempts_failed(world.attempts, &spawn, -ENOENT, "it did not start", 0);
        rows = g_variant_ref_sink(
            nr_status_rows(world.desired, world.actual, world.attempts, TRUE, NULL));
        row = g_variant_get_child_value(rows, 0);
        g_assert_cmpstr(text_of(row, "state"), ==, "connected");
        g_assert_cmpstr(text_of(row, "network"), ==, NET);
        for (guint k = 0; k < G_N_ELEMENTS(cases[i].words) && cases[i].words[k]; k++)
            g_assert_nonnull(strstr(text_of(row, "reason"), cases[i].words[k]));
        nr_desired_free(world.desired);
        nr_actual_free(world.actual);
        nr_attempts_free(world.attempts);
    }
}

/* Kept, and shown without a guest. */
static void test_unidentified(void)
{
    World world = world_of("announced 1 web: client 127.0.0.1:12345\n", NULL);

    add_port(&world, 1, NULL);
    world_expect(&world, TRUE,
                 "client web " NET "  waiting\n"
                 "client  " NET " 127.0.0.1:50000 connected\n");
}

static void test_foreign(void)
{
    World world = world_of("running 1 web: client 127.0.0.1:12345\n", NULL);
    NrAction action = {
        .kind = NR_ACTION_ATTACH, .network = (char *)NET, .endpoint = (char *)LISTEN, .newest_id = 1
    };

    g_ptr_array_set_size(world.actual->networks, 0);
    nr_attempts_failed(world.attempts, &action, -EADDRINUSE, "taken by nc", 0);
    world_expect(&world, TRUE, "client web " NET "  foreign\n");
}

static void test_file_without_guests(void)
{
    World world = world_of("", "<name>lab</name><listen address='127.0.0.1' port='12345'/>");

    world_expect(&world, TRUE, "listen  " NET "  listening\n");
}

static void test_bridge(void)
{
    World world = world_of("", "<name>lab</name><bridge name='br0'/>");
    NrActualEndpoint *endpoint = nr_actual_endpoint_new(2, "bridge:br0");

    g_ptr_array_set_size(world.network->endpoints, 0);
    endpoint->state = CTL_ENDPOINT_UP;
    endpoint->detail = g_strdup("nrtap0");
    g_ptr_array_add(world.network->endpoints, endpoint);
    add_port(&world, 2, NULL);
    world_expect(&world, TRUE, "tap  nrtap0 br0 connected\n");
}

static void test_bridge_missing(void)
{
    World world = world_of("", "<name>lab</name><bridge name='br0'/>");
    NrAction action = { .kind = NR_ACTION_ATTACH,
                        .network = (char *)"lab",
                        .endpoint = (char *)"bridge:br0",
                        .named = TRUE };

    g_ptr_array_set_size(world.network->endpoints, 0);
    nr_attempts_failed(world.attempts, &action, -ENODEV, "bridge br0 does not exist", 0);
    world_expect(&world, TRUE, "tap   br0 failed\n");
}

/* The gateway's address, whatever else netrelay-user is told. */
static void test_user(void)
{
    static const struct {
        const char *file, *endpoint, *row;
    } cases[] = {
        { "<name>lab</name><ip address='10.0.0.1' prefix='8'/><forward mode='user'/>",
          "user:net=10.0.0.0/8,host=10.0.0.1,dns=10.0.0.3,dhcpstart=10.0.0.15,ipv6=off",
          "user  10.0.0.1 " },
        { "<name>lab</name><ip address='fd00::1' prefix='64'/><forward mode='user'/>",
          "user:ipv4=off,ipv6-net=fd00::/64,ipv6-host=fd00::1,ipv6-dns=fd00::3", "user  fd00::1 " },
    };
    static const char *const states[] = { "waiting", "failed", "connected" };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        for (gsize state = 0; state < G_N_ELEMENTS(states); state++) {
            World world = world_of("", cases[i].file);
            NrActualEndpoint *endpoint = nr_actual_endpoint_new(2, cases[i].endpoint);
            g_autofree char *row = g_strdup_printf("%s %s\n", cases[i].row, states[state]);

            g_ptr_array_set_size(world.network->endpoints, 0);
            g_ptr_array_add(world.network->endpoints, endpoint);
            endpoint->state = state == 2 ? CTL_ENDPOINT_UP : CTL_ENDPOINT_DIALLING;
            endpoint->detail = g_strdup(state == 1 ? "it ended" : NULL);
            if (state == 2)
                g_clear_pointer(&add_port(&world, 2, NULL)->peer, g_free);
            world_expect(&world, TRUE, row);
        }
    }
}

/* As it is written, with what it is connected to; or since when it is not. */
static void test_peer(void)
{
    World world = world_of("", "<name>lab</name><peer address='hostb' port='12345'/>");
    NrActualEndpoint *endpoint = nr_actual_endpoint_new(2, "tcp:hostb:12345");

    g_ptr_array_set_size(world.network->endpoints, 0);
    endpoint->state = CTL_ENDPOINT_UP;
    g_ptr_array_add(world.network->endpoints, endpoint);
    add_port(&world, 2, NULL);
    world_expect(&world, TRUE, "peer  hostb:12345 127.0.0.1:50000 connected\n");
}

static void test_peer_missing(void)
{
    World world = world_of("", "<name>lab</name><peer address='hostb' port='12345'/>");
    NrActualEndpoint *endpoint = nr_actual_endpoint_new(2, "tcp:hostb:12345");
    g_autoptr(GVariant) rows = NULL;
    g_autoptr(GVariant) row = NULL;
    guint64 since = 0;

    g_ptr_array_set_size(world.network->endpoints, 0);
    endpoint->state = CTL_ENDPOINT_DIALLING;
    endpoint->detail = g_strdup("no");
    endpoint->since = 1000000000;
    g_ptr_array_add(world.network->endpoints, endpoint);
    rows =
        g_variant_ref_sink(nr_status_rows(world.desired, world.actual, world.attempts, TRUE, NULL));
    row = g_variant_get_child_value(rows, 0);
    g_assert_cmpstr(text_of(row, "reason"), ==, "no");
    g_assert_true(g_variant_lookup(row, "since", "t", &since));
    g_assert_cmpuint(since, ==, 1000000000);
    world_expect(&world, TRUE, "peer  hostb:12345  dialling\n");
}

static void test_direct(void)
{
    World world = world_of("running 1 web: udp 127.0.0.1:5601>127.0.0.1:5602\n"
                           "running 2 db: udp 127.0.0.1:5602>127.0.0.1:5601\n",
                           NULL);

    g_ptr_array_set_size(world.actual->networks, 0);
    world_expect(&world, TRUE,
                 "udp web 127.0.0.1:5601 db direct\n"
                 "udp db 127.0.0.1:5602 web direct\n");
}

/* That they may meet says an address; whether they have, the kernel. */
static void test_meetings(void)
{
    static const struct {
        NrMeeting dialler, listener;
        const char *expected;
    } cases[] = {
        { NR_MEETING_MADE, NR_MEETING_MADE, "direct; direct; " },
        { NR_MEETING_NONE, NR_MEETING_NONE, "waiting; waiting; " },
        { NR_MEETING_WAITS, NR_MEETING_MADE, "busy; direct; " },
    };
    World world = world_of("running 2 web: client 127.0.0.1:7\nrunning 1 db: server :7\n", NULL);
    g_autoptr(GHashTable) meetings = g_hash_table_new(NULL, NULL);

    g_ptr_array_set_size(world.actual->networks, 0);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        NrMet found[] = { { .kind = cases[i].dialler, .served = (char *)"nc (pid 7)" },
                          { .kind = cases[i].listener } };
        g_autoptr(GString) states = g_string_new(NULL);
        g_autoptr(GVariant) rows = NULL;

        for (guint k = 0; k < 2; k++)
            g_hash_table_insert(meetings, world.desired->bindings->pdata[k], &found[k]);
        rows = g_variant_ref_sink(
            nr_status_rows(world.desired, world.actual, world.attempts, TRUE, meetings));
        for (guint k = 0; k < 2; k++) {
            g_autoptr(GVariant) row = g_variant_get_child_value(rows, k);

            g_string_append_printf(states, "%s; ", text_of(row, "state"));
            g_assert_nonnull(strstr(text_of(row, "reason"), k == 0 ? "db" : "web"));
            if (g_str_equal(text_of(row, "state"), "busy"))
                g_assert_nonnull(strstr(text_of(row, "reason"), "serves nc (pid 7), and"));
        }
        g_assert_cmpstr(states->str, ==, cases[i].expected);
    }
    nr_desired_free(world.desired);
    nr_actual_free(world.actual);
    nr_attempts_free(world.attempts);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/status/defined", test_defined);
    g_test_add_func("/status/defined-and-hooked", test_defined_and_hooked);
    g_test_add_func("/status/connected", test_connected);
    g_test_add_func("/status/deaf", test_deaf);
    g_test_add_func("/status/moving", test_moving);
    g_test_add_func("/status/unidentified", test_unidentified);
    g_test_add_func("/status/foreign", test_foreign);
    g_test_add_func("/status/file-without-guests", test_file_without_guests);
    g_test_add_func("/status/bridge", test_bridge);
    g_test_add_func("/status/bridge-missing", test_bridge_missing);
    g_test_add_func("/status/user", test_user);
    g_test_add_func("/status/peer", test_peer);
    g_test_add_func("/status/peer-missing", test_peer_missing);
    g_test_add_func("/status/direct", test_direct);
    g_test_add_func("/status/meetings", test_meetings);
    return g_test_run();
}
