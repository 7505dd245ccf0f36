/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a manager that retires still wants and does, of a world that one made that did not. */
#include "daemon/retire.h"

#include "model-fixture.h"

static const NrPolicy policy = { .system = TRUE, .hooked = TRUE };

static const char *const files[] = { "<name>lab</name><listen port='1'/><bridge name='br0'/>"
                                     "<match type='server'/>",
                                     NULL };
static const char *const served[] = { "<name>served</name><listen port='2'/><bridge name='br1'/>"
                                      "<ip address='10.1.0.1' prefix='24'><dhcp>"
                                      "<range start='10.1.0.2' end='10.1.0.9'/></dhcp></ip>",
                                      NULL };

static NrDesired *decide(const char *const *texts, const char *text)
{
    g_autoptr(GPtrArray) guests = fixture_guests(text);
    g_autoptr(GPtrArray) networks = fixture_networks(texts);

    return fixture_decide(guests, networks, &policy);
}

static NrActual *made_for(const char *const *texts, const char *text)
{
    g_autoptr(NrDesired) desired = decide(texts, text);
    NrActual *actual = nr_actual_new();
    g_autoptr(GPtrArray) plan = nr_plan_new(desired, actual);

    fixture_apply(actual, plan);
    return actual;
}

static void retire(const char *const *texts, NrActual *actual, const char *text,
                   const char *expected)
{
    g_autoptr(NrDesired) desired = decide(texts, text);
    g_autoptr(GPtrArray) plan = NULL;
    g_autofree char *shown = NULL;

    nr_retire_desired(desired, actual);
    plan = nr_plan_new(desired, actual);
    nr_retire_plan(plan);
    shown = fixture_show_plan(plan);
    g_assert_cmpstr(shown, ==, expected);
    fixture_apply(actual, plan);
}

static void connect_guest(NrActual *actual, const char *network, const char *label)
{
    NrActualPort *port = nr_actual_port_new(1, 1);

    port->label = g_strdup(label);
    g_ptr_array_add(nr_actual_find(actual, network)->ports, port);
}

#define FIRST_NIC "00000000-0000-4000-8000-000000000001/52:54:00:01:00:00"

/* The bridge stays as long as the guest, the listener goes at once, and nobody new is let in. */
static void test_guest_that_dialled(void)
{
    static const char *const one = "running 1 a: client 127.0.0.1:1\n";
    g_autoptr(NrActual) actual = made_for(files, one);

    connect_guest(actual, "lab", FIRST_NIC);
    retire(files, actual, one, "lab: stop listening on *:1\n");
    retire(files, actual,
           "running 1 a: client 127.0.0.1:1\nannounced 2 b: server 127.0.0.1:23456\n", "");
    retire(files, actual, "defined - a: client 127.0.0.1:1\nrunning 2 b: server 127.0.0.1:23456\n",
           "lab: stop the relay\n");
}

/* Its endpoint is there for it alone. */
static void test_guests_without_connection(void)
{
    static const char *const two = "running 1 a: udp 127.0.0.1:5601>127.0.0.1:5602\n"
                                   "running 2 b: udp 127.0.0.1:5601>127.0.0.1:5603\n";
    g_autoptr(NrActual) actual = made_for(files, two);

    retire(files, actual, two, "lab: stop the relay\n");
    retire(files, actual, two, "");
    retire(files, actual, "", "udp:127.0.0.1:5601: stop the relay\n");
}

/* Who has not dialled by now finds the address as it would be without us. */
static void test_listener_without_guests(void)
{
    static const char *const one = "announced 1 a: client 127.0.0.1:1\n";
    g_autoptr(NrActual) actual = made_for(files, one);

    retire(files, actual, one, "lab: stop the relay\n");
}

/* A network that serves nobody goes at once, whatever its file wants. */
static void test_nobody(void)
{
    g_autoptr(NrActual) actual = made_for(files, "running 1 a: client 127.0.0.1:1\n");

    retire(files, actual, "", "lab: stop the relay\n");
    retire(files, actual, "announced 2 b: client 127.0.0.1:1\n", "");
}

/* Its guests have addresses for a while only; dnsmasq ended with the manager before. */
static void test_addresses(void)
{
    static const char *const one = "running 1 a: client 127.0.0.1:2\n";
    g_autoptr(NrActual) actual = made_for(served, one);

    g_ptr_array_set_size(actual->services, 0);
    connect_guest(actual, "served", FIRST_NIC);
    retire(served, actual, one,
           "served: have dnsmasq serve its guests\nserved: stop listening on *:2\n");
    retire(served, actual, one, "");
    retire(served, actual, "",
           "served: end its dnsmasq\nserved: stop the relay\n"
           "served: take 10.1.0.1/24 from br1, let go of the bridge br1\n");
}

/* Whatever is planned: nothing comes, nothing changes. */
static void test_only_what_ends(void)
{
    g_autoptr(GPtrArray) plan = g_ptr_array_new_with_free_func(nr_action_free);

    for (NrActionKind kind = NR_ACTION_DETACH; kind <= NR_ACTION_STOP; kind++)
        if (kind != NR_ACTION_SERVE)
            g_ptr_array_add(plan, nr_action_new(kind, "lab"));
    nr_retire_plan(plan);
    g_assert_cmpuint(plan->len, ==, 2);
    g_assert_cmpint(((NrAction *)plan->pdata[0])->kind, ==, NR_ACTION_DETACH);
    g_assert_cmpint(((NrAction *)plan->pdata[1])->kind, ==, NR_ACTION_STOP);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/retire/guest that dialled", test_guest_that_dialled);
    g_test_add_func("/retire/guests without connection", test_guests_without_connection);
    g_test_add_func("/retire/listener without guests", test_listener_without_guests);
    g_test_add_func("/retire/nobody", test_nobody);
    g_test_add_func("/retire/addresses", test_addresses);
    g_test_add_func("/retire/only what ends", test_only_what_ends);
    return g_test_run();
}
