/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who meets whom where nobody has named anything: first what generators of domain XML write in
 * practice, one row for each; then each line of their interpretation.
 */
#include "desired-row.h"

static const DesiredRow generators[] = {
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

static const DesiredRow interpretation[] = {
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

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    desired_rows_add("F generators", generators, G_N_ELEMENTS(generators));
    desired_rows_add("F interpretation", interpretation, G_N_ELEMENTS(interpretation));
    return g_test_run();
}
