/* SPDX-License-Identifier: GPL-2.0-or-later */
/* <forward mode='user'>: what becomes of a network's way out when its file changes. */
#include "common/endpoint.h"
#include "model-fixture.h"

#include <string.h>

static const NrPolicy session = { .hooked = TRUE };

#define FORWARD(name)                                                                              \
    "<name>" name "</name><ip address='10.0.0.1' prefix='8'/><forward mode='user'>"
#define PORT(range) "<portForward proto='tcp'>" range "</portForward>"
#define OPTIONS     "net=10.0.0.0/8,host=10.0.0.1,dns=10.0.0.3,dhcpstart=10.0.0.15,ipv6=off"

static void one_pass(NrActual *actual, const char *const *files, const char *expected)
{
    fixture_pass(actual, "", files, &session, expected);
}

/* And another has nothing to do. */
static void pass(NrActual *actual, const char *const *files, const char *expected)
{
    one_pass(actual, files, expected);
    one_pass(actual, files, "");
}

#define FILES(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* A port of the host goes from one guest to another, and then to another network. */
static void test_port_moves(void)
{
    g_autoptr(NrActual) actual = nr_actual_new();

    pass(actual, FILES(FORWARD("a") PORT("<range start='1'/>") "</forward>"),
         "a: start a relay\n"
         "a: start netrelay-user with " OPTIONS ",hostfwd=tcp::1-:1\n");
    pass(actual, FILES(FORWARD("a") PORT("<range start='1' to='2'/>") "</forward>"),
         "a: stop netrelay-user with " OPTIONS ",hostfwd=tcp::1-:1\n"
         "a: start netrelay-user with " OPTIONS ",hostfwd=tcp::1-:2\n");
    pass(actual,
         FILES(FORWARD("a") "</forward>", FORWARD("b") PORT("<range start='1'/>") "</forward>"),
         "a: stop netrelay-user with " OPTIONS ",hostfwd=tcp::1-:2\n"
         "b: start a relay\n"
         "a: start netrelay-user with " OPTIONS "\n"
         "b: start netrelay-user with " OPTIONS ",hostfwd=tcp::1-:1, after a\n");
}

#define LABEL "a123456789b123456789c123456789d123456789e123456789f123456789"

/* What a file may ask for, an endpoint has room for. */
static void test_longest(void)
{
    g_autoptr(GPtrArray) guests = fixture_guests("");
    g_autoptr(GPtrArray) networks = fixture_networks(
        FILES("<name>a</name><ip address='172.255.255.254' prefix='12'/>"
              "<domain name='" LABEL "." LABEL "." LABEL "." LABEL "'/>"
              "<ip address='2001:db8:1111:2222:3333:4444:5555:6666' prefix='64'/>"
              "<forward mode='user'>"
              "<portForward proto='udp' address='192.168.100.200' to='172.255.255.253'>"
              "<range start='65504' end='65535'/></portForward></forward>"));
    g_autoptr(NrDesired) desired = fixture_decide(guests, networks, &session);
    const NrDesiredNetwork *network = g_ptr_array_index(desired->networks, 0);
    const NrDesiredEndpoint *wanted = g_ptr_array_index(network->endpoints, 0);
    struct endpoint endpoint;
    char text[ENDPOINT_TEXT_MAX];
    const char *expected;

    g_assert_cmpint(endpoint_parse(&endpoint, wanted->text, &expected), ==, 0);
    g_assert_cmpstr(endpoint_format(&endpoint, text), ==, wanted->text);
}

int main(int argc, char *argv[])
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/user/port-moves", test_port_moves);
    g_test_add_func("/user/longest", test_longest);
    return g_test_run();
}
