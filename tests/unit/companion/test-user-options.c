/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <glib.h>
#include "relay-user/options.h"

static const char *v4(struct in_addr address)
{
    static char text[4][INET_ADDRSTRLEN];
    static unsigned turn;
    char *buf = text[turn++ % 4];

    return inet_ntop(AF_INET, &address, buf, INET_ADDRSTRLEN);
}

static const char *v6(const struct in6_addr *address)
{
    static char text[INET6_ADDRSTRLEN];

    return inet_ntop(AF_INET6, address, text, sizeof(text));
}

static struct user_options parsed(const char *text)
{
    struct user_options options;
    char error[USER_ERROR_MAX] = "";
    int r = user_options_parse(&options, text, error);

    g_assert_cmpstr(error, ==, "");
    g_assert_cmpint(r, ==, 0);
    return options;
}

static void test_defaults(void)
{
    struct user_options o = parsed("");

    g_assert_true(o.ipv4 && o.ipv6 && !o.restricted);
    g_assert_cmpstr(v4(o.net), ==, "10.0.2.0");
    g_assert_cmpstr(v4(o.mask), ==, "255.255.255.0");
    g_assert_cmpstr(v4(o.host), ==, "10.0.2.2");
    g_assert_cmpstr(v4(o.dns), ==, "10.0.2.3");
    g_assert_cmpstr(v4(o.dhcp_start), ==, "10.0.2.15");
    g_assert_cmpstr(v6(&o.net6), ==, "fec0::");
    g_assert_cmpuint(o.net6_bits, ==, 64);
    g_assert_cmpstr(v6(&o.host6), ==, "fec0::2");
    g_assert_cmpstr(v6(&o.dns6), ==, "fec0::3");
    g_assert_cmpuint(o.n_forwards, ==, 0);
}

/* As QEMU: the last bytes stay those of the usual network. */
static void test_net(void)
{
    static const struct {
        const char *text, *net, *mask, *host, *dhcp_start;
    } rows[] = {
        { "net=192.168.76.0/24", "192.168.76.0", "255.255.255.0", "192.168.76.2", "192.168.76.15" },
        { "net=192.168.76.9/24", "192.168.76.0", "255.255.255.0", "192.168.76.2", "192.168.76.15" },
        { "net=192.168.76.0", "192.168.76.0", "255.255.255.0", "192.168.76.2", "192.168.76.15" },
        { "net=172.16.0.0", "172.16.0.0", "255.255.0.0", "172.16.2.2", "172.16.2.15" },
        { "net=10.0.0.0", "10.0.0.0", "255.0.0.0", "10.0.2.2", "10.0.2.15" },
        { "net=10.9.9.32/27", "10.9.9.32", "255.255.255.224", "10.9.9.34", "10.9.9.47" },
        { "host=10.0.2.9,net=10.0.2.0/24,dhcpstart=10.0.2.100", "10.0.2.0", "255.255.255.0",
          "10.0.2.9", "10.0.2.100" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); ++i) {
        struct user_options o = parsed(rows[i].text);

        g_assert_cmpstr(v4(o.net), ==, rows[i].net);
        g_assert_cmpstr(v4(o.mask), ==, rows[i].mask);
        g_assert_cmpstr(v4(o.host), ==, rows[i].host);
        g_assert_cmpstr(v4(o.dhcp_start), ==, rows[i].dhcp_start);
    }
}

static void test_net6(void)
{
    struct user_options o = parsed("ipv6-net=fd00:1::7/48");

    g_assert_cmpstr(v6(&o.net6), ==, "fd00:1::");
    g_assert_cmpuint(o.net6_bits, ==, 48);
    g_assert_cmpstr(v6(&o.host6), ==, "fd00:1::2");
    o = parsed("ipv6-prefix=fd00:2::,ipv6-prefixlen=60,ipv6-dns=fd00:2::53,ipv4=off");
    g_assert_cmpstr(v6(&o.net6), ==, "fd00:2::");
    g_assert_cmpuint(o.net6_bits, ==, 60);
    g_assert_cmpstr(v6(&o.dns6), ==, "fd00:2::53");
    g_assert_false(o.ipv4);
}

static void test_texts(void)
{
    struct user_options o = parsed("hostname=vm,domainname=lab.example,dnssearch=a.example,"
                                   "dnssearch=b.example,tftp=/srv/a,,b,bootfile=pxe.0,"
                                   "tftp-server-name=boot,restrict=on");

    g_assert_cmpstr(o.hostname, ==, "vm");
    g_assert_cmpstr(o.domainname, ==, "lab.example");
    g_assert_cmpuint(o.n_dnssearch, ==, 2);
    g_assert_cmpstr(o.dnssearch[1], ==, "b.example");
    g_assert_cmpstr(o.tftp, ==, "/srv/a,b");
    g_assert_cmpstr(o.bootfile, ==, "pxe.0");
    g_assert_cmpstr(o.tftp_server_name, ==, "boot");
    g_assert_true(o.restricted);
}

static void test_forwards(void)
{
    struct user_options o = parsed("hostfwd=tcp::2222-:22,hostfwd=udp:127.0.0.1:53-10.0.2.20:5353,"
                                   "hostfwd=::80-:80");

    g_assert_cmpuint(o.n_forwards, ==, 3);
    g_assert_false(o.forward[0].udp);
    g_assert_cmpstr(v4(o.forward[0].host), ==, "0.0.0.0");
    g_assert_cmpuint(o.forward[0].host_port, ==, 2222);
    g_assert_cmpstr(v4(o.forward[0].guest), ==, "0.0.0.0");
    g_assert_cmpuint(o.forward[0].guest_port, ==, 22);
    g_assert_true(o.forward[1].udp);
    g_assert_cmpstr(v4(o.forward[1].host), ==, "127.0.0.1");
    g_assert_cmpstr(v4(o.forward[1].guest), ==, "10.0.2.20");
    g_assert_cmpuint(o.forward[1].guest_port, ==, 5353);
    g_assert_false(o.forward[2].udp);
}

/* A text, and what its error has in it: the option, and what was expected. */
static void test_wrong(void)
{
    static const struct {
        const char *text, *names, *expected;
    } rows[] = {
        { "x=1", "'x'", "hostfwd" },
        { "guestfwd=tcp:10.0.2.4:1-cmd:x", "'guestfwd'", "KEY=VALUE" },
        { "net", "'net'", "KEY=VALUE" },
        { "net=10.0.2.0/7", "net=10.0.2.0/7", "8 to 27 bits" },
        { "net=10.0.2.0/28", "net=", "8 to 27 bits" },
        { "net=10.0.2.0/", "net=", "8 to 27 bits" },
        { "net=300.0.0.0/8", "net=", "8 to 27 bits" },
        { "net=10.0.2.0/24/24", "net=", "8 to 27 bits" },
        { "host=foo", "host=foo", "an IPv4 address" },
        { "host=10.0.3.2", "host=10.0.3.2", "an address of net" },
        { "host=10.0.2.255", "host=", "an address of net" },
        { "dns=10.0.3.3", "dns=10.0.3.3", "an address of net" },
        { "dns=10.0.2.2", "dns=10.0.2.2", "another address than host" },
        { "dhcpstart=10.0.3.15", "dhcpstart=", "sixteen addresses" },
        { "dhcpstart=10.0.2.250", "dhcpstart=", "sixteen addresses" },
        { "dhcpstart=10.0.2.1", "dhcpstart=", "without host and dns" },
        { "ipv6-net=10.0.2.0/24", "ipv6-net=", "an IPv6 network" },
        { "ipv6-net=fd00::/127", "ipv6-net=", "0 to 126" },
        { "ipv6-host=fd00::1", "ipv6-host=fd00::1", "ipv6-net" },
        { "ipv6-dns=fec0::2", "ipv6-dns=fec0::2", "another address" },
        { "ipv4=off,ipv6=off", "ipv6=off", "not both" },
        { "restrict=maybe", "restrict=maybe", "on or off" },
        { "hostname=", "hostname=", "at most 32" },
        { "hostname=0123456789012345678901234567890123", "hostname=", "at most 32" },
        { "tftp=srv", "tftp=srv", "from / on" },
        { "hostfwd=tcp::0-:22", "hostfwd=tcp::0-:22", "1 to 65535" },
        { "hostfwd=tcp::65536-:22", "hostfwd=", "1 to 65535" },
        { "hostfwd=tcp::22-:0", "hostfwd=", "1 to 65535" },
        { "hostfwd=tcp::22-:", "hostfwd=", "1 to 65535" },
        { "hostfwd=tcp::-1-:22", "hostfwd=", "1 to 65535" },
        { "hostfwd=sctp::22-:22", "hostfwd=", "[tcp|udp]:" },
        { "hostfwd=tcp::22", "hostfwd=", "[tcp|udp]:" },
        { "hostfwd=tcp:22-:22", "hostfwd=", "[tcp|udp]:" },
        { "hostfwd=tcp:localhost:22-:22", "hostfwd=", "[tcp|udp]:" },
        { "hostfwd=tcp::22-10.0.3.15:22", "hostfwd=10.0.3.15", "in net" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); ++i) {
        struct user_options options;
        char error[USER_ERROR_MAX] = "";

        g_test_message("%s", rows[i].text);
        g_assert_cmpint(user_options_parse(&options, rows[i].text, error), ==, -EINVAL);
        g_test_message("%s", error);
        g_assert_nonnull(strstr(error, rows[i].names));
        g_assert_nonnull(strstr(error, rows[i].expected));
    }
}

/* As many as there may be, and one more. */
static void test_bounds(void)
{
    g_autoptr(GString) text = g_string_new("");
    struct user_options options;
    char error[USER_ERROR_MAX];

    for (int i = 0; i < USER_FORWARDS_MAX; ++i)
        g_string_append_printf(text, "%shostfwd=tcp:255.255.255.255:%d-10.0.2.254:65535",
                               i ? "," : "", 65500 + i);
    g_assert_cmpuint(text->len, <, USER_TEXT_MAX);
    g_assert_cmpuint(parsed(text->str).n_forwards, ==, USER_FORWARDS_MAX);
    g_string_assign(text, "");
    while (text->len < USER_TEXT_MAX)
        g_string_append(text, "ipv4=on,");
    g_assert_cmpint(user_options_parse(&options, text->str, error), ==, -EINVAL);
    g_string_assign(text, "");
    for (int i = 0; i <= USER_DNSSEARCH_MAX; ++i)
        g_string_append(text, "dnssearch=a,");
    g_assert_cmpint(user_options_parse(&options, text->str, error), ==, -EINVAL);
    g_assert_nonnull(strstr(error, "at most 16"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/user-options/defaults", test_defaults);
    g_test_add_func("/user-options/net", test_net);
    g_test_add_func("/user-options/net6", test_net6);
    g_test_add_func("/user-options/texts", test_texts);
    g_test_add_func("/user-options/forwards", test_forwards);
    g_test_add_func("/user-options/wrong", test_wrong);
    g_test_add_func("/user-options/bounds", test_bounds);
    return g_test_run();
}
