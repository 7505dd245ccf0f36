/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From one world to the next: what a pass does, in its order, and that a second pass does nothing.
 * The worlds before are made by the model itself, out of the same text as in test-desired.c.
 */
#include "model-fixture.h"

#include <time.h>

static const NrPolicy policy = { .system = TRUE, .hooked = TRUE };

static NrDesired *decide(const char *guests_text, const char *const *files)
{
    g_autoptr(GPtrArray) guests = fixture_guests(guests_text);
    g_autoptr(GPtrArray) networks = fixture_networks(files);

    return fixture_decide(guests, networks, &policy);
}

static void one_pass(NrActual *actual, const char *guests, const char *const *files,
                     const char *expected)
{
    fixture_pass(actual, guests, files, &policy, expected);
}

/* And another has nothing to do. */
static void pass(NrActual *actual, const char *guests, const char *const *files,
                 const char *expected)
{
    one_pass(actual, guests, files, expected);
    one_pass(actual, guests, files, "");
}

static NrActualEndpoint *get_endpoint(NrActual *actual, const char *network, const char *text)
{
    NrActualNetwork *found = nr_actual_find(actual, network);

    for (guint i = 0; i < found->endpoints->len; i++) {
        NrActualEndpoint *endpoint = g_ptr_array_index(found->endpoints, i);

        if (g_str_equal(endpoint->text, text))
            return endpoint;
    }
    g_error("%s has no %s", network, text);
}

/* A connection that a listener of the network accepted. */
static void accept_guest(NrActual *actual, const char *network, const char *listener,
                         const char *label)
{
    NrActualPort *port = nr_actual_port_new(1, get_endpoint(actual, network, listener)->id);

    port->label = g_strdup(label);
    g_ptr_array_add(nr_actual_find(actual, network)->ports, port);
}

#define FIRST_NIC "00000000-0000-4000-8000-000000000001/52:54:00:01:00:00"

static void test_comes_and_goes(void)
{
    g_autoptr(NrActual) actual = nr_actual_new();

    pass(actual, "announced 1 a: client 127.0.0.1:12345\n", NULL,
         "127.0.0.1:12345: start a relay\n"
         "127.0.0.1:12345: listen on 127.0.0.1:12345\n");
    pass(actual, "running 1 a: client 127.0.0.1:12345\nannounced 2 b: client 127.0.0.1:12345\n",
         NULL, "");
    pass(actual, "running 2 b: client 127.0.0.1:12345\n", NULL, "");
    pass(actual, "", NULL, "127.0.0.1:12345: stop the relay\n");
}

static void accept_port(NrActual *actual, guint32 id, const char *label)
{
    accept_guest(actual, "127.0.0.1:1", "listen:127.0.0.1:1", label);
    ((NrActualPort *)g_ptr_array_index(nr_actual_find(actual, "127.0.0.1:1")->ports, id - 1))->id =
        id;
}

/* A port gets what its guest may, once it is known whose it is, and again when that changes. */
static void test_options(void)
{
    g_autoptr(NrActual) actual = nr_actual_new();
    NrActualPort *port;

    pass(actual, "running 1 a: client 127.0.0.1:1 sends=1000\n", NULL,
         "127.0.0.1:1: start a relay\n127.0.0.1:1: listen on 127.0.0.1:1\n");
    accept_port(actual, 1, NULL);
    accept_port(actual, 2, FIRST_NIC);
    port = nr_actual_find(actual, "127.0.0.1:1")->ports->pdata[1];
    port->state = CTL_PORT_HELD; /* it is being admitted, and its options with it */
    pass(actual, "running 1 a: client 127.0.0.1:1 sends=1000\n", NULL, "");
    port->state = CTL_PORT_UP;
    pass(actual, "running 1 a: client 127.0.0.1:1 sends=1000\n", NULL,
         "127.0.0.1:1: limit port 2 (" FIRST_NIC "): ingress=1000\n");
    pass(actual, "running 1 a: client 127.0.0.1:1 sends=1000 gets=20\n", NULL,
         "127.0.0.1:1: limit port 2 (" FIRST_NIC "): ingress=1000,egress=20\n");
    pass(actual, "running 1 a: client 127.0.0.1:1\n", NULL,
         "127.0.0.1:1: limit port 2 (" FIRST_NIC "): nothing\n");
}

static void test_all_kinds(void)
{
    static const char *const files[] = { "<name>lab</name><listen port='1'/><bridge name='br0'/>"
                                         "<udp address='127.0.0.1' port='5601'/>"
                                         "<match type='server'/>",
                                         NULL };
    g_autoptr(NrActual) actual = nr_actual_new();

    pass(actual, "running 1 a: server :2, udp 127.0.0.1:5601>127.0.0.1:5602\n", files,
         "lab: start a relay\n"
         "lab: listen on *:1\n"
         "lab: put a TAP into the bridge br0\n"
         "lab: dial 127.0.0.1:2\n"
         "lab: bind udp 127.0.0.1:5601 for 127.0.0.1:5602\n");
    pass(actual, "defined - a: server :2, udp 127.0.0.1:5601>127.0.0.1:5602\n", files,
         "lab: hang up on 127.0.0.1:2\n"
         "lab: give up udp 127.0.0.1:5601 for 127.0.0.1:5602\n");
    pass(actual, "", NULL, "lab: stop the relay\n");
}

/* It lets go of its guests' connections; one that the guest has elsewhere is not its to end. */
static void test_stopped(void)
{
    static const char *const up[] = { "<name>lab</name><listen address='127.0.0.1' port='1'/>",
                                      NULL };
    static const char *const down[] = { "!<name>lab</name><listen address='127.0.0.1' port='1'/>",
                                        NULL };
    const char *guest = "running 1 a: client 127.0.0.1:1\n";
    g_autoptr(NrActual) actual = nr_actual_new();
    g_autoptr(NrActual) elsewhere = nr_actual_new();

    pass(actual, guest, up, "lab: start a relay\nlab: listen on 127.0.0.1:1\n");
    accept_guest(actual, "lab", "listen:127.0.0.1:1", FIRST_NIC);
    pass(actual, guest, down, "lab: stop the relay\n");
    pass(actual, guest, up, "lab: start a relay\nlab: listen on 127.0.0.1:1\n");

    pass(elsewhere, guest, NULL,
         "127.0.0.1:1: start a relay\n127.0.0.1:1: listen on 127.0.0.1:1\n");
    accept_guest(elsewhere, "127.0.0.1:1", "listen:127.0.0.1:1", FIRST_NIC);
    pass(elsewhere, guest, down, "127.0.0.1:1: stop listening on 127.0.0.1:1\n");
}

/* The new network is up before the old one goes. */
static void test_make_before_break(void)
{
    static const char *const before[] = { "<name>old</name><listen port='1'/>", NULL };
    static const char *const after[] = { "<name>new</name><listen port='2'/>", NULL };
    g_autoptr(NrActual) actual = nr_actual_new();

    pass(actual, "", before, "old: start a relay\nold: listen on *:1\n");
    pass(actual, "", after,
         "new: start a relay\n"
         "new: listen on *:2\n"
         "old: stop the relay\n");
}

static void test_attach_before_detach(void)
{
    static const char *const before[] = { "<name>lab</name><listen port='1'/>", NULL };
    static const char *const after[] = { "<name>lab</name><listen port='2'/>", NULL };
    g_autoptr(NrActual) actual = nr_actual_new();

    pass(actual, "", before, "lab: start a relay\nlab: listen on *:1\n");
    pass(actual, "", after, "lab: listen on *:2\nlab: stop listening on *:1\n");
}

/* A renamed network: its address is free before it is taken, and nothing is left to wait for. */
static void test_conflict_stops_first(void)
{
    static const char *const before[] = { "<name>old</name><listen port='1'/>", NULL };
    static const char *const after[] = { "<name>new</name><listen address='127.0.0.1' port='1'/>",
                                         NULL };
    g_autoptr(NrActual) actual = nr_actual_new();

    pass(actual, "", before, "old: start a relay\nold: listen on *:1\n");
    pass(actual, "", after,
         "old: stop the relay\n"
         "new: start a relay\n"
         "new: listen on 127.0.0.1:1, after old\n");
}

/* Of a network that goes whole, only what is in the way goes first. */
static void test_conflict_leaves_the_rest(void)
{
    static const char *const before[] = { "<name>old</name><listen port='1'/><listen port='2'/>",
                                          NULL };
    static const char *const after[] = { "<name>new</name><listen port='1'/>", NULL };
    g_autoptr(NrActual) actual = nr_actual_new();

    pass(actual, "", before, "old: start a relay\nold: listen on *:1\nold: listen on *:2\n");
    pass(actual, "", after,
         "old: stop listening on *:1\n"
         "new: start a relay\n"
         "new: listen on *:1, after old\n"
         "old: stop the relay\n");
}

/* A connection that was kept, and whose relay is lost: an empty one would serve nobody. */
static void test_nothing_for_nothing(void)
{
    g_autoptr(NrActual) actual = nr_actual_new();

    pass(actual, "running 1 a: client 127.0.0.1:8010\nannounced 2 b: server 127.0.0.1:8010\n", NULL,
         "");
}

static void test_conflict_detaches_first(void)
{
    static const char *const before[] = {
        "<name>old</name><listen port='1'/><listen port='2'/><bridge name='br0'/>", NULL
    };
    static const char *const after[] = { "<name>new</name><listen port='1'/>",
                                         "<name>old</name><listen port='2'/>", NULL };
    g_autoptr(NrActual) actual = nr_actual_new();

    pass(actual, "", before,
         "old: start a relay\nold: listen on *:1\nold: listen on *:2\n"
         "old: put a TAP into the bridge br0\n");
    pass(actual, "", after,
         "old: stop listening on *:1\n"
         "new: start a relay\n"
         "new: listen on *:1, after old\n"
         "old: take the TAP out of the bridge br0\n");
}

/* A listener that is widened: the same network, but never both at once. */
static void test_conflict_in_one_network(void)
{
    static const char *const before[] = { "<name>lab</name><listen address='127.0.0.1' port='1'/>",
                                          NULL };
    static const char *const after[] = { "<name>lab</name><listen port='1'/>", NULL };
    g_autoptr(NrActual) actual = nr_actual_new();

    pass(actual, "", before, "lab: start a relay\nlab: listen on 127.0.0.1:1\n");
    pass(actual, "", after, "lab: stop listening on 127.0.0.1:1\nlab: listen on *:1\n");
}

/* A relay knows whom a listener admits from the moment it listens. */
static void test_others_are_admitted(void)
{
    static const char *const before[] = { "<name>lab</name><listen port='1' admit='10.0.0.1'/>",
                                          NULL };
    static const char *const after[] = { "<name>lab</name><listen port='1' admit='10.0.0.2  ::1'/>",
                                         NULL };
    static const char *const nobody[] = { "<name>lab</name><listen port='1'/>", NULL };
    g_autoptr(NrActual) actual = nr_actual_new();

    pass(actual, "", before, "lab: start a relay\nlab: listen on *:1\n");
    g_assert_cmpstr(get_endpoint(actual, "lab", "listen:*:1")->admit, ==, "10.0.0.1");
    pass(actual, "", after, "lab: stop listening on *:1\nlab: listen on *:1\n");
    g_assert_cmpstr(get_endpoint(actual, "lab", "listen:*:1")->admit, ==, "10.0.0.2 ::1");
    pass(actual, "", nobody, "lab: stop listening on *:1\nlab: listen on *:1\n");
    g_assert_null(get_endpoint(actual, "lab", "listen:*:1")->admit);
}

/* QEMU takes one client: the old one hangs up first. */
static void test_server_moves(void)
{
    static const char *const before[] = { "<name>one</name><match type='server'/>", NULL };
    static const char *const after[] = { "<name>two</name><match type='server'/>", NULL };
    const char *guests = "running 1 a: server 127.0.0.1:2\n";
    g_autoptr(NrActual) actual = nr_actual_new();

    pass(actual, guests, before, "one: start a relay\none: dial 127.0.0.1:2\n");
    pass(actual, guests, after,
         "one: stop the relay\n"
         "two: start a relay\n"
         "two: dial 127.0.0.1:2, after one\n");
}

static void test_udp_moves(void)
{
    static const char *const after[] = {
        "<name>lab</name><udp address='127.0.0.1' port='5601'/><listen port='1'/>", NULL
    };
    const char *guests = "running 1 a: udp 127.0.0.1:5601>127.0.0.1:5602\n"
                         "running 2 b: udp 127.0.0.1:5601>127.0.0.1:5603\n";
    g_autoptr(NrActual) actual = nr_actual_new();

    pass(actual, guests, NULL,
         "udp:127.0.0.1:5601: start a relay\n"
         "udp:127.0.0.1:5601: bind udp 127.0.0.1:5601 for 127.0.0.1:5602\n"
         "udp:127.0.0.1:5601: bind udp 127.0.0.1:5601 for 127.0.0.1:5603\n");
    pass(actual, guests, after,
         "udp:127.0.0.1:5601: stop the relay\n"
         "lab: start a relay\n"
         "lab: listen on *:1, after udp:127.0.0.1:5601\n"
         "lab: bind udp 127.0.0.1:5601 for 127.0.0.1:5602, after udp:127.0.0.1:5601\n"
         "lab: bind udp 127.0.0.1:5601 for 127.0.0.1:5603, after udp:127.0.0.1:5601\n");
}

/* Guests of one udp address share it: one more does not disturb the others. */
static void test_udp_shared_grows(void)
{
    g_autoptr(NrActual) actual = nr_actual_new();

    pass(actual,
         "running 1 a: udp 127.0.0.1:5601>127.0.0.1:5602\n"
         "announced 2 b: udp 127.0.0.1:5601>127.0.0.1:5603\n",
         NULL,
         "udp:127.0.0.1:5601: start a relay\n"
         "udp:127.0.0.1:5601: bind udp 127.0.0.1:5601 for 127.0.0.1:5602\n"
         "udp:127.0.0.1:5601: bind udp 127.0.0.1:5601 for 127.0.0.1:5603\n");
    pass(actual,
         "running 1 a: udp 127.0.0.1:5601>127.0.0.1:5602\n"
         "defined - b: udp 127.0.0.1:5601>127.0.0.1:5603\n"
         "running 3 c: udp 127.0.0.1:5601>127.0.0.1:5604\n",
         NULL,
         "udp:127.0.0.1:5601: bind udp 127.0.0.1:5601 for 127.0.0.1:5604\n"
         "udp:127.0.0.1:5601: give up udp 127.0.0.1:5601 for 127.0.0.1:5603\n");
}

/* A mirror of what we had bound is about to start: all is free when the pass is over. */
static void test_udp_gives_way(void)
{
    g_autoptr(NrActual) actual = nr_actual_new();
    const char *two = "running 1 a: udp 127.0.0.1:5601>127.0.0.1:5602\n"
                      "running 2 b: udp 127.0.0.1:5601>127.0.0.1:5603\n";
    g_autofree char *three =
        g_strconcat(two, "announced 3 c: udp 127.0.0.1:5602>127.0.0.1:5601\n", NULL);
    g_autoptr(NrDesired) desired = decide(two, NULL);
    g_autoptr(GPtrArray) plan = nr_plan_new(desired, actual);

    fixture_apply(actual, plan);
    pass(actual, three, NULL, "udp:127.0.0.1:5601: stop the relay\n");
}

static void test_client_before_server(void)
{
    g_autoptr(NrActual) actual = nr_actual_new();

    pass(actual, "running 1 a: client 127.0.0.1:8010\ndefined - b: server 127.0.0.1:8010\n", NULL,
         "127.0.0.1:8010: start a relay\n"
         "127.0.0.1:8010: listen on 127.0.0.1:8010\n");
    accept_guest(actual, "127.0.0.1:8010", "listen:127.0.0.1:8010", FIRST_NIC);
    pass(actual, "running 1 a: client 127.0.0.1:8010\nannounced 2 b: server 127.0.0.1:8010\n", NULL,
         "127.0.0.1:8010: stop listening on 127.0.0.1:8010\n");
    pass(actual, "running 1 a: client 127.0.0.1:8010\nrunning 2 b: server 127.0.0.1:8010\n", NULL,
         "127.0.0.1:8010: dial 127.0.0.1:8010\n");
    pass(actual, "running 1 a: client 127.0.0.1:8010\ndefined - b: server 127.0.0.1:8010\n", NULL,
         "127.0.0.1:8010: hang up on 127.0.0.1:8010\n"
         "127.0.0.1:8010: listen on 127.0.0.1:8010\n"); /* not to dial itself */
}

/* The network is a file's now, and the guest never dials again: its connection goes there, as soon
 * as there is a relay, and what it leaves behind ends. */
static void test_connection_moves(void)
{
    static const char *const files[] = { "<name>lab</name><listen address='127.0.0.1' port='1'/>",
                                         NULL };
    g_autoptr(NrActual) actual = nr_actual_new();

    pass(actual, "running 1 a: client 127.0.0.1:1\n", NULL,
         "127.0.0.1:1: start a relay\n127.0.0.1:1: listen on 127.0.0.1:1\n");
    accept_guest(actual, "127.0.0.1:1", "listen:127.0.0.1:1", FIRST_NIC);
    one_pass(actual, "running 1 a: client 127.0.0.1:1\n", files,
             "127.0.0.1:1: stop listening on 127.0.0.1:1\n"
             "lab: start a relay\n"
             "lab: listen on 127.0.0.1:1, after 127.0.0.1:1\n");
    one_pass(actual, "running 1 a: client 127.0.0.1:1\n", files,
             "127.0.0.1:1: move port 1 (" FIRST_NIC ") to lab\n");
    pass(actual, "running 1 a: client 127.0.0.1:1\n", files, "127.0.0.1:1: stop the relay\n");
}

/* One that is on its way, or not admitted yet, is not sent again. */
static void test_connection_is_moving(void)
{
    static const char *const files[] = { "<name>lab</name><listen address='127.0.0.1' port='1'/>",
                                         "<name>office</name>", NULL };
    static const char *const before = "running 1 a: client 127.0.0.1:2 @lab\n";
    static const char *const after = "running 1 a: client 127.0.0.1:2 @office\n";
    g_autoptr(NrActual) actual = nr_actual_new();
    NrActualPort *port;

    pass(actual, before, files,
         "lab: start a relay\nlab: listen on 127.0.0.1:1\nlab: listen on 127.0.0.1:2\n");
    accept_guest(actual, "lab", "listen:127.0.0.1:2", FIRST_NIC);
    one_pass(actual, after, files,
             "lab: stop listening on 127.0.0.1:2\n"
             "office: start a relay\n"
             "office: listen on 127.0.0.1:2, after lab\n");
    port = g_ptr_array_index(nr_actual_find(actual, "lab")->ports, 0);
    port->state = CTL_PORT_LEAVING;
    pass(actual, after, files, "");
    port->state = CTL_PORT_HELD;
    pass(actual, after, files, "");
    port->state = CTL_PORT_BLOCKED;
    pass(actual, after, files, "lab: move port 1 (" FIRST_NIC ") to office\n");
    one_pass(actual, before, files,
             "office: stop listening on 127.0.0.1:2\n"
             "lab: listen on 127.0.0.1:2, after office\n"
             "office: move port 1 (" FIRST_NIC ") to lab\n");
    pass(actual, before, files, "office: stop the relay\n");
}

static void test_ended_is_replaced(void)
{
    static const char *const files[] = { "<name>lab</name><bridge name='br0'/>", NULL };
    g_autoptr(NrActual) actual = nr_actual_new();

    pass(actual, "", files, "lab: start a relay\nlab: put a TAP into the bridge br0\n");
    get_endpoint(actual, "lab", "bridge:br0")->state = CTL_ENDPOINT_ENDED;
    pass(actual, "", files,
         "lab: take the TAP out of the bridge br0\n"
         "lab: put a TAP into the bridge br0\n");
}

static void test_astray_is_enslaved(void)
{
    static const char *const files[] = { "<name>lab</name><bridge name='br0'/>", NULL };
    g_autoptr(NrActual) actual = nr_actual_new();
    NrActualEndpoint *endpoint;

    pass(actual, "", files, "lab: start a relay\nlab: put a TAP into the bridge br0\n");
    endpoint = get_endpoint(actual, "lab", "bridge:br0");
    endpoint->astray = TRUE;
    endpoint->detail = g_strdup("nrtap7");
    pass(actual, "", files, "lab: put the TAP nrtap7 back into its place, bridge:br0\n");
}

/* One guest went and another came between two passes, to the same address. */
static void test_label_follows(void)
{
    static const char *const files[] = { "<name>lab</name><match type='server'/>", NULL };
    g_autoptr(NrActual) actual = nr_actual_new();

    pass(actual, "running 1 a: server 127.0.0.1:2\n", files,
         "lab: start a relay\nlab: dial 127.0.0.1:2\n");
    pass(actual, "defined - a: server 127.0.0.1:2\nrunning 2 b: server 127.0.0.1:2\n", files,
         "lab: hang up on 127.0.0.1:2\n"
         "lab: dial 127.0.0.1:2\n");
}

/* Adopted after a crash: known by what it is, however it came to be. */
static void test_adopted(void)
{
    g_autoptr(NrActual) actual = nr_actual_new();
    NrActualNetwork *lab = nr_actual_network_new("127.0.0.1:1", 7);
    NrActualNetwork *left = nr_actual_network_new("left", 8);

    g_ptr_array_add(lab->endpoints, nr_actual_endpoint_new(3, "listen:127.0.0.1:1"));
    g_ptr_array_add(lab->endpoints, nr_actual_endpoint_new(4, "listen:127.0.0.1:1"));
    g_ptr_array_add(left->endpoints, nr_actual_endpoint_new(1, "gibberish"));
    g_ptr_array_add(actual->networks, lab);
    g_ptr_array_add(actual->networks, left);
    g_ptr_array_add(actual->networks, nr_actual_network_new("empty", 9));
    pass(actual, "running 1 a: client 127.0.0.1:1\n", NULL,
         "127.0.0.1:1: stop listening on 127.0.0.1:1\n"
         "left: stop the relay\n"
         "empty: stop the relay\n");
}

/* What an attempt is remembered by. */
static void test_attach_tells(void)
{
    static const char *const files[] = { "<name>lab</name><match type='server'/>", NULL };
    g_autoptr(NrDesired) desired = decide("running 5 a: server 127.0.0.1:2\n", files);
    g_autoptr(NrActual) actual = nr_actual_new();
    g_autoptr(GPtrArray) plan = nr_plan_new(desired, actual);
    const NrAction *spawn = g_ptr_array_index(plan, 0), *attach = g_ptr_array_index(plan, 1);

    g_assert_cmpuint(plan->len, ==, 2);
    g_assert_cmpint(spawn->kind, ==, NR_ACTION_SPAWN);
    g_assert_true(spawn->named);
    g_assert_cmpint(attach->kind, ==, NR_ACTION_ATTACH);
    g_assert_cmpstr(attach->endpoint, ==, "tcp:127.0.0.1:2");
    g_assert_cmpstr(attach->label, ==, FIRST_NIC);
    g_assert_true(attach->named);
    g_assert_cmpint(attach->newest_id, ==, 5);
}

/* This thread's own time: what else the machine does while tests run does not count. */
static double cpu_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * 1000.0 + now.tv_nsec / 1e6;
}

/* Milliseconds of one pass's decisions, the best of some. */
static double measure(FixtureLab lab, guint count)
{
    g_autoptr(GPtrArray) guests = fixture_lab(lab, count);
    g_autoptr(GPtrArray) networks = fixture_lab_networks(20);
    double best = G_MAXDOUBLE;

    for (guint i = 0; i < 7; i++) {
        double start_ms = cpu_ms();
        g_autoptr(NrActual) actual = nr_actual_new();
        g_autoptr(NrDesired) desired = fixture_decide(guests, networks, &policy);
        g_autoptr(GPtrArray) plan = nr_plan_new(desired, actual);

        best = MIN(best, cpu_ms() - start_ms);
        g_assert_cmpuint(desired->bindings->len, ==, count * 4);
        g_assert_cmpuint(plan->len, >, 0);
    }
    g_test_message("%u guests with %u NICs: %.2f ms", count, count * 4, best);
    return best;
}

/* Generous, for slow machines and sanitizers: a quadratic walk is far above either. */
static void test_large_lab(gconstpointer data)
{
    FixtureLab lab = GPOINTER_TO_UINT(data);
    double small = measure(lab, 500), large = measure(lab, 2000);

    g_assert_cmpfloat(small, <, 50);
    g_assert_cmpfloat(large, <, MAX(small, 1) * 12);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/plan/a guest comes and goes", test_comes_and_goes);
    g_test_add_func("/plan/all kinds of endpoints", test_all_kinds);
    g_test_add_func("/plan/a stopped network", test_stopped);
    g_test_add_func("/plan/options", test_options);
    g_test_add_func("/plan/make before break", test_make_before_break);
    g_test_add_func("/plan/attach before detach", test_attach_before_detach);
    g_test_add_func("/plan/a conflict stops first", test_conflict_stops_first);
    g_test_add_func("/plan/a conflict detaches first", test_conflict_detaches_first);
    g_test_add_func("/plan/a conflict leaves the rest", test_conflict_leaves_the_rest);
    g_test_add_func("/plan/no relay without an endpoint", test_nothing_for_nothing);
    g_test_add_func("/plan/a conflict in one network", test_conflict_in_one_network);
    g_test_add_func("/plan/others-are-admitted", test_others_are_admitted);
    g_test_add_func("/plan/a server moves", test_server_moves);
    g_test_add_func("/plan/udp moves", test_udp_moves);
    g_test_add_func("/plan/shared udp grows", test_udp_shared_grows);
    g_test_add_func("/plan/shared udp gives way", test_udp_gives_way);
    g_test_add_func("/plan/client before server", test_client_before_server);
    g_test_add_func("/plan/a connection moves", test_connection_moves);
    g_test_add_func("/plan/a connection is moving", test_connection_is_moving);
    g_test_add_func("/plan/what ended is replaced", test_ended_is_replaced);
    g_test_add_func("/plan/a TAP astray is enslaved", test_astray_is_enslaved);
    g_test_add_func("/plan/a label follows", test_label_follows);
    g_test_add_func("/plan/adopted relays", test_adopted);
    g_test_add_func("/plan/an attach tells", test_attach_tells);
    g_test_add_data_func("/plan/500 guests in milliseconds, mixed", GUINT_TO_POINTER(FIXTURE_MIXED),
                         test_large_lab);
    g_test_add_data_func("/plan/500 guests in milliseconds, crowded",
                         GUINT_TO_POINTER(FIXTURE_CROWDED), test_large_lab);
    return g_test_run();
}
