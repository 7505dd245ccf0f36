/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Several NICs of a guest at one address: which of them is found to be another one. */
#include "daemon/mixed-up.h"

#include "model-fixture.h"

#define GUEST "00000000-0000-4000-8000-000000000001/"
#define AT    "127.0.0.1:12345"

static void add_port(NrActual *actual, const char *network, const char *nic, const char *source)
{
    NrActualNetwork *there = nr_actual_find(actual, network);
    NrActualPort *port;

    if (!there) {
        there = nr_actual_network_new(network, 1);
        g_ptr_array_add(actual->networks, there);
    }
    port = nr_actual_port_new(there->ports->len + 1, 1);
    port->label = g_strconcat(GUEST, nic, NULL);
    port->source = g_strdup(source);
    g_ptr_array_add(there->ports, port);
}

/* "NIC is OTHER" of each that is found, where the guest's two first NICs were heard from these. */
static char *found(const char *guest, const char *first, const char *second)
{
    static const NrPolicy policy = { .implicit = NR_IMPLICIT_ALL, .system = TRUE, .hooked = TRUE };
    g_autoptr(GPtrArray) guests = fixture_guests(guest);
    g_autoptr(GPtrArray) networks = fixture_networks(NULL);
    g_autoptr(NrDesired) desired = fixture_decide(guests, networks, &policy);
    g_autoptr(NrActual) actual = nr_actual_new();
    g_autoptr(GPtrArray) list = NULL;
    GString *lines = g_string_new(NULL);

    for (guint i = 0; i < 2 && i < desired->bindings->len; i++) {
        const NrBinding *binding = desired->bindings->pdata[i];
        const char *nic = strchr(binding->label, '/') + 1;

        if (binding->network)
            add_port(actual, binding->network, nic, i == 0 ? first : second);
    }
    list = nr_mixed_up_find(desired, actual);
    for (guint i = 0; i < list->len; i++) {
        const NrMixedUp *one = list->pdata[i];

        g_string_append_printf(lines, "%u is %u\n", one->binding->nic->mac.b[5],
                               one->other->nic->mac.b[5]);
    }
    return g_string_free(lines, FALSE);
}

static void test_mixed_up(void)
{
    static const char two[] = "running 1 a: client " AT ", client " AT "\n";
    static const char apart[] = "running 1 a: client " AT ", client 127.0.0.1:12346\n";
    static const char listens[] = "running 1 a: client " AT ", server 127.0.0.1:12346\n";
    static const struct {
        const char *guest, *first, *second, *expected;
    } cases[] = {
        { two, "52:54:00:01:00:00", "52:54:00:01:00:01", "" },
        { two, "52:54:00:01:00:01", "52:54:00:01:00:00", "0 is 1\n1 is 0\n" },
        { two, "52:54:00:01:00:00", "52:54:00:01:00:00", "1 is 0\n" },
        { two, NULL, "52:54:00:01:00:00", "1 is 0\n" },
        { two, "00:00:5e:00:01:01", "52:54:00:02:00:00", "" }, /* nobody's; another guest's */
        { two, "no address", NULL, "" },
        { apart, "52:54:00:01:00:01", "52:54:00:01:00:00", "" }, /* a bridge within */
        { listens, "52:54:00:01:00:01", NULL, "" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *lines = found(cases[i].guest, cases[i].first, cases[i].second);

        g_assert_cmpstr(lines, ==, cases[i].expected);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/mixed-up/first-frames", test_mixed_up);
    return g_test_run();
}
