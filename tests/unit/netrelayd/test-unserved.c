/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A listener that has taken our connection, or has not: one of this test, at a port of its own. */
#include "daemon/unserved.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <time.h>
#include <unistd.h>
#include "model-fixture.h"

#define NIC "00000000-0000-4000-8000-000000000001/52:54:00:01:00:00"

typedef struct {
    int listener, dialled;
    char *peer, *local; /* of what was dialled */
} Pair;

static char *address_text(const struct sockaddr_in *address)
{
    char host[INET_ADDRSTRLEN];

    inet_ntop(AF_INET, &address->sin_addr, host, sizeof(host));
    return g_strdup_printf("%s:%u", host, ntohs(address->sin_port));
}

/* It waits in the listener's backlog. */
static Pair dial(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof(address);
    Pair pair = { .listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
                  .dialled = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };

    g_assert_cmpint(bind(pair.listener, (struct sockaddr *)&address, length), ==, 0);
    g_assert_cmpint(listen(pair.listener, 1), ==, 0);
    g_assert_cmpint(getsockname(pair.listener, (struct sockaddr *)&address, &length), ==, 0);
    g_assert_cmpint(connect(pair.dialled, (struct sockaddr *)&address, length), ==, 0);
    pair.peer = address_text(&address);
    g_assert_cmpint(getsockname(pair.dialled, (struct sockaddr *)&address, &length), ==, 0);
    pair.local = address_text(&address);
    return pair;
}

static void hang_up(Pair *pair)
{
    close(pair->dialled);
    close(pair->listener);
    g_free(pair->peer);
    g_free(pair->local);
}

/* How many are found, of a guest that listens and is dialled. */
static guint count(const Pair *pair, const char *label, enum ctl_port_state state, int age)
{
    static const NrPolicy policy = { .implicit = NR_IMPLICIT_ALL, .system = TRUE, .hooked = TRUE };
    g_autofree char *text = g_strdup_printf("running 1 a: server %s\n", pair->peer);
    g_autoptr(GPtrArray) guests = fixture_guests(text);
    g_autoptr(GPtrArray) networks = fixture_networks(NULL);
    g_autoptr(NrDesired) desired = fixture_decide(guests, networks, &policy);
    g_autoptr(NrActual) actual = nr_actual_new();
    g_autoptr(GPtrArray) found = NULL;
    NrActualPort *port = nr_actual_port_new(1, 1);

    g_ptr_array_add(actual->networks, nr_actual_network_new(pair->peer, 1));
    g_ptr_array_add(nr_actual_find(actual, pair->peer)->ports, port);
    port->label = g_strdup(label);
    port->state = state;
    port->since = (guint64)(time(NULL) - age);
    port->peer = g_strdup(pair->peer);
    port->local = g_strdup(pair->local);
    found = nr_unserved_find(desired, actual);
    return found->len;
}

static void test_waits(void)
{
    Pair pair = dial();

    g_assert_cmpuint(count(&pair, NIC, CTL_PORT_UP, 60), ==, 1);
    g_assert_cmpuint(count(&pair, NIC, CTL_PORT_UP, -3600), ==, 1); /* the clock was set back */
    g_assert_cmpuint(count(&pair, NIC, CTL_PORT_UP, 0), ==, 0);     /* it may still take it */
    g_assert_cmpuint(count(&pair, NIC, CTL_PORT_CLOSING, 60), ==, 0);
    g_assert_cmpuint(count(&pair, NULL, CTL_PORT_UP, 60), ==, 0);
    hang_up(&pair);
}

static void test_is_taken(void)
{
    Pair pair = dial();
    int taken = accept4(pair.listener, NULL, NULL, SOCK_CLOEXEC);

    g_assert_cmpint(taken, >=, 0);
    g_assert_cmpuint(count(&pair, NIC, CTL_PORT_UP, 60), ==, 0);
    close(taken);
    hang_up(&pair);
}

static void test_is_gone(void)
{
    Pair pair = dial();

    close(pair.listener);
    g_assert_cmpuint(count(&pair, NIC, CTL_PORT_UP, 60), ==, 0);
    pair.listener = -1;
    hang_up(&pair);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/unserved/waits", test_waits);
    g_test_add_func("/unserved/is taken", test_is_taken);
    g_test_add_func("/unserved/is gone", test_is_gone);
    return g_test_run();
}
