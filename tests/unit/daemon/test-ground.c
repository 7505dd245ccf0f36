/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What networks need of the host's kernel: when it is made, and when it is taken back. */
#include "model-fixture.h"

#include <string.h>

#include "daemon/ground-rules.h"
#include "daemon/retire.h"

#define LAB "<name>lab</name><bridge name='virbr9'/>"
#define IP4 "<ip address='10.0.9.1' prefix='24'/>"
#define IP6 "<ip address='fd00::1' prefix='64'/>"

static const NrPolicy policy = { .system = TRUE, .hooked = TRUE };

static void one_pass(NrActual *actual, const char *const *files, const char *expected)
{
    fixture_pass(actual, "", files, &policy, expected);
}

/* And another has nothing to do. */
static void pass(NrActual *actual, const char *const *files, const char *expected)
{
    one_pass(actual, files, expected);
    one_pass(actual, files, "");
}

#define FILES(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void test_comes_and_goes(void)
{
    g_autoptr(NrActual) actual = nr_actual_new();

    pass(actual, FILES(LAB IP4 IP6),
         "lab: start a relay\n"
         "lab: make sure of the bridge virbr9, give 10.0.9.1/24 to virbr9, give fd00::1/64 to "
         "virbr9, "
         "put a TAP into the bridge virbr9\n");
    pass(actual, FILES("!" LAB IP4 IP6),
         "lab: stop the relay\n"
         "lab: take fd00::1/64 from virbr9, take 10.0.9.1/24 from virbr9, "
         "let go of the bridge virbr9\n");
    g_assert_cmpuint(actual->changes->len, ==, 0);
}

static void test_bridge_of_others(void)
{
    g_autoptr(NrActual) actual = nr_actual_new();

    pass(actual, FILES(LAB), "lab: start a relay\nlab: put a TAP into the bridge virbr9\n");
    g_assert_cmpuint(actual->changes->len, ==, 0);
}

static void test_file_changes(void)
{
    g_autoptr(NrActual) actual = nr_actual_new();

    one_pass(actual, FILES(LAB IP4),
             "lab: start a relay\n"
             "lab: make sure of the bridge virbr9, give 10.0.9.1/24 to virbr9, "
             "put a TAP into the bridge virbr9\n");
    pass(actual, FILES(LAB IP4 IP6), "lab: give fd00::1/64 to virbr9\n");
    pass(actual, FILES(LAB IP4), "lab: take fd00::1/64 from virbr9\n");
}

/* A manager that was killed in between: what is recorded as begun is made, or taken back. */
static void test_interrupted(void)
{
    g_autoptr(NrActual) actual = nr_actual_new();
    NrActualChange *bridge;

    one_pass(actual, FILES(LAB IP4),
             "lab: start a relay\n"
             "lab: make sure of the bridge virbr9, give 10.0.9.1/24 to virbr9, "
             "put a TAP into the bridge virbr9\n");
    bridge = g_ptr_array_index(actual->changes, 0);
    bridge->done = FALSE;
    one_pass(actual, FILES(LAB IP4), "lab: make sure of the bridge virbr9\n");
}

static void test_shared(void)
{
    g_autoptr(NrActual) actual = nr_actual_new();
    static const char other[] = "<name>other</name><bridge name='virbr9'/>" IP4;

    one_pass(actual, FILES(LAB IP4),
             "lab: start a relay\n"
             "lab: make sure of the bridge virbr9, give 10.0.9.1/24 to virbr9, "
             "put a TAP into the bridge virbr9\n");
    pass(actual, FILES(LAB IP4, other),
         "other: start a relay\nother: put a TAP into the bridge virbr9\n");
    pass(actual, FILES("!" LAB IP4, other), "lab: stop the relay\n");
    pass(actual, FILES("!" LAB IP4), /* recorded for the one that had it made */
         "other: stop the relay\n"
         "lab: take 10.0.9.1/24 from virbr9, let go of the bridge virbr9\n");
}

static void test_kept(void)
{
    g_autoptr(NrActual) actual = nr_actual_new();
    NrActualChange *bridge = nr_actual_change_new("bridge virbr9", "lab");

    bridge->done = bridge->kept = TRUE;
    g_ptr_array_add(actual->changes, bridge);
    one_pass(actual, FILES("<name>x</name>"), "");
    bridge->kept = FALSE;
    pass(actual, FILES("<name>x</name>"), "lab: let go of the bridge virbr9\n");
}

static void test_marked(void)
{
    g_autoptr(GPtrArray) guests = fixture_guests("");
    g_autoptr(GPtrArray) networks = fixture_networks(FILES(LAB IP4));
    g_autoptr(NrDesired) desired = fixture_decide(guests, networks, &policy);
    g_autoptr(NrActual) actual = nr_actual_new();
    NrActualNetwork *lab = nr_actual_network_new("lab", 7);
    NrActualEndpoint *bridge = nr_actual_endpoint_new(1, "bridge:virbr9");

    g_ptr_array_add(lab->endpoints, bridge);
    g_ptr_array_add(actual->networks, lab);
    nr_ground_mark(desired, actual);
    g_assert_true(bridge->groundless);
}

static void test_retiring(void)
{
    g_autoptr(GPtrArray) guests = fixture_guests("");
    g_autoptr(GPtrArray) networks = fixture_networks(FILES(LAB IP4));
    g_autoptr(NrDesired) desired = fixture_decide(guests, networks, &policy);
    g_autoptr(NrActual) actual = nr_actual_new();
    g_autoptr(GPtrArray) plan = NULL;
    g_autofree char *shown = NULL;

    one_pass(actual, FILES(LAB IP4),
             "lab: start a relay\n"
             "lab: make sure of the bridge virbr9, give 10.0.9.1/24 to virbr9, "
             "put a TAP into the bridge virbr9\n");
    nr_retire_desired(desired, actual);
    plan = nr_plan_new(desired, actual);
    nr_retire_plan(plan);
    shown = fixture_show_plan(plan);
    g_assert_cmpstr(shown, ==,
                    "lab: stop the relay\n"
                    "lab: take 10.0.9.1/24 from virbr9, let go of the bridge virbr9\n");
}

#define DHCP(end)                                                                                  \
    "<ip address='10.0.9.1' prefix='24'><dhcp><range start='10.0.9.2' end='" end "'/></dhcp></ip>"

/* After its addresses, and gone before they go. */
static void test_served(void)
{
    g_autoptr(NrActual) actual = nr_actual_new();

    one_pass(actual, FILES(LAB IP4),
             "lab: start a relay\n"
             "lab: make sure of the bridge virbr9, give 10.0.9.1/24 to virbr9, "
             "put a TAP into the bridge virbr9\n");
    pass(actual, FILES(LAB DHCP("10.0.9.9")), "lab: have dnsmasq serve its guests\n");
    pass(actual, FILES(LAB DHCP("10.0.9.8")), "lab: have dnsmasq serve its guests\n");
    nr_actual_service(actual, "lab")->astray = TRUE;
    pass(actual, FILES(LAB DHCP("10.0.9.8")),
         "lab: end its dnsmasq\nlab: have dnsmasq serve its guests\n");
    pass(actual, FILES("!" LAB DHCP("10.0.9.8")),
         "lab: end its dnsmasq\n"
         "lab: stop the relay\n"
         "lab: take 10.0.9.1/24 from virbr9, let go of the bridge virbr9\n");
    pass(actual, FILES(LAB DHCP("10.0.9.8")),
         "lab: start a relay\n"
         "lab: make sure of the bridge virbr9, give 10.0.9.1/24 to virbr9, "
         "put a TAP into the bridge virbr9\n"
         "lab: have dnsmasq serve its guests\n");
    pass(actual, FILES(LAB IP4), "lab: end its dnsmasq\n");
}

int main(int argc, char *argv[])
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ground/comes-and-goes", test_comes_and_goes);
    g_test_add_func("/ground/bridge-of-others", test_bridge_of_others);
    g_test_add_func("/ground/file-changes", test_file_changes);
    g_test_add_func("/ground/interrupted", test_interrupted);
    g_test_add_func("/ground/shared", test_shared);
    g_test_add_func("/ground/kept", test_kept);
    g_test_add_func("/ground/marked", test_marked);
    g_test_add_func("/ground/retiring", test_retiring);
    g_test_add_func("/ground/served", test_served);
    return g_test_run();
}
