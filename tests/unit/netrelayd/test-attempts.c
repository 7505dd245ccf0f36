/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include "daemon/attempts.h"
#include "model-fixture.h"

#define LISTEN "listen:127.0.0.1:12345"
#define NET    "127.0.0.1:12345"

static NrAction attach(gboolean named, int newest_id)
{
    return (NrAction){ .kind = NR_ACTION_ATTACH,
                       .network = (char *)NET,
                       .endpoint = (char *)LISTEN,
                       .named = named,
                       .newest_id = newest_id };
}

static NrAction spawn(void)
{
    return (NrAction){ .kind = NR_ACTION_SPAWN, .network = (char *)NET, .newest_id = -1 };
}

static void test_backoff(void)
{
    g_autoptr(NrAttempts) attempts = nr_attempts_new();
    NrAction action = attach(TRUE, 1);
    gint64 now = 1000, waited[8];

    g_assert_true(nr_attempts_allow(attempts, &action, now));
    for (guint i = 0; i < G_N_ELEMENTS(waited); i++) {
        gboolean news = nr_attempts_failed(attempts, &action, -EADDRINUSE, "taken", now);

        g_assert_cmpint(news, ==, i == 0); /* a person is told once */
        waited[i] = nr_attempts_next(attempts) - now;
        g_assert_false(nr_attempts_allow(attempts, &action, now + waited[i] - 1));
        now += waited[i];
        g_assert_true(nr_attempts_allow(attempts, &action, now));
    }
    g_assert_cmpint(waited[0], ==, NR_ATTEMPT_FIRST_MS);
    g_assert_cmpint(waited[1], ==, 2 * NR_ATTEMPT_FIRST_MS);
    g_assert_cmpint(waited[7], ==, NR_ATTEMPT_LAST_MS);
    g_assert_true(nr_attempts_failed(attempts, &action, -EACCES, "forbidden", now));
    g_assert_cmpstr(nr_attempts_find(attempts, NET, LISTEN)->text, ==, "forbidden");

    nr_attempts_worked(attempts, &action);
    g_assert_null(nr_attempts_find(attempts, NET, LISTEN));
    g_assert_cmpint(nr_attempts_next(attempts), ==, -1);
}

static void test_foreign(void)
{
    g_autoptr(NrAttempts) attempts = nr_attempts_new();
    NrAction action = attach(FALSE, 3), named = attach(TRUE, 3);
    NrDesiredEndpoint endpoint = { .text = (char *)LISTEN, .newest_id = 3 };

    nr_attempts_failed(attempts, &action, -EADDRINUSE, "taken", 0);
    g_assert_true(nr_attempts_find(attempts, NET, LISTEN)->foreign);
    g_assert_true(nr_attempts_is_foreign(attempts, NET, &endpoint));
    g_assert_cmpint(nr_attempts_next(attempts), ==, -1);
    /* Neither time nor a wish to retry takes it from a process that restarts. */
    nr_attempts_retry(attempts, NET, LISTEN);
    nr_attempts_retry_all(attempts);
    g_assert_false(nr_attempts_allow(attempts, &action, G_MAXINT32));
    g_assert_true(nr_attempts_allow(attempts, &named, 0));
    /* A guest that starts after that may have it. */
    action.newest_id = endpoint.newest_id = 4;
    g_assert_true(nr_attempts_allow(attempts, &action, 0));
    g_assert_false(nr_attempts_is_foreign(attempts, NET, &endpoint));
    /* Only an address in use is foreign, and nothing that is named. */
    nr_attempts_failed(attempts, &action, -EACCES, "forbidden", 0);
    g_assert_false(nr_attempts_find(attempts, NET, LISTEN)->foreign);
    nr_attempts_failed(attempts, &named, -EADDRINUSE, "taken", 0);
    g_assert_false(nr_attempts_find(attempts, NET, LISTEN)->foreign);
}

static void test_deaths(void)
{
    g_autoptr(NrAttempts) attempts = nr_attempts_new();
    NrAction action = spawn();

    nr_attempts_died(attempts, NET, "", 60000, "killed", 1000);
    g_assert_true(nr_attempts_allow(attempts, &action, 1000)); /* it lived long: at once */
    nr_attempts_died(attempts, NET, "", 10, "killed", 1000);
    g_assert_false(nr_attempts_allow(attempts, &action, 1000));
    g_assert_true(nr_attempts_allow(attempts, &action, 1999)); /* within a second */
    /* It starts, and dies again, and again: the back-off is not forgotten in between. */
    nr_attempts_worked(attempts, &action);
    g_assert_null(nr_attempts_find(attempts, NET, ""));
    nr_attempts_died(attempts, NET, "", 10, "killed", 2000);
    g_assert_cmpint(nr_attempts_next(attempts), ==, 4000);
    nr_attempts_worked(attempts, &action);
    nr_attempts_died(attempts, NET, "", 10, "killed", 4000);
    g_assert_cmpint(nr_attempts_next(attempts), ==, 8000);
}

/* An address that was not this host's may be by now; what another process holds is not. */
static void test_retry_devices(void)
{
    static const int errors[] = { -EADDRNOTAVAIL, -ENODEV, -EACCES };
    static const char *const endpoints[] = { LISTEN, "bridge:br0", "udp:127.0.0.1:1:127.0.0.1:2" };
    g_autoptr(NrAttempts) attempts = nr_attempts_new();

    for (guint i = 0; i < G_N_ELEMENTS(errors); i++) {
        NrAction action = attach(TRUE, 1);

        action.endpoint = (char *)endpoints[i];
        nr_attempts_failed(attempts, &action, errors[i], "failed", 1000);
        g_assert_false(nr_attempts_allow(attempts, &action, 1000));
    }
    nr_attempts_retry_devices(attempts);
    for (guint i = 0; i < G_N_ELEMENTS(errors); i++) {
        NrAction action = attach(TRUE, 1);

        action.endpoint = (char *)endpoints[i];
        g_assert_cmpint(nr_attempts_allow(attempts, &action, 1000), ==, i < 2);
        if (i == 2) {
            nr_attempts_retry_all(attempts);
            g_assert_true(nr_attempts_allow(attempts, &action, 1000));
        }
    }
}

static void test_keep_and_settle(void)
{
    g_autoptr(NrAttempts) attempts = nr_attempts_new();
    g_autoptr(GPtrArray) guests = fixture_guests("running 1 web: client 127.0.0.1:12345\n");
    g_autoptr(GPtrArray) none = g_ptr_array_new();
    NrPolicy policy = { .hooked = TRUE };
    g_autoptr(NrDesired) wanted = fixture_decide(guests, none, &policy);
    g_autoptr(NrDesired) empty = fixture_decide(none, none, &policy);
    g_autoptr(NrActual) actual = nr_actual_new();
    NrActualNetwork *network = nr_actual_network_new(NET, 1);
    NrAction action = attach(TRUE, 1);

    nr_attempts_failed(attempts, &action, -EADDRINUSE, "taken", 0);
    nr_attempts_keep(attempts, wanted);
    g_assert_nonnull(nr_attempts_find(attempts, NET, LISTEN));
    nr_attempts_keep(attempts, empty);
    g_assert_null(nr_attempts_find(attempts, NET, LISTEN));

    nr_attempts_failed(attempts, &action, -ETIMEDOUT, "late", 0);
    g_ptr_array_add(actual->networks, network);
    nr_attempts_settle(attempts, actual);
    g_assert_nonnull(nr_attempts_find(attempts, NET, LISTEN));
    g_ptr_array_add(network->endpoints, nr_actual_endpoint_new(1, LISTEN));
    nr_attempts_settle(attempts, actual);
    g_assert_null(nr_attempts_find(attempts, NET, LISTEN));
}

/* A relay that did not answer at its start and does now; its back-off is not forgotten. */
static void test_settle_relay(void)
{
    g_autoptr(NrAttempts) attempts = nr_attempts_new();
    g_autoptr(NrActual) actual = nr_actual_new();
    NrAction action = spawn();

    nr_attempts_failed(attempts, &action, -ETIMEDOUT, "it does not answer", 0);
    nr_attempts_settle(attempts, actual);
    g_assert_nonnull(nr_attempts_find(attempts, NET, ""));
    g_ptr_array_add(actual->networks, nr_actual_network_new(NET, 1));
    nr_attempts_settle(attempts, actual);
    g_assert_null(nr_attempts_find(attempts, NET, ""));
    nr_attempts_failed(attempts, &action, -ETIMEDOUT, "it does not answer", 0);
    g_assert_cmpint(nr_attempts_next(attempts), ==, 2 * NR_ATTEMPT_FIRST_MS);
}

/* A bridge that is made and taken back: changes of devices that are no reason to try again. */
static void test_own_devices(void)
{
    g_autoptr(NrAttempts) attempts = nr_attempts_new();
    g_autoptr(GPtrArray) ground = g_ptr_array_new();
    NrAction action = attach(TRUE, 1);

    action.endpoint = (char *)"bridge:virbr9";
    action.ground = ground;
    nr_attempts_failed(attempts, &action, -EADDRINUSE, "failed", 1000);
    nr_attempts_retry_devices(attempts);
    g_assert_false(nr_attempts_allow(attempts, &action, 1000));
    action.ground = NULL; /* it is laid, and something else fails */
    nr_attempts_failed(attempts, &action, -ENODEV, "failed", 1000);
    nr_attempts_retry_devices(attempts);
    g_assert_true(nr_attempts_allow(attempts, &action, 1000));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/attempts/back-off", test_backoff);
    g_test_add_func("/attempts/foreign", test_foreign);
    g_test_add_func("/attempts/deaths", test_deaths);
    g_test_add_func("/attempts/retry-devices", test_retry_devices);
    g_test_add_func("/attempts/own-devices", test_own_devices);
    g_test_add_func("/attempts/keep-and-settle", test_keep_and_settle);
    g_test_add_func("/attempts/settle-relay", test_settle_relay);
    return g_test_run();
}
