/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who meets whom where network files or guests' metadata name it; and what no table shows. */
#include "desired-row.h"

#include <string.h>
#include "xml/network-xml.h"

#define LAB "<name>lab</name>"

static const DesiredRow named[] = {
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
    { "a prefix of peers fits addresses, and no name that begins like one",
      "announced 1 a: client 127.0.0.1:12345 @peer:10.0.0.7:12345, "
      "client 127.0.0.1:12346 @peer:10.0.1.7:12345, client 127.0.0.1:12347 @peer:10.0.0.7:13000, "
      "client 127.0.0.1:12348 @peer:[2001:db8::7]:1\n",
      "a.0 served named peer:52:54:00:01:00:00\n"
      "a.1 refused named\n"
      "a.2 refused named\n"
      "a.3 served named peer:52:54:00:01:00:03\n"
      "[peer:52:54:00:01:00:00] listen:127.0.0.1:12345! tcp:10.0.0.7:12345!\n"
      "[peer:52:54:00:01:00:03] listen:127.0.0.1:12348! tcp:[2001:db8::7]:1!\n",
      "a.1: peers=10.0.0.0/24:12000-12999;[2001:db8::/32]:*;10.0.1.7:12345",
      .peers = "10.0.0.0/24:12000-12999;[2001:db8::/32]:*" },
    { "an address that no guest may ask for: nothing is bound, and both lines are named",
      "running 1 a: client 10.0.0.1:12345, udp 10.0.0.1:5601>127.0.0.1:5602\n"
      "running 2 b: client 127.0.0.1:12345, udp 10.0.0.1:5601>127.0.0.1:5603\n"
      "announced 3 c: client 10.0.0.1:12345 @lab\n",
      "a.0 unconnected\n"
      "a.1 unconnected\n"
      "b.0 served 127.0.0.1:12345\n"
      "b.1 unconnected\n"
      "c.0 refused named\n"
      "[127.0.0.1:12345] listen:127.0.0.1:12345\n",
      "a.0: 10.0.0.1|addresses=127.0.0.0/8;::1|[policy]|/etc/netrelay/netrelayd.conf|"
      "<listen address='10.0.0.1' port='12345'/>\n"
      "a.1: addresses=127.0.0.0/8;::1|<udp address='10.0.0.1' port='5601'/>\n"
      "c.0: guest c|addresses=127.0.0.0/8;::1|<listen address='10.0.0.1' port='12345'/>",
      .addresses = "127.0.0.0/8;::1", .files = { LAB "<match domain='none'/>" } },
    { "a port that no guest may ask for",
      "running 1 a: client 127.0.0.1:80, client 127.0.0.1:12345, server 127.0.0.1:81\n"
      "announced 2 b: udp 127.0.0.1:53>127.0.0.1:5602 @bridge:br0\n",
      "a.0 unconnected\n"
      "a.1 served 127.0.0.1:12345\n"
      "a.2 unconnected\n"
      "b.0 refused named\n"
      "[127.0.0.1:12345] listen:127.0.0.1:12345\n",
      "a.0: port 80|ports=1024-65535|[policy]|/etc/netrelay/netrelayd.conf|"
      "<listen address='127.0.0.1' port='80'/>\n"
      "b.0: guest b|port 53|ports=1024-65535|<udp address='127.0.0.1' port='53'/>",
      .bridges = "br0", .ports = "1024-65535" },
    { "what a network file has is not asked about: its addresses, and its rules as far as they go",
      "running 1 a: client 127.0.0.1:80, udp 127.0.0.1:53>127.0.0.1:5602, client 127.0.0.1:81, "
      "client 127.0.0.1:80 @lab\n"
      "running 2 b: client 127.0.0.1:82\n"
      "running 3 c: client 10.0.0.1:83\n",
      "a.0 served named lab\n"
      "a.1 served named lab\n"
      "a.2 served named lab\n"
      "a.3 served named lab\n"
      "b.0 refused named\n"
      "c.0 refused named\n"
      "[lab] listen:127.0.0.1:80! udp:127.0.0.1:53:127.0.0.1:5602! listen:127.0.0.1:81!\n",
      "b.0: port 82\n"
      "c.0: 10.0.0.1",
      .files = { LAB "<listen address='127.0.0.1' port='80'/><udp address='127.0.0.1' port='53'/>"
                     "<match port='81'/><match domain='b' address='127.0.0.1'/>"
                     "<match domain='c' port='83'/>" },
      .addresses = "127.0.0.0/8", .ports = "1024-65535" },
    { "a session's guests ask for what their user may have", "running 1 a: client 10.0.0.1:80\n",
      "a.0 served 10.0.0.1:80\n"
      "[10.0.0.1:80] listen:10.0.0.1:80\n",
      .addresses = "::1", .ports = "1024-65535", .session = TRUE },
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
    desired_check_words(desired, "a.0: guest a|guest b|52:54:00:02:00:00|<mac>");
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

/* The guest's own word first, then the rule's, then the network's; nobody's: not pinned. */
static void test_pins(void)
{
    static const char file[] = "<name>lab</name><listen port='1'/>"
                               "<match domain='router' pin='no'/><match type='server'/>";
    static const struct {
        const char *guest, *pin;
        gboolean pinned;
    } rows[] = {
        { "running 1 a: client 127.0.0.1:1", " pin='yes'", TRUE },
        { "running 1 a: client 127.0.0.1:1", " pin='no'", FALSE },
        { "running 1 a: client 127.0.0.1:1", "", FALSE },
        { "running 1 a: server 127.0.0.1:2", " pin='yes'", TRUE },
        { "running 1 router: server 127.0.0.1:2", " pin='yes'", FALSE },
        { "running 1 router: server 127.0.0.1:2 @lab", " pin='yes'", TRUE },
        { "running 1 a: client 127.0.0.1:9", " pin='yes'", FALSE },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GPtrArray) guests = fixture_guests(rows[i].guest);
        g_autofree char *xml = g_strdup_printf("<network%s>%s</network>", rows[i].pin, file);
        g_autoptr(NrNetwork) network = nr_network_xml_parse(xml, strlen(xml), "lab.xml", NULL);
        g_autoptr(GPtrArray) networks = g_ptr_array_new();
        g_autoptr(NrDesired) desired = NULL;
        const NrBinding *binding;

        g_assert_nonnull(network);
        g_ptr_array_add(networks, network);
        desired = fixture_decide(guests, networks, &plain);
        binding = g_ptr_array_index(desired->bindings, 0);
        g_assert_cmpstr(binding->options, ==, rows[i].pinned ? ",pin=52:54:00:01:00:00" : "");
    }
}

/* Whoever may only edit a guest of the system's does not take a file's pin off; his own he may. */
static void test_pin_of_a_file(void)
{
    static const char *const files[] = { LAB "<match port='1' pin='yes'/><match port='2'/>", NULL };
    static const struct {
        const char *guest;
        gboolean system, pinned;
    } rows[] = {
        { "running 1 a: client 127.0.0.1:1", TRUE, TRUE },
        { "running 1 a: client 127.0.0.1:1", FALSE, FALSE },
        { "running 1 a: client 127.0.0.1:2", TRUE, FALSE },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        NrPolicy policy = { .system = rows[i].system };
        g_autoptr(GPtrArray) guests = fixture_guests(rows[i].guest);
        g_autoptr(GPtrArray) networks = fixture_networks(files);
        g_autoptr(NrDesired) desired = NULL;
        NrGuest *guest = g_ptr_array_index(guests, 0);
        const NrBinding *binding;

        ((NrNic *)g_ptr_array_index(guest->nics, 0))->wish.pin = NR_PIN_NO;
        desired = fixture_decide(guests, networks, &policy);
        binding = g_ptr_array_index(desired->bindings, 0);
        g_assert_cmpstr(binding->options, ==, rows[i].pinned ? ",pin=52:54:00:01:00:00" : "");
    }
}

/* There is nothing to pin it to: libvirt makes an address up that a hook's XML need not have. */
static void test_pin_without_an_address(void)
{
    static const char *const files[] = { "<name>lab</name><match domain='none'/>", NULL };
    g_autoptr(GPtrArray) guests = fixture_guests("announced - a: client 127.0.0.1:1");
    g_autoptr(GPtrArray) networks = fixture_networks(files);
    g_autoptr(NrDesired) desired = NULL;
    NrNic *nic = g_ptr_array_index(((NrGuest *)g_ptr_array_index(guests, 0))->nics, 0);

    nic->wish.pin = NR_PIN_YES;
    nic->mac = (struct mac){ 0 };
    desired = fixture_decide(guests, networks, &plain);
    g_assert_cmpstr(((NrBinding *)g_ptr_array_index(desired->bindings, 0))->options, ==, "");
}

/* What QEMU hears anyone at is guarded while its guest is there, whoever it talks to. */
static void test_guarded(void)
{
    static const char *const files[] = { NULL };
    g_autoptr(GPtrArray) guests = fixture_guests(
        "running 1 a: udp 127.0.0.1:5601>127.0.0.1:5602, client 127.0.0.1:1\n"
        "announced 2 b: udp 127.0.0.1:5602>127.0.0.1:5601, udp 127.0.0.1:1>0.0.0.0:5603\n"
        "defined - c: udp 127.0.0.1:1>127.0.0.1:5604\n"
        "running 3 d: udp 127.0.0.1:1>127.0.0.1:5605 @ignore, udp 127.0.0.1:1>127.0.0.1:70000\n");
    g_autoptr(GPtrArray) networks = fixture_networks(files);
    NrPolicy off = { .system = TRUE }, session = { .guard_udp = TRUE };
    NrPolicy on = { .system = TRUE, .guard_udp = TRUE };
    g_autoptr(NrDesired) none = fixture_decide(guests, networks, &off);
    g_autoptr(NrDesired) theirs = fixture_decide(guests, networks, &session);
    g_autoptr(NrDesired) all = fixture_decide(guests, networks, &on);
    g_autofree char *text = NULL;

    g_assert_true(!none->guarded && !theirs->guarded);
    g_ptr_array_add(all->guarded, NULL);
    text = g_strjoinv(" ", (char **)all->guarded->pdata);
    g_assert_cmpstr(text, ==, "0.0.0.0:5603 127.0.0.1:5601 127.0.0.1:5602");
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

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    desired_rows_add("named", named, G_N_ELEMENTS(named));
    g_test_add_func("/desired/a tunnel is one guest's", test_tunnel_of_one);
    g_test_add_func("/desired/metadata fault", test_metadata_fault);
    g_test_add_func("/desired/names are data", test_names_are_data);
    g_test_add_func("/desired/pins", test_pins);
    g_test_add_func("/desired/a pin of a file", test_pin_of_a_file);
    g_test_add_func("/desired/a pin without an address", test_pin_without_an_address);
    g_test_add_func("/desired/guarded", test_guarded);
    g_test_add_func("/desired/endpoints tell whom they are for", test_endpoints_tell);
    g_test_add_func("/desired/host names", test_hostnames);
    return g_test_run();
}
