/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <glib.h>
#include <string.h>
#include "common/endpoint.h"

#define NAME_63 "a23456789012345678901234567890123456789012345678901234567890123"
#define NAME_253                                                                                   \
    NAME_63 "." NAME_63 "." NAME_63 ".b2345678901234567890123456789012345678901234567890123456789" \
            "01"

/* What people write, and its one canonical form. */
static const struct {
    const char *text, *canonical;
} good[] = {
    { .text = "-", .canonical = "-" },
    { .text = "127.0.0.1:80", .canonical = "tcp:127.0.0.1:80" },
    { .text = "tcp:127.0.0.1:65535", .canonical = "tcp:127.0.0.1:65535" },
    { .text = "[::1]:80", .canonical = "tcp:[::1]:80" },
    { .text = "tcp:[0:0:0:0:0:0:0:1]:1", .canonical = "tcp:[::1]:1" },
    { .text = "[2001:DB8::A]:80", .canonical = "tcp:[2001:db8::a]:80" },
    { .text = "[::ffff:10.0.0.1]:80", .canonical = "tcp:[::ffff:10.0.0.1]:80" },
    { .text = "HostB.example:12345", .canonical = "tcp:hostb.example:12345" },
    { .text = "host:12345", .canonical = "tcp:host:12345" },
    { .text = "host.:12345", .canonical = "tcp:host.:12345" },
    { .text = "3com.example:1", .canonical = "tcp:3com.example:1" },
    { .text = "1.2.3.x4:1", .canonical = "tcp:1.2.3.x4:1" },
    { .text = "0x7g:1", .canonical = "tcp:0x7g:1" },
    { .text = "xn--bcher-kva:1", .canonical = "tcp:xn--bcher-kva:1" },
    { .text = NAME_63 ":1", .canonical = "tcp:" NAME_63 ":1" },
    { .text = NAME_253 ":1", .canonical = "tcp:" NAME_253 ":1" },
    { .text = "listen:12345", .canonical = "listen:*:12345" },
    { .text = "listen:*:12345", .canonical = "listen:*:12345" },
    { .text = "listen:0.0.0.0:1", .canonical = "listen:0.0.0.0:1" },
    { .text = "listen:[::]:1", .canonical = "listen:[::]:1" },
    { .text = "listen:10.0.0.1:12345", .canonical = "listen:10.0.0.1:12345" },
    { .text = "listen:[fe80::1]:12345", .canonical = "listen:[fe80::1]:12345" },
    { .text = "listen:localhost:12345", .canonical = "listen:localhost:12345" },
    { .text = "5000:10.0.0.2:6000", .canonical = "udp:*:5000:10.0.0.2:6000" },
    { .text = "5000:10.0.0.2:", .canonical = "udp:*:5000:10.0.0.2:5000" },
    { .text = ":10.0.0.2:6000", .canonical = "udp:*:6000:10.0.0.2:6000" },
    { .text = "5000:[::1]:6000", .canonical = "udp:*:5000:[::1]:6000" },
    { .text = "5000:[2001:db8::1]:", .canonical = "udp:*:5000:[2001:db8::1]:5000" },
    { .text = ":peer.example:6000", .canonical = "udp:*:6000:peer.example:6000" },
    { .text = "udp:5000:10.0.0.2:6000", .canonical = "udp:*:5000:10.0.0.2:6000" },
    { .text = "udp::10.0.0.2:6000", .canonical = "udp:*:6000:10.0.0.2:6000" },
    { .text = "udp:127.0.0.1:1:127.0.0.2:2", .canonical = "udp:127.0.0.1:1:127.0.0.2:2" },
    { .text = "udp:*:1:127.0.0.2:2", .canonical = "udp:*:1:127.0.0.2:2" },
    { .text = "udp::1:127.0.0.2:2", .canonical = "udp:*:1:127.0.0.2:2" },
    { .text = "udp:[::1]:1:[::2]:2", .canonical = "udp:[::1]:1:[::2]:2" },
    { .text = "udp:localhost:1:[::2]:2", .canonical = "udp:localhost:1:[::2]:2" },
    { .text = "udp:" NAME_253 ":65534:" NAME_253 ":65535",
      .canonical = "udp:" NAME_253 ":65534:" NAME_253 ":65535" },
    { .text = "tap:tap0", .canonical = "tap:tap0" },
    { .text = "tap:12345", .canonical = "tap:12345" },
    { .text = "tap:abcdefghijklmno", .canonical = "tap:abcdefghijklmno" },
    { .text = "tap:t0,ip=10.0.0.1/8,ip=FD00:0::1/64",
      .canonical = "tap:t0,ip=10.0.0.1/8,ip=fd00::1/64" },
    { .text = "bridge:br0", .canonical = "bridge:br0" },
    { .text = "bridge:123", .canonical = "bridge:123" },
    { .text = "br0", .canonical = "bridge:br0" },
    { .text = "br0.100", .canonical = "bridge:br0.100" },
    { .text = "br\xc3\xbc"
              "cke",
      .canonical = "bridge:br\xc3\xbc"
                   "cke" },
    { .text = "tcp", .canonical = "bridge:tcp" },
    { .text = "4001::4002", .canonical = "udp:*:4001:127.0.0.1:4002" },
    { .text = "udp:4001::4002", .canonical = "udp:*:4001:127.0.0.1:4002" },
    { .text = "fd:0", .canonical = "fd:0" },
    { .text = "udp:5000,learn", .canonical = "udp:*:5000,learn" },
    { .text = "udp:[::1]:5000,learn,pin", .canonical = "udp:[::1]:5000,learn,pin" },
    { .text = "mcast:230.0.0.1:1234", .canonical = "mcast:230.0.0.1:1234" },
    { .text = "mcast:239.1.2.3:1234@127.0.0.1", .canonical = "mcast:239.1.2.3:1234@127.0.0.1" },
    { .text = "mcast:239.1.2.3:1234@eth0,ttl=4", .canonical = "mcast:239.1.2.3:1234@eth0,ttl=4" },
    { .text = "mcast:[FF02::1]:1@lo", .canonical = "mcast:[ff02::1]:1@lo" },
    { .text = "mcast:[ff02::1]:1@[::1]", .canonical = "mcast:[ff02::1]:1@[::1]" },
    { .text = "unix:/run/a b", .canonical = "unix:/run/a b" },
    { .text = "unix:a,,b,guest", .canonical = "unix:a,,b,guest" },
    { .text = "unix-listen:vm.sock", .canonical = "unix-listen:vm.sock" },
    { .text = "unix-dgram:/a:/b", .canonical = "unix-dgram:/a:/b" },
    { .text = "vde:/run/vde.ctl", .canonical = "vde:/run/vde.ctl" },
    { .text = "user:", .canonical = "user:" },
    { .text = "user:net=10.0.2.0/24", .canonical = "user:net=10.0.2.0/24" },
    { .text = "user:tftp=/a,,b,net=1", .canonical = "user:tftp=/a,,b,net=1" },
    { .text = "user:,tftp=/srv,storm=0", .canonical = "user:tftp=/srv,storm=0" },
    { .text = "user:hostfwd=tcp::2222-:22,hostfwd=udp::1-:1",
      .canonical = "user:hostfwd=tcp::2222-:22,hostfwd=udp::1-:1" },
    { .text = "br0,pin=52:54:00:AA:00:01,storm=100",
      .canonical = "bridge:br0,pin=52:54:00:aa:00:01,storm=100" },
    { .text = "br,,0", .canonical = "bridge:br,,0" },
    { .text = "-,guest", .canonical = "-,guest" },
    { .text = "10.0.0.1:80,allow=52:54:00:ff:ff:ff/20,deny=52:54:00:00:00:01",
      .canonical = "tcp:10.0.0.1:80,allow=52:54:00:00:00:00/20,deny=52:54:00:00:00:01" },
    { .text = "listen:1,deny=01:00:00:00:00:00/8",
      .canonical = "listen:*:1,deny=01:00:00:00:00:00/8" },
    { .text = "fd:2147483647", .canonical = "fd:2147483647" },
};

static const struct {
    const char *text;
    const char *expected; /* a part of the phrase */
} wrong[] = {
    { .text = "", .expected = "an endpoint, such as" },
    { .text = ":", .expected = "the peer's address" },
    { .text = "::", .expected = "in brackets, as in [::1]:80" },
    { .text = ":::", .expected = "an endpoint, such as" },
    { .text = "-1", .expected = "an endpoint, such as" },
    { .text = "--hub", .expected = "an endpoint, such as" },
    { .text = "0", .expected = "a port alone belongs to -l" },
    { .text = "12345", .expected = "a port alone belongs to -l" },
    { .text = "127.0.0.1", .expected = "there is no port" },
    { .text = "[::1]", .expected = "there is no port" },
    { .text = "::1", .expected = "in brackets, as in [::1]:80" },
    { .text = "::1:80", .expected = "in brackets, as in [::1]:80" },
    { .text = "80::80", .expected = "two different ports" },
    { .text = "0::80", .expected = "a port number from 1 to 65535" },
    { .text = "80::65536", .expected = "a port number from 1 to 65535" },
    { .text = "80::", .expected = "in brackets, as in [::1]:80" },
    { .text = "::80", .expected = "in brackets, as in [::1]:80" },
    { .text = "1::2:80", .expected = "in brackets, as in [::1]:80" },
    { .text = "fe80::1:2:3:80", .expected = "in brackets, as in [::1]:80" },
    { .text = "tcp:::1:80", .expected = "in brackets, as in [::1]:80" },
    { .text = "listen:::1:80", .expected = "in brackets, as in [::1]:80" },
    { .text = "udp:::1:80", .expected = "in brackets, as in [::1]:80" },
    { .text = "127.0.0.1:0", .expected = "a port number from 1 to 65535" },
    { .text = "127.0.0.1:65536", .expected = "a port number from 1 to 65535" },
    { .text = "127.0.0.1:70000", .expected = "a port number from 1 to 65535" },
    { .text = "127.0.0.1:99999999999999999999999", .expected = "a port number from 1 to 65535" },
    { .text = "127.0.0.1:-1", .expected = "a port number from 1 to 65535" },
    { .text = "127.0.0.1:+1", .expected = "a port number from 1 to 65535" },
    { .text = "127.0.0.1: 1", .expected = "a port number from 1 to 65535" },
    { .text = "127.0.0.1:1 ", .expected = "a port number from 1 to 65535" },
    { .text = "127.0.0.1:080", .expected = "a port number from 1 to 65535" },
    { .text = "127.0.0.1:0x50", .expected = "a port number from 1 to 65535" },
    { .text = "127.0.0.1:", .expected = "a port number from 1 to 65535" },
    { .text = "127.0.0.1:abc", .expected = "a port number from 1 to 65535" },
    { .text = ":80", .expected = "the peer's address" },
    { .text = "tcp:80", .expected = "ADDR:PORT" },
    { .text = "tcp:", .expected = "ADDR:PORT" },
    { .text = "tcp:1:127.0.0.1:2", .expected = "ADDR:PORT" },
    { .text = "*:80", .expected = "an IPv4 address, an IPv6 address in brackets, or a host" },
    { .text = "300.1.1.1:80", .expected = "an IPv4 address, an IPv6" },
    { .text = "1.2.3:80", .expected = "an IPv4 address, an IPv6" },
    { .text = "1.2.3.4.5:80", .expected = "an IPv4 address, an IPv6" },
    { .text = "127.1:80", .expected = "an IPv4 address, an IPv6" },
    { .text = "2130706433:80", .expected = "an IPv4 address, an IPv6" },
    { .text = "0x7f000001:80", .expected = "an IPv4 address, an IPv6" },
    { .text = "1.2.3.0X4:80", .expected = "an IPv4 address, an IPv6" },
    { .text = "-host:80", .expected = "an IPv4 address, an IPv6" },
    { .text = "host-.example:80", .expected = "an IPv4 address, an IPv6" },
    { .text = "ho_st:80", .expected = "an IPv4 address, an IPv6" },
    { .text = "ho st:80", .expected = "an IPv4 address, an IPv6" },
    { .text = "host\n:80", .expected = "an IPv4 address, an IPv6" },
    { .text = "h\xc3\xb6st:80", .expected = "an IPv4 address, an IPv6" },
    { .text = "a..b:80", .expected = "an IPv4 address, an IPv6" },
    { .text = "host..:80", .expected = "an IPv4 address, an IPv6" },
    { .text = ".:80", .expected = "an IPv4 address, an IPv6" },
    { .text = "x" NAME_63 ":80", .expected = "an IPv4 address, an IPv6" },
    { .text = "a" NAME_253 ":80", .expected = "an IPv4 address, an IPv6" },
    { .text = "[127.0.0.1]:80", .expected = "an IPv6 address in brackets" },
    { .text = "[]:80", .expected = "an IPv6 address in brackets" },
    { .text = "[host]:80", .expected = "an IPv6 address in brackets" },
    { .text = "[::1%lo]:80", .expected = "in brackets without %SCOPE" },
    { .text = "[::1:80", .expected = "in brackets, as in [::1]:80" },
    { .text = "[::1]]:80", .expected = "an IPv6 address in brackets" },
    { .text = "[::1]80", .expected = "in brackets, as in [::1]:80" },
    { .text = "x[::1]:80", .expected = "an IPv4 address, an IPv6" },
    { .text = "[1::2::3]:80", .expected = "an IPv6 address in brackets" },
    { .text = "listen:", .expected = "a port number from 1 to 65535" },
    { .text = "listen:0", .expected = "a port number from 1 to 65535" },
    { .text = "listen:abc", .expected = "a port number from 1 to 65535" },
    { .text = "listen::80", .expected = "[ADDR:]PORT" },
    { .text = "listen:a:b:80", .expected = "[ADDR:]PORT" },
    { .text = ":10.0.0.1:", .expected = "a port number for one side at least" },
    { .text = "abc:10.0.0.1:80", .expected = "before the first colon tcp" },
    { .text = "0:10.0.0.1:80", .expected = "a port number from 1 to 65535" },
    { .text = "80:10.0.0.1:65536", .expected = "a port number from 1 to 65535" },
    { .text = "80:*:80", .expected = "an IPv4 address, an IPv6" },
    { .text = "127.0.0.1:1:127.0.0.2:2", .expected = "an endpoint, such as" },
    { .text = "udp:", .expected = "a port number from 1 to 65535" },
    { .text = "udp:80", .expected = "LADDR:LPORT:RADDR:RPORT or" },
    { .text = "udp:127.0.0.1:80", .expected = "LADDR:LPORT:RADDR:RPORT or" },
    { .text = "udp:1.1.1.1:1:2.2.2.2:2:3", .expected = "LADDR:LPORT:RADDR:RPORT or" },
    { .text = "udp:1.1.1.1:1:2.2.2.2:", .expected = "a port number from 1 to 65535" },
    { .text = "udp:1.1.1.1::2.2.2.2:2", .expected = "a port number from 1 to 65535" },
    { .text = "udp:1.1.1.1:1::2", .expected = "the peer's address" },
    { .text = "udp:1.1.1.1:1:*:2", .expected = "an IPv4 address, an IPv6" },
    { .text = "udp:1.1.1.1:1:[::1]:2", .expected = "two IPv4 or two IPv6" },
    { .text = "udp:[::1]:1:1.1.1.1:2", .expected = "two IPv4 or two IPv6" },
    { .text = "tap:", .expected = "a device name of 1 to 15" },
    { .text = "tap:abcdefghijklmnop", .expected = "a device name of 1 to 15" },
    { .text = "tap:a/b", .expected = "a device name of 1 to 15" },
    { .text = "tap:a:b", .expected = "a device name of 1 to 15" },
    { .text = "tap:tap%d", .expected = "a device name of 1 to 15" },
    { .text = "tap:.", .expected = "a device name of 1 to 15" },
    { .text = "bridge:..", .expected = "a device name of 1 to 15" },
    { .text = "bridge:", .expected = "a device name of 1 to 15" },
    { .text = "bridge:br 0", .expected = "a device name of 1 to 15" },
    { .text = "br\t0", .expected = "a device name of 1 to 15" },
    { .text = "br0\x7f", .expected = "a device name of 1 to 15" },
    { .text = "../br0", .expected = "a kind before a path" },
    { .text = "/run/vm.sock", .expected = "unix:PATH dials, unix-listen:PATH listens" },
    { .text = "bride:br0", .expected = "before the first colon tcp" },
    { .text = "tab:tap0", .expected = "before the first colon tcp" },
    { .text = "connect=127.0.0.1:80", .expected = "before the first colon tcp" },
    { .text = "unix-listn:/run/vm.sock", .expected = "before the first colon tcp" },
    { .text = "host:", .expected = "a port number from 1 to 65535" },
    { .text = "a-long-bridge-name", .expected = "a device name of 1 to 15" },
    { .text = "fd:", .expected = "the number of a descriptor" },
    { .text = "fd:-1", .expected = "the number of a descriptor" },
    { .text = "fd:x", .expected = "the number of a descriptor" },
    { .text = "fd:2147483648", .expected = "the number of a descriptor" },
    { .text = "fd:3 ", .expected = "the number of a descriptor" },
    { .text = "fd:3,", .expected = "an option of this endpoint" },
    { .text = "br0,learn", .expected = "an option of this endpoint" },
    { .text = "br0,ip=10.0.0.1/8", .expected = "an option of this endpoint" },
    { .text = "tap:t0,ip", .expected = "ADDR/PREFIX" },
    { .text = "tap:t0,ip=10.0.0.1", .expected = "ADDR/PREFIX" },
    { .text = "tap:t0,ip=10.0.0.1/0", .expected = "ADDR/PREFIX" },
    { .text = "tap:t0,ip=10.0.0.1/33", .expected = "ADDR/PREFIX" },
    { .text = "tap:t0,ip=10.0.0/8", .expected = "ADDR/PREFIX" },
    { .text = "tap:t0,ip=::1/129", .expected = "ADDR/PREFIX" },
    { .text = "tap:t,ip=1.0.0.1/8,ip=1.0.0.2/8,ip=1.0.0.3/8,ip=1.0.0.4/8,ip=1.0.0.5/8",
      .expected = "ADDR/PREFIX" },
    { .text = "br0,ttl=3", .expected = "an option of this endpoint" },
    { .text = "br0,PIN", .expected = "an option of this endpoint" },
    { .text = "br0,pin=", .expected = "an Ethernet address, as in" },
    { .text = "br0,pin=01:00:00:00:00:01", .expected = "not of a group" },
    { .text = "br0,pin=00:00:00:00:00:00", .expected = "not of a group" },
    { .text = "br0,allow", .expected = "an Ethernet address, or its beginning" },
    { .text = "br0,allow=x", .expected = "an Ethernet address, or its beginning" },
    { .text = "br0,deny=52:54:00:00:00:00/0", .expected = "an Ethernet address, or its beginning" },
    { .text = "br0,deny=52:54:00:00:00:00/49",
      .expected = "an Ethernet address, or its beginning" },
    { .text = "br0,storm", .expected = "frames a second" },
    { .text = "br0,storm=-1", .expected = "frames a second" },
    { .text = "br0,storm=100000001", .expected = "frames a second" },
    { .text = "br0,guest=1", .expected = "no value after it" },
    { .text = "udp:5000,learn=1", .expected = "no value after it" },
    { .text = "udp:1:127.0.0.1:2,learn", .expected = "not both" },
    { .text = "mcast:10.0.0.1:1", .expected = "a multicast address" },
    { .text = "mcast:group:1", .expected = "a multicast address" },
    { .text = "mcast:[fe80::1]:1", .expected = "a multicast address" },
    { .text = "mcast:230.0.0.1", .expected = "GROUP:PORT" },
    { .text = "mcast:230.0.0.1:0", .expected = "a port number" },
    { .text = "mcast:230.0.0.1:1@", .expected = "GROUP:PORT" },
    { .text = "mcast:230.0.0.1:1@a b", .expected = "GROUP:PORT" },
    { .text = "mcast:230.0.0.1:1,ttl=0", .expected = "hops from 1 to 255" },
    { .text = "mcast:230.0.0.1:1,ttl=256", .expected = "hops from 1 to 255" },
    { .text = "mcast:ff02::1:1", .expected = "in brackets" },
    { .text = "unix:", .expected = "a path of 1 to 107" },
    { .text = "unix:a:b", .expected = "a path of 1 to 107" },
    { .text = "unix:a\nb", .expected = "a path of 1 to 107" },
    { .text = "unix-dgram:/a", .expected = "PATH:PEER" },
    { .text = "unix-dgram:/a:/a", .expected = "this is itself" },
    { .text = "5000:127.0.0.1:5000", .expected = "this is itself" },
    { .text = "5000:localhost:", .expected = "this is itself" },
    { .text = "udp:10.0.0.1:1:10.0.0.1:1", .expected = "this is itself" },
    { .text = "unix:/a,b", .expected = "a comma of its path is written twice" },
    { .text = "udp:5000,learnt", .expected = "this endpoint: learn, pin" },
    { .text = "mcast:230.0.0.1:1,hops=3", .expected = "this endpoint: ttl=HOPS, pin" },
    { .text = "tap:t0,addr=10.0.0.1/8", .expected = "this endpoint: ip=ADDR/PREFIX, pin" },
    { .text = "unix-dgram:/a:", .expected = "a path of 1 to 107" },
    { .text = "vde:", .expected = "a path of 1 to 107" },
    { .text = "user:x", .expected = "KEY=VALUE" },
    { .text = "user:,x", .expected = "an option of this endpoint" },
};

static void test_good(void)
{
    char buf[ENDPOINT_TEXT_MAX];

    for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
        const char *expected = NULL;
        struct endpoint first, again;

        g_test_message("'%s'", good[i].text);
        g_assert_cmpint(endpoint_parse(&first, good[i].text, &expected), ==, 0);
        g_assert_cmpstr(endpoint_format(&first, buf), ==, good[i].canonical);
        g_assert_cmpint(endpoint_parse(&again, good[i].canonical, &expected), ==, 0);
        g_assert_cmpstr(endpoint_format(&again, buf), ==, good[i].canonical);
    }
}

static void test_wrong(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autofree char *copy = g_strdup(wrong[i].text); /* exactly as long, for the sanitizer */
        struct endpoint endpoint, untouched;
        const char *expected = NULL;

        memset(&endpoint, 0x55, sizeof(endpoint));
        memcpy(&untouched, &endpoint, sizeof(endpoint));
        g_test_message("'%s'", wrong[i].text);
        g_assert_cmpint(endpoint_parse(&endpoint, copy, &expected), ==, -EINVAL);
        g_assert_nonnull(expected);
        if (!strstr(expected, wrong[i].expected))
            g_assert_cmpstr(expected, ==, wrong[i].expected);
        g_assert_cmpmem(&endpoint, sizeof(endpoint), &untouched, sizeof(untouched));
    }
}

static void test_listen_argument(void)
{
    static const struct {
        const char *text, *canonical; /* NULL: refused */
    } table[] = {
        { .text = "12345", .canonical = "listen:*:12345" },
        { .text = "127.0.0.1:12345", .canonical = "listen:127.0.0.1:12345" },
        { .text = "[::1]:12345", .canonical = "listen:[::1]:12345" },
        { .text = "*:12345", .canonical = "listen:*:12345" },
        { .text = "listen:80", .canonical = "listen:*:80" },
        { .text = "listen:127.0.0.1:80", .canonical = "listen:127.0.0.1:80" },
        { .text = "Localhost:1", .canonical = "listen:localhost:1" },
        { .text = "" },
        { .text = "0" },
        { .text = "65536" },
        { .text = "-1" },
        { .text = "abc" },
        { .text = "br0" },
        { .text = "::1:80" },
        { .text = "[::1]" },
        { .text = ":80" },
        { .text = "80:127.0.0.1:80" },
        { .text = "listen:" },
        { .text = "tcp:127.0.0.1:80" },
        { .text = "-" },
    };
    char buf[ENDPOINT_TEXT_MAX];

    for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
        const char *expected = NULL;
        struct endpoint endpoint;
        int r = endpoint_parse_listen(&endpoint, table[i].text, &expected);

        g_test_message("'%s'", table[i].text);
        g_assert_cmpint(r, ==, table[i].canonical ? 0 : -EINVAL);
        if (table[i].canonical)
            g_assert_cmpstr(endpoint_format(&endpoint, buf), ==, table[i].canonical);
        else
            g_assert_nonnull(expected);
    }
}

static void test_members(void)
{
    struct endpoint e;
    const char *expected;
    char buf[ENDPOINT_TEXT_MAX];

    g_assert_cmpint(endpoint_parse(&e, "udp:127.0.0.1:1:[::ffff:1.2.3.4]:2", &expected), <, 0);
    g_assert_cmpint(endpoint_parse(&e, "5000:[::2]:6000", &expected), ==, 0);
    g_assert_cmpint(e.kind, ==, ENDPOINT_UDP);
    g_assert_cmpstr(e.local.host, ==, "");
    g_assert_cmpuint(e.local.l4_port, ==, 5000);
    g_assert_cmpstr(e.remote.host, ==, "::2");
    g_assert_cmpuint(e.remote.l4_port, ==, 6000);
    g_assert_cmpstr(endpoint_address_format(&e.local, buf), ==, "*:5000");
    g_assert_cmpstr(endpoint_address_format(&e.remote, buf), ==, "[::2]:6000");

    g_assert_cmpint(endpoint_parse(&e, "fd:7", &expected), ==, 0);
    g_assert_cmpint(e.kind, ==, ENDPOINT_FD);
    g_assert_cmpint(e.fd, ==, 7);
    g_assert_cmpint(endpoint_parse(&e, "mcast:230.0.0.1:7@lo,ttl=9,pin", &expected), ==, 0);
    g_assert_cmpstr(e.remote.host, ==, "230.0.0.1");
    g_assert_cmpstr(e.mcast_if, ==, "lo");
    g_assert_cmpuint(e.ttl, ==, 9);
    g_assert_true(e.options.pin && mac_is_zero(e.options.pin_mac));
    g_assert_false(e.options.limits_storm);
    g_assert_cmpint(endpoint_parse(&e, "unix-dgram:/a,,1:/b", &expected), ==, 0);
    g_assert_cmpstr(e.path, ==, "/a,1");
    g_assert_cmpstr(e.peer_path, ==, "/b");
    g_assert_cmpint(endpoint_parse(&e, "tap:t0", &expected), ==, 0);
    g_assert_cmpstr(e.ifname, ==, "t0");
}

static void test_kind_names(void)
{
    static const char *const names[] = { "-",    "listen",      "tcp",        "udp", "mcast",
                                         "unix", "unix-listen", "unix-dgram", "vde", "user",
                                         "tap",  "bridge",      "fd" };

    g_assert_cmpuint(G_N_ELEMENTS(names), ==, ENDPOINT_KIND_COUNT);
    for (unsigned i = 0; i < ENDPOINT_KIND_COUNT; i++)
        g_assert_cmpstr(endpoint_kind_name((enum endpoint_kind)i), ==, names[i]);
    g_assert_cmpstr(endpoint_kind_name(ENDPOINT_KIND_COUNT), ==, "?");
}

/* Whatever is accepted has a canonical form which is accepted as the same endpoint. */
static void test_noise(void)
{
    static const char alphabet[] = "::::[]..-*%019a.tcpudlinsfbrg ,,@=";
    unsigned accepted = 0;

    for (int round = 0; round < 300000; round++) {
        char text[24], buf[ENDPOINT_TEXT_MAX], second[ENDPOINT_TEXT_MAX];
        int len = g_test_rand_int_range(0, (int)sizeof(text));
        struct endpoint first, again;
        const char *expected;

        for (int i = 0; i < len; i++)
            text[i] = alphabet[g_test_rand_int_range(0, (int)sizeof(alphabet) - 1)];
        text[len] = '\0';
        if (endpoint_parse(&first, text, &expected) < 0)
            continue;
        accepted++;
        endpoint_format(&first, buf);
        if (endpoint_parse(&again, buf, &expected) < 0 ||
            strcmp(endpoint_format(&again, second), buf) != 0)
            g_error("'%s' became '%s', which is something else", text, buf);
    }
    g_assert_cmpuint(accepted, >, 1000);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/endpoint/good", test_good);
    g_test_add_func("/endpoint/wrong", test_wrong);
    g_test_add_func("/endpoint/listen-argument", test_listen_argument);
    g_test_add_func("/endpoint/members", test_members);
    g_test_add_func("/endpoint/kind-names", test_kind_names);
    g_test_add_func("/endpoint/noise", test_noise);
    return g_test_run();
}
