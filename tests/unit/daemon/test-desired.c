/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who meets whom, as tables. First what generators of domain XML write in practice, one row for
 * each, with no configuration at all; then each line of their interpretation; then what is named.
 */
#include "model-fixture.h"

#include <string.h>

typedef struct {
    const char *name;
    const char *guests;
    const char *expected;
    const char *says; /* "web.0: word|word": in this binding's reason; lines of it */
    const char *files[4];
    NrImplicit implicit;
    gboolean unhooked;
    gboolean session;
    const char *bridges;
    const char *peers;
} Row;

#define LAB "<name>lab</name>"

static const Row generators[] = {
    { "vagrant-libvirt",
      "running 1 a: udp 127.0.0.1:8001>127.0.0.1:9001, client 127.0.0.1:11111\n"
      "running 2 b: udp 127.0.0.1:9001>127.0.0.1:8001, client 127.0.0.1:11111\n"
      "defined - c: server 127.0.0.1:9999, mcast 239.255.1.1:5000\n",
      "a.0 direct b\n"
      "a.1 served 127.0.0.1:11111\n"
      "b.0 direct a\n"
      "b.1 served 127.0.0.1:11111\n"
      "c.0 unconnected\n"
      "c.1 ignored\n"
      "[127.0.0.1:11111] listen:127.0.0.1:11111\n" },
    { "vagrant-libvirt docs: server and client, server first",
      "running 1 a: server 127.0.0.1:11111\n"
      "announced 2 b: client 127.0.0.1:11111\n",
      "a.0 direct b\n"
      "b.0 direct a\n" },
    { "vagrant-libvirt docs: 0.0.0.0",
      "running 1 a: server 0.0.0.0:9999\n"
      "running 2 b: client 127.0.0.1:9999\n",
      "a.0 direct b\n"
      "b.0 direct a\n" },
    { "netlab: different addresses, equal ports",
      "running 1 r1: udp 127.1.1.2:10001>127.1.1.1:10001, udp 127.1.2.3:10002>127.1.2.1:10001\n"
      "running 2 r2: udp 127.1.1.1:10001>127.1.1.2:10001\n"
      "defined - r3: udp 127.1.2.1:10001>127.1.2.3:10002\n",
      "r1.0 direct r2\n"
      "r1.1 direct r3\n"
      "r2.0 direct r1\n"
      "r3.0 direct r1\n" },
    { "netlab: IOS XR dummies",
      "running 1 xr1: udp 127.254.0.1:20001>127.254.0.1:10001, "
      "udp 127.254.0.1:20002>127.254.0.1:10002\n"
      "running 2 xr2: udp 127.254.0.2:20001>127.254.0.2:10001\n",
      "xr1.0 unconnected\n"
      "xr1.1 unconnected\n"
      "xr2.0 unconnected\n",
      "xr1.0: <udp address='127.254.0.1' port='20001'/>" },
    { "topology_converter: ports with a gap of 1000",
      "running 1 leaf01: udp 127.0.0.1:9001>127.0.0.1:8001, udp 127.0.0.1:16037>127.0.0.1:17037\n"
      "running 2 spine01: udp 127.0.0.1:8001>127.0.0.1:9001, udp 127.0.0.1:17037>127.0.0.1:16037\n",
      "leaf01.0 direct spine01\n"
      "leaf01.1 direct spine01\n"
      "spine01.0 direct leaf01\n"
      "spine01.1 direct leaf01\n" },
    { "topology_converter: tunnel_ip of several hypervisors",
      "running 1 leaf01: udp 172.16.0.2:9001>10.0.0.1:8001\n", "leaf01.0 remote\n",
      "leaf01.0: 172.16.0.2" },
    { "hand-made leaf and spine: same port on both",
      "running 1 leaf: udp 127.0.1.2:10001>127.0.1.1:10001, udp 127.0.1.4:10002>127.0.1.3:10002\n"
      "running 2 spine: udp 127.0.1.1:10001>127.0.1.2:10001, udp 127.0.1.3:10002>127.0.1.4:10002\n",
      "leaf.0 direct spine\n"
      "leaf.1 direct spine\n"
      "spine.0 direct leaf\n"
      "spine.1 direct leaf\n" },
    { "hand-made OVS lab",
      "running 1 ovs1: udp 127.2.130.1:12130>127.2.130.2:12130, "
      "udp 127.200.2.9:12002>127.200.2.1:12002\n"
      "running 2 ovs2: udp 127.2.130.2:12130>127.2.130.1:12130\n",
      "ovs1.0 direct ovs2\n"
      "ovs1.1 unconnected\n"
      "ovs2.0 direct ovs1\n" },
    { "terraform-provider-libvirt",
      "running 1 a: udp 127.1.7.3:10001>127.1.7.1:10001\n"
      "running 2 b: udp 127.1.7.1:10001>127.1.7.3:10001, client 127.0.0.1:10001, "
      "server 127.0.0.1:10002\n",
      "a.0 direct b\n"
      "b.0 direct a\n"
      "b.1 served 127.0.0.1:10001\n"
      "b.2 unconnected\n"
      "[127.0.0.1:10001] listen:127.0.0.1:10001\n" },
    { "NVIDIA how-to: across hosts",
      "running 1 spine: udp 172.20.232.22:33951>10.0.0.1:33701\n"
      "running 2 leaf: udp far:33952>me:33702\n",
      "spine.0 remote\n"
      "leaf.0 remote\n" },
    { "cat9kv: NICs that point where nobody is",
      "running 1 sw1: udp 127.0.0.1:30101>127.0.0.1:20101, udp 127.0.0.1:30102>127.0.0.1:20102\n"
      "running 2 sw2: udp 127.0.0.1:30201>127.0.0.1:20201\n",
      "sw1.0 unconnected\n"
      "sw1.1 unconnected\n"
      "sw2.0 unconnected\n" },
    { "another fabric: remote 1027, local 1025",
      "running 1 a: udp 127.0.0.1:1027>127.0.0.1:1025\n"
      "running 2 b: udp 127.0.0.1:1025>127.0.0.1:1027\n",
      "a.0 direct b\n"
      "b.0 direct a\n" },
    { "NFF-Go",
      "running 1 a: udp 127.0.0.1:33303>127.0.0.1:33312\n"
      "running 2 b: udp 127.0.0.1:33312>127.0.0.1:33303\n",
      "a.0 direct b\n"
      "b.0 direct a\n" },
    { "sherpa: loopback addresses, a disabled NIC",
      "running 1 a: udp 127.127.1.2:10001>127.127.1.1:10001, other\n"
      "running 2 b: udp 127.127.1.1:10001>127.127.1.2:10001, other\n",
      "a.0 direct b\n"
      "b.0 direct a\n" },
    { "qci: even and odd ports, session",
      "running 1 a: udp 127.0.0.1:20001>127.0.0.1:20000\n"
      "running 2 b: udp 127.0.0.1:20000>127.0.0.1:20001\n",
      "a.0 direct b\n"
      "b.0 direct a\n",
      .session = TRUE },
    { "Whonix: a pair beside user-mode uplinks",
      "running 1 gateway: other, udp 127.0.0.1:5577>127.0.0.1:6688\n"
      "running 2 workstation: udp 127.0.0.1:6688>127.0.0.1:5577\n",
      "gateway.1 direct workstation\n"
      "workstation.0 direct gateway\n" },
    { "gvswitch: a client to somebody's listener", "running 1 a: client 127.0.0.1:58557\n",
      "a.0 served 127.0.0.1:58557\n"
      "[127.0.0.1:58557] listen:127.0.0.1:58557\n" },
    { "school labs and linuxsimba: mcast",
      "running 1 a: mcast 230.0.0.1:1234\n"
      "running 2 b: mcast 230.0.0.1:5558\n",
      "a.0 ignored\n"
      "b.0 ignored\n" },
    { "GNS3 and vrnetlab: the far end is no guest of ours",
      "running 1 a: udp 127.0.0.1:20001>127.0.0.1:20000, server 127.0.0.1:10001\n",
      "a.0 unconnected\n"
      "a.1 unconnected\n",
      "a.1: match|server|10001" },
};

static const Row interpretation[] = {
    { "udp pair: two NICs of one guest",
      "running 1 a: udp 127.0.0.1:5601>127.0.0.1:5602, udp 127.0.0.1:5602>127.0.0.1:5601\n",
      "a.0 direct a\n"
      "a.1 direct a\n" },
    { "udp pair: merely defined, by host name",
      "defined - a: udp localhost:5601>127.0.0.1:5602\n"
      "defined - b: udp 127.0.0.1:5602>localhost:5601\n",
      "a.0 direct b\n"
      "b.0 direct a\n" },
    { "udp pair: one listens on any address",
      "running 1 a: udp 127.0.0.1:5601>0.0.0.0:5602\n"
      "running 2 b: udp 127.0.0.1:5602>127.0.0.1:5601\n",
      "a.0 direct b\n"
      "b.0 direct a\n" },
    { "udp alone: not bound", "running 1 a: udp 127.0.0.1:5601>127.0.0.1:5602\n",
      "a.0 unconnected\n", "a.0: <udp address='127.0.0.1' port='5601'/>" },
    { "udp alone: bound where all is ours", "running 1 a: udp 127.0.0.1:5601>127.0.0.1:5602\n",
      "a.0 served udp:127.0.0.1:5601\n"
      "[udp:127.0.0.1:5601] udp:127.0.0.1:5601:127.0.0.1:5602\n",
      .implicit = NR_IMPLICIT_ALL },
    { "udp shared by two guests: one segment",
      "running 1 a: udp 127.0.0.1:5601>127.0.0.1:5602\n"
      "running 2 b: udp 127.0.0.1:5601>127.0.0.1:5603\n",
      "a.0 served udp:127.0.0.1:5601\n"
      "b.0 served udp:127.0.0.1:5601\n"
      "[udp:127.0.0.1:5601] udp:127.0.0.1:5601:127.0.0.1:5602 "
      "udp:127.0.0.1:5601:127.0.0.1:5603\n" },
    { "udp shared with a guest that is off: its side is not bound",
      "running 1 a: udp 127.0.0.1:5601>0.0.0.0:5602\n"
      "defined - b: udp 127.0.0.1:5601>127.0.0.1:5603\n",
      "a.0 served udp:127.0.0.1:5601\n"
      "b.0 served udp:127.0.0.1:5601\n"
      "[udp:127.0.0.1:5601] udp:127.0.0.1:5601:127.0.0.1:5602\n" },
    { "udp shared on a real address, guest on any address",
      "running 1 a: udp 10.0.0.1:5601>0.0.0.0:5602\n"
      "running 2 b: udp 10.0.0.1:5601>127.0.0.1:5603\n",
      "a.0 served udp:10.0.0.1:5601\n"
      "b.0 served udp:10.0.0.1:5601\n"
      "[udp:10.0.0.1:5601] udp:10.0.0.1:5601:10.0.0.1:5602 "
      "udp:10.0.0.1:5601:127.0.0.1:5603\n" },
    { "udp shared by two NICs of one guest: not shared",
      "running 1 a: udp 127.0.0.1:5601>127.0.0.1:5602, udp 127.0.0.1:5601>127.0.0.1:5603\n",
      "a.0 unconnected\n"
      "a.1 unconnected\n" },
    { "udp shared, then a guest comes that wants to bind it",
      "running 1 a: udp 127.0.0.1:5601>127.0.0.1:5602\n"
      "running 2 b: udp 127.0.0.1:5601>127.0.0.1:5603\n"
      "announced 3 c: udp 127.0.0.1:5602>127.0.0.1:5601\n",
      "a.0 direct c\n"
      "b.0 unconnected\n"
      "c.0 direct a\n",
      "b.0: guest c|127.0.0.1:5601" },
    { "udp address family dummies: never joined",
      "running 1 a: udp 127.254.0.1:20001>127.254.0.1:10001\n"
      "running 2 b: udp 127.254.0.2:20001>127.254.0.2:10001\n",
      "a.0 served udp:127.254.0.1:20001\n"
      "b.0 served udp:127.254.0.2:20001\n"
      "[udp:127.254.0.1:20001] udp:127.254.0.1:20001:127.254.0.1:10001\n"
      "[udp:127.254.0.2:20001] udp:127.254.0.2:20001:127.254.0.2:10001\n",
      .implicit = NR_IMPLICIT_ALL },
    { "udp that sends to itself: its own QEMU has the address",
      "running 1 a: udp 127.0.0.1:5601>127.0.0.1:5601\n", "a.0 unconnected\n",
      .implicit = NR_IMPLICIT_ALL },
    { "udp on another host", "running 1 a: udp 192.0.2.1:5601>10.0.0.1:5602\n", "a.0 remote\n" },
    { "client: all of one address are one network",
      "running 1 a: client 127.0.0.1:12345\n"
      "announced 2 b: client localhost:12345\n"
      "defined - c: client 127.0.0.1:12345\n"
      "running 3 d: client 10.0.0.1:12345\n",
      "a.0 served 127.0.0.1:12345\n"
      "b.0 served 127.0.0.1:12345\n"
      "c.0 served 127.0.0.1:12345\n"
      "d.0 served 10.0.0.1:12345\n"
      "[10.0.0.1:12345] listen:10.0.0.1:12345\n"
      "[127.0.0.1:12345] listen:127.0.0.1:12345\n" },
    { "client to any address, by name: comes out at the loopback",
      "running 1 a: client any:12345\n",
      "a.0 served 127.0.0.1:12345\n"
      "[127.0.0.1:12345] listen:127.0.0.1:12345\n" },
    { "client merely defined, hook there", "defined - a: client 127.0.0.1:12345\n",
      "a.0 served 127.0.0.1:12345\n" },
    { "client merely defined, no hook", "defined - a: client 127.0.0.1:12345\n",
      "a.0 served 127.0.0.1:12345\n"
      "[127.0.0.1:12345] listen:127.0.0.1:12345\n",
      .unhooked = TRUE },
    { "client and udp of one port number are strangers",
      "running 1 a: client 127.0.0.1:5601\n"
      "running 2 b: udp 127.0.0.1:5601>127.0.0.1:5602\n"
      "running 3 c: udp 127.0.0.1:5601>127.0.0.1:5603\n",
      "a.0 served 127.0.0.1:5601\n"
      "b.0 served udp:127.0.0.1:5601\n"
      "c.0 served udp:127.0.0.1:5601\n"
      "[127.0.0.1:5601] listen:127.0.0.1:5601\n"
      "[udp:127.0.0.1:5601] udp:127.0.0.1:5601:127.0.0.1:5602 "
      "udp:127.0.0.1:5601:127.0.0.1:5603\n" },
    { "client and server, server merely defined, client off",
      "defined - a: client 127.0.0.1:8010\n"
      "defined - b: server 127.0.0.1:8010\n",
      "a.0 direct b\n"
      "b.0 direct a\n",
      .unhooked = TRUE },
    { "client first, server off: we listen",
      "running 1 a: client 127.0.0.1:8010\n"
      "defined - b: server 127.0.0.1:8010\n",
      "a.0 served 127.0.0.1:8010\n"
      "b.0 served 127.0.0.1:8010\n"
      "[127.0.0.1:8010] listen:127.0.0.1:8010\n" },
    { "client first, server announced: its address is free, the connection is kept",
      "running 1 a: client 127.0.0.1:8010\n"
      "announced 2 b: server :8010\n",
      "a.0 served 127.0.0.1:8010\n"
      "b.0 served 127.0.0.1:8010\n"
      "[127.0.0.1:8010]\n" },
    { "client first, server announced without an id: later",
      "running 1 a: client 127.0.0.1:8010\n"
      "announced - b: server 127.0.0.1:8010\n",
      "a.0 served 127.0.0.1:8010\n"
      "b.0 served 127.0.0.1:8010\n"
      "[127.0.0.1:8010]\n" },
    { "client first, server up: dialled",
      "running 1 a: client 127.0.0.1:8010\n"
      "running 2 b: server 0.0.0.0:8010\n",
      "a.0 served 127.0.0.1:8010\n"
      "b.0 served 127.0.0.1:8010\n"
      "[127.0.0.1:8010] tcp:127.0.0.1:8010\n" },
    { "server between two clients: the second finds it taken",
      "running 1 a: client 127.0.0.1:8010\n"
      "running 2 b: server 127.0.0.1:8010\n"
      "running 3 c: client 127.0.0.1:8010\n",
      "a.0 served 127.0.0.1:8010\n"
      "b.0 served 127.0.0.1:8010\n"
      "c.0 unconnected\n"
      "[127.0.0.1:8010] tcp:127.0.0.1:8010\n",
      "c.0: guest b|127.0.0.1:8010" },
    { "client that came first is gone: nobody between",
      "running 2 b: server 127.0.0.1:8010\n"
      "running 3 c: client 127.0.0.1:8010\n"
      "defined - a: client 127.0.0.1:8010\n",
      "b.0 direct c\n"
      "c.0 direct b\n"
      "a.0 direct b\n" },
    { "client and server in one guest",
      "announced 1 a: server 127.0.0.1:8010, client 127.0.0.1:8010\n",
      "a.0 direct a\n"
      "a.1 direct a\n" },
    { "client first, the server's metadata says to ignore it: only its address is freed",
      "running 1 a: client 127.0.0.1:8010\n"
      "announced 2 b: server 127.0.0.1:8010 @ignore\n",
      "a.0 served 127.0.0.1:8010\n"
      "b.0 ignored\n"
      "[127.0.0.1:8010]\n" },
    { "server alone: never dialled unasked", "running 1 a: server 127.0.0.1:23456\n",
      "a.0 unconnected\n", "a.0: <match type='server' address='127.0.0.1' port='23456'/>" },
    { "server alone: dialled where all is ours",
      "running 1 a: server :23456\n"
      "announced 2 b: server 127.0.0.1:23457\n",
      "a.0 served 127.0.0.1:23456\n"
      "b.0 served 127.0.0.1:23457\n"
      "[127.0.0.1:23456] tcp:127.0.0.1:23456\n",
      .implicit = NR_IMPLICIT_ALL },
    { "client to another host",
      "running 1 a: client 192.0.2.1:12345\n"
      "running 2 b: client far:12345\n",
      "a.0 remote\n"
      "b.0 remote\n",
      "a.0: 192.0.2.1|not an address of this host" },
    { "two servers of one address: the second is refused",
      "running 1 a: server 127.0.0.1:23456\n"
      "announced 2 b: server 127.0.0.1:23456\n",
      "a.0 unconnected\n"
      "b.0 refused conflict\n",
      "b.0: guest b|guest a|52:54:00:01:00:00|52:54:00:02:00:00|127.0.0.1:23456" },
    { "two servers, one on any address",
      "running 7 a: server 127.0.0.1:23456\n"
      "running 3 b: server :23456\n",
      "a.0 refused conflict\n"
      "b.0 unconnected\n",
      "a.0: guest a|guest b" },
    { "two servers at once, without ids: one of them",
      "announced - a: server 127.0.0.1:23456\n"
      "announced - b: server 127.0.0.1:23456\n",
      "a.0 unconnected\n"
      "b.0 refused conflict\n" },
    { "two udp NICs of one guest that listen at one address: QEMU allows it",
      "announced 1 a: udp 127.0.0.1:5601>127.0.0.1:5602, udp 127.0.0.1:5603>127.0.0.1:5602\n",
      "a.0 unconnected\n"
      "a.1 unconnected\n" },
    { "udp shared with a NIC that is ignored: not shared",
      "running 1 a: udp 127.0.0.1:5601>127.0.0.1:5602\n"
      "running 2 b: udp 127.0.0.1:5601>127.0.0.1:5603 @ignore\n",
      "a.0 unconnected\n"
      "b.0 ignored\n" },
    { "two servers, one off: no conflict",
      "running 7 a: server 127.0.0.1:23456\n"
      "defined - b: server :23456\n",
      "a.0 unconnected\n"
      "b.0 unconnected\n" },
    { "two udp NICs that listen at one address",
      "running 1 a: udp 127.0.0.1:5601>127.0.0.1:5602\n"
      "announced 2 b: udp 127.0.0.1:5603>0.0.0.0:5602\n",
      "a.0 unconnected\n"
      "b.0 refused conflict\n",
      "b.0: guest b|guest a|5602" },
    { "one address, tcp and udp: no conflict",
      "running 1 a: server 127.0.0.1:5602\n"
      "announced 2 b: udp 127.0.0.1:5603>127.0.0.1:5602\n",
      "a.0 unconnected\n"
      "b.0 unconnected\n" },
    { "wrong addresses: explained, nobody refused",
      "announced 1 a: client 127.0.0.1:70000, client 127.0.0.1:0, client ::1:12345, "
      "client :12345\n",
      "a.0 refused\n"
      "a.1 refused\n"
      "a.2 refused\n"
      "a.3 refused\n",
      "a.0: guest a|52:54:00:01:00:00|70000\na.1: port 0\na.2: IPv4" },
    { "host names: unknown, and not known yet",
      "announced 1 a: client nowhere:12345, client pending.example:12345, "
      "udp 127.0.0.1:5601>pending.example:5602\n",
      "a.0 refused\n"
      "a.1 resolving\n"
      "a.2 resolving\n",
      "a.0: nowhere|resolve" },
    { "implicit=no: pairs are still seen, nothing is served",
      "running 1 a: client 127.0.0.1:12345, udp 127.0.0.1:5601>127.0.0.1:5602\n"
      "running 2 b: udp 127.0.0.1:5602>127.0.0.1:5601, udp 127.0.0.1:5701>127.0.0.1:5702\n"
      "running 3 c: udp 127.0.0.1:5701>127.0.0.1:5703, server :1\n",
      "a.0 unconnected\n"
      "a.1 direct b\n"
      "b.0 direct a\n"
      "b.1 unconnected\n"
      "c.0 unconnected\n"
      "c.1 unconnected\n",
      "a.0: implicit=no|/etc/netrelay/netrelayd.conf|<listen address='127.0.0.1' port='12345'/>",
      .implicit = NR_IMPLICIT_NO },
};

static const Row named[] = {
    { "a file's listener is there for nobody too", "", "[lab] listen:10.0.0.1:12345! bridge:br0!\n",
      .files = { LAB "<listen address='10.0.0.1' port='12345'/><bridge name='br0'/>" } },
    { "a way out by user mode, for nobody too, and none of a stopped network's", "",
      "[lab] listen:127.0.0.1:12345! "
      "user:net=192.168.9.0/24,host=192.168.9.1,dns=192.168.9.3,dhcpstart=192.168.9.15,ipv6=off,"
      "hostfwd=tcp::2222-:22!\n",
      .files = { LAB "<listen address='127.0.0.1' port='12345'/>"
                     "<ip address='192.168.9.1' prefix='24'/><forward mode='user'>"
                     "<portForward proto='tcp'><range start='2222' to='22'/></portForward>"
                     "</forward>",
                 "!<name>other</name><forward mode='user'/>" } },
    { "a file of rules only is nothing while nobody is there", "defined - a: client 127.0.0.1:1\n",
      "a.0 served named lab\n",
      .files = { LAB "<match domain='a'/><udp address='127.0.0.1' port='5601'/>" } },
    { "a file names by listen, udp and match",
      "running 1 a: client 127.0.0.1:12345\n"
      "running 2 b: udp 127.0.0.1:5601>127.0.0.1:5602\n"
      "running 3 web-1: server 127.0.0.1:23456\n"
      "announced 4 web-2: server 127.0.0.1:23457, client 10.0.0.1:9\n"
      "running 5 other: server 127.0.0.1:23458\n",
      "a.0 served named lab\n"
      "b.0 served named lab\n"
      "web-1.0 served named lab\n"
      "web-2.0 served named lab\n"
      "web-2.1 served 10.0.0.1:9\n"
      "other.0 unconnected\n"
      "[10.0.0.1:9] listen:10.0.0.1:9\n"
      "[lab] listen:127.0.0.1:12345! udp:127.0.0.1:5601:127.0.0.1:5602! tcp:127.0.0.1:23456!\n",
      .files = { LAB "<listen address='127.0.0.1' port='12345'/><udp address='127.0.0.1' "
                     "port='5601'/><match domain='web-*' type='server' port='23456-23457'/>" } },
    { "a listener on any address is for all of this host's",
      "running 1 a: client 127.0.0.1:12345\n"
      "running 2 b: client 10.0.0.1:12345\n",
      "a.0 served named lab\n"
      "b.0 served named lab\n"
      "[lab] listen:*:12345!\n",
      .files = { LAB "<listen port='12345'/>" } },
    { "a match by address and port, host names on both sides",
      "running 1 a: client me:12345, client 127.0.0.1:12345\n",
      "a.0 served named lab\n"
      "a.1 served 127.0.0.1:12345\n"
      "[127.0.0.1:12345] listen:127.0.0.1:12345\n"
      "[lab] listen:10.0.0.1:12345!\n",
      .files = { LAB "<match type='client' address='10.0.0.1' port='12345'/>" } },
    { "a file's host name that is not known yet holds back who may be meant",
      "announced 1 a: client 127.0.0.1:12345, client 127.0.0.1:12346\n",
      "a.0 resolving named\n"
      "a.1 served 127.0.0.1:12346\n"
      "[127.0.0.1:12346] listen:127.0.0.1:12346\n"
      "[lab]\n",
      .files = { LAB "<listen address='pending.example' port='12345'/>" } },
    { "metadata comes before files",
      "running 1 a: client 127.0.0.1:12345 @two, server 127.0.0.1:23456 @lab, "
      "udp 127.0.0.1:5601>127.0.0.1:5602 @ignore\n",
      "a.0 refused named\n"
      "a.1 served named lab\n"
      "a.2 ignored\n"
      "[lab] listen:127.0.0.1:12345! tcp:127.0.0.1:23456!\n",
      "a.0: guest a|network lab|network two|127.0.0.1:12345",
      .files = { LAB "<listen address='127.0.0.1' port='12345'/><udp address='127.0.0.1' "
                     "port='5601'/>",
                 "<name>two</name><match domain='none'/>" } },
    { "a stopped network keeps what it names, and has nothing",
      "running 1 a: client 127.0.0.1:12345, server 127.0.0.1:23456\n"
      "announced 2 b: udp 127.0.0.1:5601>127.0.0.1:5602 @lab\n",
      "a.0 refused named\n"
      "a.1 refused named\n"
      "b.0 refused named\n",
      "b.0: guest b|the network lab is stopped; netrelayctl net-start lab starts it",
      .files = { "!" LAB "<listen address='127.0.0.1' port='12345'/><bridge name='br0'/>"
                 "<match type='server'/>" } },
    { "the group of a stopped network is there all the same",
      "announced 1 a: mcast 230.0.0.1:1234\n", "a.0 ignored\n",
      .files = { "!" LAB "<multicast address='230.0.0.1' port='1234'/>" } },
    { "the address of a stopped network is free for a guest",
      "announced 1 a: server 127.0.0.1:12345\n", "a.0 unconnected\n",
      .files = { "!" LAB "<listen address='127.0.0.1' port='12345'/>" } },
    { "metadata names a network that is not there",
      "announced 1 a: client 127.0.0.1:12345 @nowhere\n", "a.0 refused named\n",
      "a.0: guest a|52:54:00:01:00:00|127.0.0.1:12345|nowhere|/etc/netrelay/networks" },
    { "metadata names a bridge that is not allowed",
      "announced 1 a: client 127.0.0.1:12345 @bridge:br0\n", "a.0 refused named\n",
      "a.0: guest a|bridges=br0|/etc/netrelay/netrelayd.conf|[policy]" },
    { "metadata names a bridge beside those that are allowed",
      "announced 1 a: client 127.0.0.1:12345 @bridge:br0\n", "a.0 refused named\n",
      "a.0: bridges=lab-*;br0", .bridges = "lab-*" },
    { "metadata names an allowed bridge",
      "running 1 a: client 127.0.0.1:12345 @bridge:br0\n"
      "running 2 b: server 127.0.0.1:23456 @bridge:br0\n"
      "defined - c: udp 127.0.0.1:5601>127.0.0.1:5602 @bridge:br1\n",
      "a.0 served named bridge:br0\n"
      "b.0 served named bridge:br0\n"
      "c.0 served named bridge:br1\n"
      "[bridge:br0] listen:127.0.0.1:12345! bridge:br0! tcp:127.0.0.1:23456!\n",
      .bridges = "br*" },
    { "metadata names a bridge in a session: the user's own matter",
      "running 1 a: udp 127.0.0.1:5601>127.0.0.1:5602 @bridge:br0\n",
      "a.0 served named bridge:br0\n"
      "[bridge:br0] udp:127.0.0.1:5601:127.0.0.1:5602! bridge:br0!\n",
      .session = TRUE },
    { "a file's peers are dialled for nobody too, by name", "",
      "[lab] tcp:hostb.example:12345! tcp:[2001:db8::2]:12345!\n",
      .files = { LAB "<peer address='HostB.example' port='12345'/>"
                     "<peer address='2001:db8::2' port='12345'/>" } },
    { "a peer may be another network's, and nobody's address is taken by it",
      "announced 1 a: client 127.0.0.1:12345, server 127.0.0.1:12346\n",
      "a.0 served 127.0.0.1:12345\n"
      "a.1 unconnected\n"
      "[127.0.0.1:12345] listen:127.0.0.1:12345\n"
      "[lab] tcp:127.0.0.1:12345! tcp:127.0.0.1:12346!\n"
      "[two] tcp:127.0.0.1:12345!\n",
      .files = { LAB "<peer address='127.0.0.1' port='12345'/>"
                     "<peer address='127.0.0.1' port='12346'/>",
                 "<name>two</name><peer address='127.0.0.1' port='12345'/>" } },
    { "one file for all hosts: none of them dials itself, by whatever address", "",
      "[lab] listen:*:12345! tcp:192.0.2.1:12345! tcp:127.0.0.1:12346! tcp:nowhere:12345!\n",
      .files = { LAB
                 "<listen port='12345' admit='any'/><peer address='10.0.0.1' port='12345'/>"
                 "<peer address='192.0.2.1' port='12345'/><peer address='127.0.0.1' port='12346'/>"
                 "<peer address='me' port='12345'/><peer address='nowhere' port='12345'/>" } },
    { "the listener there is another network's", "",
      "[lab] tcp:127.0.0.1:12345!\n"
      "[two] listen:127.0.0.1:12345!\n",
      .files = { LAB "<peer address='127.0.0.1' port='12345'/>",
                 "<name>two</name><listen address='127.0.0.1' port='12345'/>" } },
    { "a stopped network dials nobody", "", "",
      .files = { "!" LAB "<peer address='hostb' port='12345'/>" } },
    { "metadata names a peer that is not allowed",
      "announced 1 a: client 127.0.0.1:12345 @peer:hostb:12345\n", "a.0 refused named\n",
      "a.0: guest a|peer hostb:12345|peers=hostb:12345|/etc/netrelay/netrelayd.conf|[policy]" },
    { "metadata names a peer beside those that are allowed",
      "announced 1 a: client 127.0.0.1:12345 @peer:hostb:12345\n", "a.0 refused named\n",
      "a.0: peers=hostb:12346;hostb:12345", .peers = "hostb:12346" },
    { "metadata names allowed peers: a tunnel is one NIC's own, and lives while its guest does",
      "running 1 a: client 127.0.0.1:12345 @peer:hostb:12345, "
      "udp 127.0.0.1:5601>127.0.0.1:5602 @peer:HostB:12345\n"
      "running 2 b: server 127.0.0.1:23456 @peer:[::2]:12345\n"
      "announced 3 c: server 127.0.0.1:23457 @peer:hostb:12345\n"
      "defined - d: client 127.0.0.1:12346 @peer:hostb:12345\n",
      "a.0 served named peer:52:54:00:01:00:00\n"
      "a.1 served named peer:52:54:00:01:00:01\n"
      "b.0 served named peer:52:54:00:02:00:00\n"
      "c.0 served named peer:52:54:00:03:00:00\n"
      "d.0 served named peer:52:54:00:04:00:00\n"
      "[peer:52:54:00:01:00:00] listen:127.0.0.1:12345! tcp:hostb:12345!\n"
      "[peer:52:54:00:01:00:01] udp:127.0.0.1:5601:127.0.0.1:5602! tcp:hostb:12345!\n"
      "[peer:52:54:00:02:00:00] tcp:127.0.0.1:23456! tcp:[::2]:12345!\n"
      "[peer:52:54:00:03:00:00] tcp:hostb:12345!\n",
      .peers = "*:12345" },
    { "two tunnels for one address of ours: the earlier guest's",
      "running 5 a: client 127.0.0.1:12345 @peer:hostb:1\n"
      "running 4 b: client 127.0.0.1:12345 @peer:hostb:1\n",
      "a.0 refused named\n"
      "b.0 served named peer:52:54:00:02:00:00\n"
      "[peer:52:54:00:02:00:00] listen:127.0.0.1:12345! tcp:hostb:1!\n",
      "a.0: the tunnel of NIC 52:54:00:01:00:00|the tunnel of NIC 52:54:00:02:00:00",
      .session = TRUE },
    { "metadata names a peer for a NIC of a group",
      "announced 1 a: mcast 230.0.0.1:1234 @peer:hostb:1\n",
      "a.0 refused named\n"
      "[lab] mcast:230.0.0.1:1234!\n",
      "a.0: <multicast address='230.0.0.1' port='1234'/>",
      .files = { LAB "<multicast address='230.0.0.1' port='1234'/>" }, .session = TRUE },
    { "a named client's address is another host's",
      "announced 1 a: client 192.0.2.1:12345 @lab, udp 192.0.2.1:5601>10.0.0.1:5602\n",
      "a.0 refused named\n"
      "a.1 refused named\n",
      "a.0: guest a|192.0.2.1 is not an address of this host",
      .files = { LAB "<udp address='192.0.2.1' port='5601'/>" } },
    { "named NICs with wrong addresses are refused",
      "announced 1 a: client 127.0.0.1:70000, client nowhere:1\n",
      "a.0 refused named\n"
      "a.1 refused named\n",
      "a.0: guest a|70000", .files = { LAB "<match domain='a' type='client'/>" } },
    { "two networks for one address: the earlier guest's",
      "running 5 a: client 127.0.0.1:12345 @two\n"
      "running 4 b: client 127.0.0.1:12345 @lab\n"
      "running 6 c: client 127.0.0.1:12345\n",
      "a.0 refused named\n"
      "b.0 served named lab\n"
      "c.0 served lab\n"
      "[lab] listen:127.0.0.1:12345!\n",
      "a.0: network lab|network two",
      .files = { LAB "<match domain='none'/>", "<name>two</name><match domain='none'/>" } },
    { "a network and a bridge for one address: no name of ours is in the sentence",
      "running 5 a: client 127.0.0.1:12345 @bridge:br0\n"
      "running 4 b: client 127.0.0.1:12345 @lab\n",
      "a.0 refused named\n"
      "b.0 served named lab\n"
      "[lab] listen:127.0.0.1:12345!\n",
      "a.0: meant for the bridge br0|the network lab", .bridges = "br0",
      .files = { LAB "<match domain='none'/>" } },
    { "two networks for one udp address",
      "running 5 a: udp 127.0.0.1:5601>127.0.0.1:5602 @two\n"
      "running 4 b: udp 127.0.0.1:5601>127.0.0.1:5603 @lab\n",
      "a.0 refused named\n"
      "b.0 served named lab\n"
      "[lab] udp:127.0.0.1:5601:127.0.0.1:5603!\n",
      "a.0: network lab|network two",
      .files = { LAB "<match domain='none'/>", "<name>two</name><match domain='none'/>" } },
    { "a mirrored pair cannot be named: one QEMU would not start",
      "announced 1 a: udp 127.0.0.1:5601>127.0.0.1:5602\n"
      "defined - b: udp 127.0.0.1:5602>127.0.0.1:5601\n",
      "a.0 refused named\n"
      "b.0 direct a\n",
      "a.0: guest b|network lab", .files = { LAB "<udp address='127.0.0.1' port='5601'/>" } },
    { "a guest that listens where a named network does", "announced 1 a: server 127.0.0.1:12345\n",
      "a.0 refused conflict\n"
      "[lab] listen:127.0.0.1:12345!\n",
      "a.0: guest a|network lab|127.0.0.1:12345",
      .files = { LAB "<listen address='127.0.0.1' port='12345'/>" } },
    { "a guest that listens where a named one that is off would dial",
      "defined - a: client 127.0.0.1:12345 @lab\n"
      "announced 2 b: server 127.0.0.1:12345\n",
      "a.0 served named lab\n"
      "b.0 unconnected\n",
      .files = { LAB "<match domain='none'/>" } },
    { "a guest that will not start is in nobody's way",
      "running 1 a: client 127.0.0.1:12345 @lab\n"
      "announced 2 b: server 127.0.0.1:12345\n"
      "announced 3 c: client 127.0.0.1:12345\n",
      "a.0 served named lab\n"
      "b.0 refused conflict\n"
      "c.0 served lab\n"
      "[lab] listen:127.0.0.1:12345!\n",
      .files = { LAB "<match domain='none'/>" } },
    { "a guest that binds the udp address of a named one that runs",
      "running 1 a: udp 127.0.0.1:5601>127.0.0.1:5602 @lab\n"
      "announced 2 b: udp 127.0.0.1:5700>127.0.0.1:5601\n",
      "a.0 served named lab\n"
      "b.0 refused conflict\n"
      "[lab] udp:127.0.0.1:5601:127.0.0.1:5602!\n",
      "b.0: guest b|network lab|127.0.0.1:5601", .files = { LAB "<match domain='none'/>" } },
    { "the other way round: the named one is refused",
      "running 1 b: udp 127.0.0.1:5700>127.0.0.1:5601\n"
      "announced 2 a: udp 127.0.0.1:5601>127.0.0.1:5602 @lab\n",
      "b.0 unconnected\n"
      "a.0 refused named\n",
      "a.0: guest a|guest b|network lab", .files = { LAB "<match domain='none'/>" } },
    { "a named pair of client and server, client first",
      "running 1 a: client 127.0.0.1:8010 @lab\n"
      "running 2 b: server 127.0.0.1:8010 @lab\n",
      "a.0 served named lab\n"
      "b.0 served named lab\n"
      "[lab] tcp:127.0.0.1:8010!\n",
      .files = { LAB "<match domain='none'/>" } },
    { "a named client behind its server",
      "running 1 b: server 127.0.0.1:8010\n"
      "announced 2 a: client 127.0.0.1:8010 @lab\n",
      "b.0 unconnected\n"
      "a.0 refused named\n",
      "a.0: guest a|guest b|127.0.0.1:8010", .files = { LAB "<match domain='none'/>" } },
    { "metadata for a NIC that no network can have",
      "announced 1 a: mcast 239.255.1.1:5000 @lab, other\n", "a.0 refused named\n",
      "a.0: guest a|<multicast address='239.255.1.1' port='5000'/>",
      .files = { LAB "<match domain='none'/>" } },
    { "a file is in a group: its guests are in the network, as far as it is the one they name",
      "running 1 a: mcast 230.0.0.1:1234, mcast 230.0.0.1:5558\n"
      "defined - b: mcast 230.0.0.1:1234 @lab\n"
      "running 2 c: mcast 230.0.0.1:1234 @two, mcast 230.0.0.1:1234 @bridge:br0\n"
      "running 3 d: mcast 230.0.0.1:1234 @ignore, client 127.0.0.1:12345, mcast 230.0.0.2:1234\n",
      "a.0 served lab\n"
      "a.1 ignored\n"
      "b.0 served lab\n"
      "c.0 refused named\n"
      "c.1 refused named\n"
      "d.0 ignored\n"
      "d.1 served named lab\n"
      "d.2 served lab\n"
      "[lab] listen:127.0.0.1:12345! mcast:230.0.0.1:1234! mcast:230.0.0.2:1234@lo!\n",
      "a.1: <multicast address='230.0.0.1' port='5558'/>\n"
      "c.0: guest c|230.0.0.1:1234|<multicast address='230.0.0.1' port='1234'/>\n"
      "c.1: <multicast address='230.0.0.1' port='1234'/>",
      .files = { LAB "<listen address='127.0.0.1' port='12345'/>"
                     "<multicast address='230.0.0.1' port='1234'/>"
                     "<multicast address='230.0.0.2' port='1234' dev='lo'/>",
                 "<name>two</name><match domain='none'/>" },
      .bridges = "br0" },
    { "a group that is none, or has no good port",
      "running 1 a: mcast 192.0.2.1:1234, mcast 230.0.0.1:70000, mcast 230.0.0.1:0 @lab\n",
      "a.0 refused\n"
      "a.1 refused\n"
      "a.2 refused named\n",
      "a.0: guest a|192.0.2.1|not a multicast group\n"
      "a.1: guest a|70000\n"
      "a.2: guest a|port 0",
      .files = { LAB "<match domain='none'/>" } },
    { "implicit=no: what is named is served", "running 1 a: client 127.0.0.1:12345\n",
      "a.0 served named lab\n"
      "[lab] listen:127.0.0.1:12345!\n",
      .files = { LAB "<match domain='a'/>" }, .implicit = NR_IMPLICIT_NO },
};

/* --- what holds for every row */

static void check_sentences(const NrDesired *desired)
{
    for (guint i = 0; i < desired->bindings->len; i++) {
        const NrBinding *binding = g_ptr_array_index(desired->bindings, i);
        g_autofree char *label = nr_nic_label(binding->nic);

        g_assert_true((binding->kind == NR_BINDING_SERVED) == !binding->reason);
        g_assert_true((binding->kind == NR_BINDING_SERVED) == (binding->endpoint != NULL));
        g_assert_true((binding->kind == NR_BINDING_DIRECT) == (binding->peer_guest != NULL));
        if (!binding->reason)
            continue;
        g_assert_false(g_str_has_suffix(binding->reason, "."));
        g_assert_null(strchr(binding->reason, '\n'));
        if (binding->kind != NR_BINDING_REFUSED)
            continue;
        g_assert_nonnull(strstr(binding->reason, binding->guest->name));
        g_assert_nonnull(strstr(binding->reason, label));
    }
}

/* The second plan after a whole pass is empty. */
static void check_plan(const NrDesired *desired)
{
    g_autoptr(NrActual) actual = nr_actual_new();
    g_autoptr(GPtrArray) first = nr_plan_new(desired, actual);
    g_autoptr(GPtrArray) second = NULL;
    g_autofree char *left = NULL;

    fixture_apply(actual, first);
    second = nr_plan_new(desired, actual);
    left = fixture_show_plan(second);
    g_assert_cmpstr(left, ==, "");
}

static void check_words(const NrDesired *desired, const char *says)
{
    g_auto(GStrv) lines = g_strsplit(says ? says : "", "\n", -1);

    for (char **line = lines; *line && **line; line++) {
        g_auto(GStrv) parts = g_strsplit(*line, ": ", 2);
        g_auto(GStrv) words = g_strsplit(parts[1], "|", -1);
        const NrBinding *binding = fixture_binding(desired, parts[0]);

        for (char **word = words; *word; word++)
            if (!strstr(binding->reason, *word))
                g_error("\"%s\" is not in: %s", *word, binding->reason);
        g_test_message("%s", binding->reason);
    }
}

/* The same world, however its guests are listed. */
static void check_order(const GPtrArray *guests, const GPtrArray *networks, const NrPolicy *policy,
                        const char *expected)
{
    g_autoptr(GPtrArray) reversed = g_ptr_array_new();
    g_autoptr(NrDesired) desired = NULL;
    g_autofree char *shown = NULL;

    for (guint i = guests->len; i > 0; i--)
        g_ptr_array_add(reversed, g_ptr_array_index(guests, i - 1));
    desired = fixture_decide(reversed, networks, policy);
    shown = fixture_show(desired);
    g_assert_cmpstr(shown, ==, expected);
}

static void test_row(gconstpointer data)
{
    const Row *row = data;
    char *bridges[] = { (char *)row->bridges, NULL };
    char *peers[] = { (char *)row->peers, NULL };
    NrPolicy policy = { .implicit = row->implicit,
                        .system = !row->session,
                        .bridges = row->bridges ? bridges : NULL,
                        .peers = row->peers ? peers : NULL,
                        .hooked = !row->unhooked,
                        .config = (char *)"/etc/netrelay/netrelayd.conf" };
    g_autoptr(GPtrArray) guests = fixture_guests(row->guests);
    g_autoptr(GPtrArray) networks = fixture_networks(row->files);
    g_autoptr(NrDesired) desired = fixture_decide(guests, networks, &policy);
    g_autofree char *shown = fixture_show(desired);

    g_assert_cmpstr(shown, ==, row->expected);
    check_sentences(desired);
    check_words(desired, row->says);
    check_order(guests, networks, &policy, row->expected);
    check_plan(desired);
}

/* --- what no table shows */

static const NrPolicy plain = { .system = TRUE, .hooked = TRUE };

/* What one user has in a tunnel nobody gets into by taking over its NIC's address. */
static void test_tunnel_of_one(void)
{
    static const NrPolicy session = { .hooked = TRUE };
    g_autoptr(GPtrArray) guests = fixture_guests("defined - a: client 127.0.0.1:1 @peer:hostb:1\n"
                                                 "running 1 b: client 127.0.0.1:2 @peer:hostc:1\n");
    g_autoptr(GPtrArray) networks = fixture_networks(NULL);
    g_autoptr(NrDesired) desired = NULL;
    g_autofree char *shown = NULL;
    NrNic *nics[2];

    for (guint i = 0; i < 2; i++)
        nics[i] = g_ptr_array_index(((NrGuest *)g_ptr_array_index(guests, i))->nics, 0);
    nics[0]->mac = nics[1]->mac;
    desired = fixture_decide(guests, networks, &session);
    shown = fixture_show(desired);
    g_assert_cmpstr(shown, ==,
                    "a.0 refused named\n"
                    "b.0 served named peer:52:54:00:02:00:00\n"
                    "[peer:52:54:00:02:00:00] listen:127.0.0.1:2! tcp:hostc:1!\n");
    check_words(desired, "a.0: guest a|guest b|52:54:00:02:00:00|<mac>");
}

static void test_metadata_fault(void)
{
    g_autoptr(GPtrArray) guests =
        fixture_guests("announced 1 a: client 127.0.0.1:12345, mcast 239.255.1.1:5000, other\n"
                       "announced 2 b: mcast 239.255.1.1:5000\n");
    g_autoptr(GPtrArray) networks = fixture_networks(NULL);
    g_autoptr(NrDesired) desired = NULL;
    g_autofree char *shown = NULL;

    for (guint i = 0; i < guests->len; i++) {
        NrGuest *guest = g_ptr_array_index(guests, i);

        guest->metadata_fault = g_strdup("line 3: <netrelay:interface>: netwrok=\x1b is unknown");
    }
    desired = fixture_decide(guests, networks, &plain);
    shown = fixture_show(desired);
    g_assert_cmpstr(shown, ==,
                    "a.0 refused named\n"
                    "a.1 ignored\n"
                    "b.0 ignored\n");
    g_assert_nonnull(strstr(fixture_binding(desired, "a.0")->reason, "netwrok"));
    g_assert_null(strchr(fixture_binding(desired, "a.0")->reason, 0x1b));
}

static void test_names_are_data(void)
{
    g_autoptr(GPtrArray) guests = fixture_guests("announced 1 a: client 127.0.0.1:1 @nowhere\n");
    g_autoptr(GPtrArray) networks = fixture_networks(NULL);
    g_autoptr(NrDesired) desired = NULL;
    NrGuest *guest = g_ptr_array_index(guests, 0);

    g_free(guest->name);
    guest->name = g_strdup("%s%n \n\x1b[2J ../x");
    desired = fixture_decide(guests, networks, &plain);
    for (const char *c = ((NrBinding *)g_ptr_array_index(desired->bindings, 0))->reason; *c; c++)
        g_assert_true((guchar)*c >= ' ');
}

static const NrDesiredEndpoint *find_endpoint(const NrDesired *desired, const char *text)
{
    for (guint i = 0; i < desired->networks->len; i++) {
        const NrDesiredNetwork *network = g_ptr_array_index(desired->networks, i);

        for (guint k = 0; k < network->endpoints->len; k++) {
            const NrDesiredEndpoint *endpoint = g_ptr_array_index(network->endpoints, k);

            if (g_str_equal(endpoint->text, text))
                return endpoint;
        }
    }
    g_error("there is no endpoint %s", text);
}

/* Whom a port is for, and when a foreign address is tried again. */
static void test_endpoints_tell(void)
{
    static const char *const files[] = { LAB "<match type='server'/>", NULL };
    g_autoptr(GPtrArray) guests =
        fixture_guests("running 7 a: client 127.0.0.1:12345, server :23456\n"
                       "running 9 b: client 127.0.0.1:12345\n"
                       "defined - c: client 127.0.0.1:12345\n"
                       "running 8 d: client 127.0.0.1:12345\n");
    g_autoptr(GPtrArray) networks = fixture_networks(files);
    g_autoptr(NrDesired) desired = fixture_decide(guests, networks, &plain);
    const NrDesiredEndpoint *listener = find_endpoint(desired, "listen:127.0.0.1:12345");
    const NrDesiredEndpoint *dialler = find_endpoint(desired, "tcp:127.0.0.1:23456");

    g_assert_null(listener->label);
    g_assert_cmpint(listener->newest_id, ==, 9);
    g_assert_false(listener->named);
    g_assert_cmpstr(dialler->label, ==, "00000000-0000-4000-8000-000000000001/52:54:00:01:00:01");
    g_assert_cmpint(dialler->newest_id, ==, 7);
    g_assert_true(dialler->named);
    g_assert_cmpstr(fixture_binding(desired, "c.0")->endpoint, ==, "listen:127.0.0.1:12345");
}

static void test_hostnames(void)
{
    static const char *const files[] = { LAB "<listen address='b.example' port='1'/>"
                                             "<listen address='10.0.0.1' port='2'/>"
                                             "<match address='a.example'/>",
                                         NULL };
    g_autoptr(GPtrArray) guests =
        fixture_guests("running 7 a: client localhost:12345, server :23456, client 127.0.0.1:1\n"
                       "defined - b: udp a.example:1>c.example:2, client bad.example:70000\n");
    g_autoptr(GPtrArray) networks = fixture_networks(files);
    g_auto(GStrv) names = nr_desired_hostnames(guests, networks);
    g_autofree char *joined = g_strjoinv(" ", names);

    g_assert_cmpstr(joined, ==, "a.example b.example c.example localhost");
}

static void add_rows(const char *folder, const Row *rows, gsize count)
{
    for (gsize i = 0; i < count; i++) {
        g_autofree char *path = g_strdup_printf("/desired/%s/%s", folder, rows[i].name);

        g_test_add_data_func(path, &rows[i], test_row);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add_rows("F generators", generators, G_N_ELEMENTS(generators));
    add_rows("F interpretation", interpretation, G_N_ELEMENTS(interpretation));
    add_rows("named", named, G_N_ELEMENTS(named));
    g_test_add_func("/desired/a tunnel is one guest's", test_tunnel_of_one);
    g_test_add_func("/desired/metadata fault", test_metadata_fault);
    g_test_add_func("/desired/names are data", test_names_are_data);
    g_test_add_func("/desired/endpoints tell whom they are for", test_endpoints_tell);
    g_test_add_func("/desired/host names", test_hostnames);
    return g_test_run();
}
