/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A device's addresses and routes that move to a bridge, and back, whatever dies meanwhile. */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "changes.h"
#include "common/scope.h"
#include "net/uplink-guard.h"
#include "net/uplink-owner.h"
#include "netns.h"

static int uplinks_fd = -1;

static void shell(const char *command)
{
    if (system(command) != 0)
        g_error("failed: %s", command);
}

static char *output(const char *command)
{
    const char *argv[] = { "sh", "-c", command, NULL };
    char *text = NULL;

    g_assert_true(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &text,
                               NULL, NULL, NULL));
    return text;
}

/* An address may be shown a moment before the kernel takes what is sent to it. */
#define WAIT_FOR_ADDRESSES                                                                         \
    "until [ $(ip -6 -o addr show dev eth0 -tentative | wc -l) ="                                  \
    " $(ip -6 route show table local type local dev eth0 | wc -l) ]; do sleep 0.01; done"

static void setup_small(void)
{
    shell("ip link add eth0 address 02:00:00:00:00:e0 mtu 1400 type veth peer name veth0 &&"
          " ip link set veth0 up && ip link set eth0 up &&"
          " until ip -6 -o addr show dev eth0 | grep -q fe80::ff:fe00:e0; do sleep 0.01; done &&"
          " until ip -6 -o addr show dev veth0 | grep -q fe80:; do sleep 0.01; done &&"
          " ip addr add 192.0.2.5/24 dev eth0 brd + label eth0 &&"
          " ip addr add 192.0.2.6/24 dev eth0 label eth0:1 &&"
          " ip addr add 2001:db8:1::5/64 dev eth0 && " WAIT_FOR_ADDRESSES " &&"
          " ip route add default via 192.0.2.1 &&"
          " ip -6 route add default via 2001:db8:1::1 &&"
          " ip -6 route add default via fe80::1 dev eth0 metric 2048 &&"
          " echo 2 > /proc/sys/net/ipv4/conf/eth0/rp_filter");
}

/* A host with most that one can have on its uplink. */
static void setup(void)
{
    setup_small();
    shell("ip addr add 10.1.0.1 peer 10.1.0.2/32 dev eth0 &&"
          " ip addr add 198.51.100.7/25 dev eth0 metric 77 &&"
          " ip addr add 198.51.100.8/25 dev eth0 &&"
          " ip addr add 2001:db8:1::6/64 dev eth0 &&"
          " ip addr add 2001:db8:2::7/64 dev eth0 noprefixroute &&"
          " ip addr add fe80::77/64 dev eth0 && " WAIT_FOR_ADDRESSES " &&"
          " ip route add default via 192.0.2.254 metric 500 &&"
          " ip route add 203.0.113.0/24 via 192.0.2.9 src 192.0.2.6 mtu 1300 &&"
          " ip route add 172.16.0.0/16 dev eth0 scope link &&"
          " ip route add 198.18.0.0/15 nexthop via 192.0.2.10 nexthop via 192.0.2.11 weight 3 &&"
          " ip route add default via 192.0.2.3 table 100 &&"
          " ip -6 route add 2001:db8:9::/48 via 2001:db8:1::9 src 2001:db8:1::6 metric 7 &&"
          " ip -6 route add 2001:db8:2::/64 dev eth0 metric 9 &&"
          " ip -6 route add 2001:db8:8::/48 nexthop via 2001:db8:1::10 nexthop via 2001:db8:1::11");
}

static void add_bridge(void)
{
    netns_link_add("br7", "bridge");
    netns_link_mac("br7", "02:00:00:00:00:b7");
}

static void teardown(void)
{
    netns_link_del("eth0");
    g_assert_cmpint(faccessat(uplinks_fd, "eth0", F_OK, 0), ==, -1);
}

static void there(const char *const *unused)
{
    g_assert_cmpint(uplink_there(uplinks_fd, "lab", "eth0", "br7", 0), ==, 0);
}

static void back(const char *const *unused)
{
    g_assert_cmpint(uplink_back(uplinks_fd, "eth0"), ==, 0);
}

/* In the order in which the kernel has them, without the labels and the device's name, and without
 * the link-local ones, of which the bridge has another, too. */
static char *addresses(const char *device)
{
    g_autofree char *command = g_strdup_printf("ip -o addr show dev %s | grep -v fe80: | sed -e "
                                               "'s/^[0-9]*: %s//' -e 's/ %s[:1]*\\\\/\\\\/'",
                                               device, device, device);

    return output(command);
}

/* Of a bridge, without the link-local addresses that the kernel gives. */
static char *addresses_and_settings(const char *bridge)
{
    g_autofree char *command =
        g_strdup_printf("ip -o addr show dev %s | grep -v inet6.fe80; ip link show dev %s | grep "
                        "ether; grep -s . /proc/sys/net/ipv?/conf/%s/*;"
                        " ip route show table all dev %s; ip -6 route show table all dev %s |"
                        " grep -v -e fe80 -e multicast",
                        bridge, bridge, bridge, bridge, bridge);

    return output(command);
}

/* --- there and back */

/* The routes, with the device's name instead of the bridge's. */
static char *routes(const char *device)
{
    g_autofree char *command = g_strdup_printf(
        "for f in -4 -6; do ip $f route show table all | grep 'dev %s' |"
        " grep -v -e 'table local' -e linkdown -e multicast -e fe80:.*kernel |"
        " sed -e 's/dev %s/dev X/g'; ip $f route show | grep -A2 '^[^ ]* *proto static *$';"
        " done",
        device, device);

    return output(command);
}

static void test_round(void)
{
    g_autofree char *before = NULL, *after = NULL, *order = NULL, *order_after = NULL;
    g_autofree char *routes_before = NULL, *routes_there = NULL, *order_there = NULL;
    struct link_state bridge;

    setup();
    before = changes_host_text();
    order = addresses("eth0");
    routes_before = routes("eth0");
    add_bridge();
    there(NULL);
    bridge = netns_link("br7");
    g_assert_true(mac_equal(bridge.mac, netns_link("eth0").mac));
    g_assert_cmpint(netns_link("eth0").master, ==, bridge.ifindex);
    routes_there = routes("br7");
    changes_assert_same(routes_there, routes_before);
    order_there = addresses("br7");
    changes_assert_same(order_there, order);
    shell("test \"$(ip -4 -o addr show dev eth0)\" = '' &&"
          " ! ip -6 -o addr show dev eth0 | grep -v fe80: &&"
          " ip -6 -o addr show dev br7 | grep -q fe80::77/64 &&"
          " test $(cat /proc/sys/net/ipv4/conf/br7/rp_filter) = 2");
    back(NULL);
    g_assert_cmpint(netns_link("br7").mac.b[5], ==, 0xb7);
    netns_link_del("br7");
    after = changes_host_text();
    changes_assert_same(after, before);
    order_after = addresses("eth0");
    changes_assert_same(order_after, order);
    teardown();
}

/* --- what routers say */

/* A way that a router has advertised is kept one metric behind, so that the kernel can make it
 * again; then the copy and what the kernel has made go together. */
static void test_learned(void)
{
    setup_small();
    add_bridge();
    shell("ip -6 route add default via fe80::9 dev eth0 proto ra metric 1100 expires 600");
    there(NULL);
    shell("test $(ip -6 route show default proto ra | wc -l) = 1 &&"
          " ip -6 route show default proto ra | grep -q 'dev br7 metric 1101 expires' &&"
          " ip -6 route append default via fe80::9 dev br7 proto ra metric 1100 expires 9000");
    back(NULL);
    shell("test $(ip -6 route show default proto ra | wc -l) = 1 &&"
          " ip -6 route show default proto ra | grep -q 'dev eth0 metric 1101 expires [89]...sec'");
    /* With a copy behind it, there is one to be moved. */
    shell("ip -6 route append default via fe80::9 dev eth0 proto ra metric 1100 expires 9000");
    there(NULL);
    shell("test $(ip -6 route show default proto ra | wc -l) = 1");
    /* Before the router has said anything: what was left of its time is. */
    back(NULL);
    shell("test $(ip -6 route show default proto ra | wc -l) = 1 &&"
          " ip -6 route show default proto ra | grep -q 'dev eth0 .* expires [89]...sec'");
    netns_link_del("br7");
    teardown();
}

/* --- what dies */

/* Of the device and the bridge, what a move changes. */
static char *brief(void)
{
    return output(
        "ip -o addr show dev eth0; ip -o addr show dev br7 | grep -v inet6.fe80;"
        "ip -o link show dev eth0 | sed 's/ state .*//'; ip link show dev br7 | grep ether;"
        " ip route show table 0 | grep -v linkdown;"
        " ip -6 route show table 0 | grep -v -e linkdown -e 'br7.*kernel';"
        " grep . /proc/sys/net/ipv?/conf/br7/[adr]* | grep -v stable_secret");
}

static void test_kills(void)
{
    g_autofree char *before = NULL;
    unsigned kills = 1;

    if (changes_skip_without_ptrace())
        return;
    setup_small();
    add_bridge();
    before = brief();
    for (bool more = true; more; kills++) {
        g_autofree char *after = NULL;

        more = changes_kill_after(there, NULL, kills);
        back(NULL);
        after = brief();
        changes_assert_same(after, before);
    }
    g_assert_cmpuint(kills, >, 40);
    kills = 1;
    for (bool more = true; more; kills++) {
        g_autofree char *after = NULL;

        there(NULL);
        more = changes_kill_after(back, NULL, kills);
        back(NULL);
        after = brief();
        changes_assert_same(after, before);
    }
    g_assert_cmpuint(kills, >, 30);
    netns_link_del("br7");
    teardown();
}

/* On a full disk, say: no file can be written. */
static void test_no_room(void)
{
    const struct rlimit none = { 0, RLIM_INFINITY }, any = { RLIM_INFINITY, RLIM_INFINITY };
    g_autofree char *before = NULL, *after = NULL;

    setup_small();
    add_bridge();
    before = brief();
    there(NULL);
    (void)signal(SIGXFSZ, SIG_IGN);
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &none), ==, 0);
    g_assert_cmpint(uplink_there(uplinks_fd, "lab", "lo", "br7", 0), ==, -EFBIG);
    back(NULL);
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &any), ==, 0);
    after = brief();
    changes_assert_same(after, before);
    netns_link_del("br7");
    teardown();
}

/* With another letter at one place. */
static void write_record(const char *text, const char *place, char letter)
{
    g_autofree char *changed = g_strdup(text);
    int fd = openat(uplinks_fd, "eth0", O_WRONLY | O_TRUNC | O_CLOEXEC);

    changed[place - text] = letter;
    g_assert_cmpint(write(fd, changed, strlen(changed)), ==, (ssize_t)strlen(changed));
    close(fd);
}

/* A record that was not written to its end says nothing, and one of before the host's boot is none:
 * its addresses are as the host's own configuration has them. */
static void test_what_is_no_record(void)
{
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d/eth0", uplinks_fd);
    struct uplink_record *record = NULL;
    g_autofree char *whole = NULL;
    gsize length;

    setup_small();
    add_bridge();
    there(NULL);
    g_assert_true(g_file_get_contents(path, &whole, &length, NULL));
    g_assert_true(g_str_has_suffix(whole, "\nend\n"));
    for (gsize cut = strlen("end\n"); cut < length; cut += 97) {
        g_assert_cmpint(truncate(path, (off_t)(length - cut)), ==, 0);
        g_assert_cmpint(uplink_record_read(uplinks_fd, "eth0", &record), ==, -EBADMSG);
    }
    write_record(whole, strchr(whole, '\n') + 1, 'x');
    g_assert_cmpint(uplink_record_read(uplinks_fd, "eth0", &record), ==, -ENOENT);
    write_record(whole, whole, *whole);
    back(NULL);
    netns_link_del("br7");
    teardown();
}

/* --- what others do */

static void test_others(void)
{
    setup();
    add_bridge();
    there(NULL);
    shell("ip addr del 192.0.2.6/24 dev br7 && ip route del default via 192.0.2.254 &&"
          " ip -6 route del default via fe80::1 dev br7 && ip addr add 192.0.2.99/24 dev br7 &&"
          " ip route add 192.0.2.128/25 via 192.0.2.200 dev eth0 onlink");
    back(NULL);
    shell("! ip addr show | grep -q 192.0.2.6/24 && ip addr show dev eth0 | grep -q 192.0.2.5/24 &&"
          " test $(ip route show default | wc -l) = 1 && ip route show | grep -q 192.0.2.128/25 &&"
          " test $(ip -6 route show default | wc -l) = 1 &&"
          " ip addr show dev br7 | grep -q 192.0.2.99/24");
    netns_link_del("br7");
    teardown();
}

static void test_bridge_removed(void)
{
    g_autofree char *before = NULL, *after = NULL;

    setup();
    before = changes_host_text();
    add_bridge();
    there(NULL);
    netns_link_del("br7");
    back(NULL);
    after = changes_host_text();
    changes_assert_same(after, before);
    teardown();
}

/* The bridge is somebody's, and keeps nothing of it. */
static void test_device_removed(void)
{
    g_autofree char *before = NULL, *after = NULL;

    setup();
    add_bridge();
    before = addresses_and_settings("br7");
    there(NULL);
    netns_link_del("eth0");
    back(NULL);
    g_assert_cmpint(faccessat(uplinks_fd, "eth0", F_OK, 0), ==, -1);
    after = addresses_and_settings("br7");
    changes_assert_same(after, before);
    netns_link_del("br7");
}

static void test_device_renamed(void)
{
    setup_small();
    add_bridge();
    there(NULL);
    shell("ip link set eth0 down && ip link set eth0 name eth9 && ip link set eth9 up &&"
          " ip link add eth0 type bridge"); /* another one */
    back(NULL);
    g_assert_cmpint(netns_link("eth9").master, ==, 0);
    shell("ip addr show dev eth9 | grep -q 192.0.2.6/24 &&"
          " ip addr show dev eth9 | grep -q 2001:db8:1::5/64 &&"
          " ip route show default | grep -q 'dev eth9' && ip link del eth0 &&"
          " ip link set eth9 down && ip link set eth9 name eth0");
    netns_link_del("br7");
    teardown();
}

/* A move that fails in the middle is taken back by what the record says. */
static void test_fails(void)
{
    g_autofree char *before = NULL, *after = NULL;

    setup();
    shell("ip link add macvlan0 link eth0 type macvlan"); /* its master cannot be in a bridge */
    before = changes_host_text();
    add_bridge();
    g_assert_cmpint(uplink_there(uplinks_fd, "lab", "eth0", "br7", 0), ==, -EBUSY);
    back(NULL);
    netns_link_del("br7");
    after = changes_host_text();
    changes_assert_same(after, before);
    g_assert_cmpint(uplink_there(uplinks_fd, "lab", "eth0", "br7", 0), ==, -ENODEV);
    g_assert_cmpint(uplink_there(uplinks_fd, "lab", "eth0", "veth0", 0), ==, -ENOTSUP);
    teardown();
}

/* --- which device can be moved */

/* Some kernels have not all kinds. */
static bool can_make(const char *command)
{
    g_autofree char *quiet = g_strdup_printf("%s 2>/dev/null", command);

    return system(quiet) == 0;
}

static void expect_verdict(const char *device, enum uplink_verdict verdict, const char *words)
{
    char reason[UPLINK_REASON_MAX];

    g_assert_cmpint(uplink_judge(device, "br7", reason), ==, verdict);
    if (!strstr(reason, words) || strlen(reason) >= UPLINK_REASON_MAX - 1)
        g_error("%s: \"%s\" lacks \"%s\"", device, reason, words);
    g_assert_true((*reason == '\0') == (verdict == UPLINK_FREE));
}

static const struct {
    const char *make, *device;
    enum uplink_verdict verdict;
    const char *words;
} kinds[] = {
    { "true", "eth0", UPLINK_FREE, "" },
    { "true", "eth9", UPLINK_ABSENT, "there is no device eth9" },
    { "true", "lo", UPLINK_UNFIT, "lo is not an Ethernet device" },
    { "ip tuntap add d0 mode tun", "d0", UPLINK_UNFIT, "d0 is not an Ethernet device" },
    { "ip link add d0 type bridge", "d0", UPLINK_UNFIT, "name it as the <bridge>" },
    { "ip link add d0 link eth0 type macvlan mode bridge", "d0", UPLINK_UNFIT,
      "gets only frames of its own address" },
    { "ip link add d0 link eth0 type macvlan mode passthru", "d0", UPLINK_FREE, "" },
    { "ip link add d0 link eth0 type ipvlan", "d0", UPLINK_UNFIT,
      "gets only frames of its own address" },
    { "ip link add d0 link eth0 type macvlan", "eth0", UPLINK_UNFIT,
      "d0 takes the frames that come in by eth0" },
    { "ip link add d0 link eth0 type macvtap", "eth0", UPLINK_UNFIT, "take d0 away" },
    { "ip link add d0 type bridge && ip link set eth0 master d0", "eth0", UPLINK_ELSEWHERE,
      "eth0 belongs to d0 already" },
    { "ip link add br7 type bridge && ip link set eth0 master br7", "eth0", UPLINK_ELSEWHERE,
      "leave out dev='eth0'" },
    { "ip link add d0 type vrf table 9 && ip link set eth0 master d0", "eth0", UPLINK_ELSEWHERE,
      "eth0 belongs to d0 already" },
    /* Those that go into a bridge as they are. */
    { "ip link add d0 type bond", "d0", UPLINK_FREE, "" },
    { "ip link add d0 type bond && ip link set eth0 down && ip link set eth0 master d0", "eth0",
      UPLINK_ELSEWHERE, "eth0 belongs to d0 already; name that one" },
    { "ip link add d0 link eth0 type vlan id 5", "d0", UPLINK_FREE, "" },
    { "ip link add d0 link eth0 type vlan id 5", "eth0", UPLINK_FREE, "" },
    { "ip link add d0 type vxlan id 5 dstport 4789 dev eth0", "d0", UPLINK_FREE, "" },
    { "ip link add d0 type vxlan id 5 dstport 4789 dev eth0", "eth0", UPLINK_FREE, "" },
};

static void test_kinds(void)
{
    guint made = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        netns_link_add("eth0", "veth");
        if (can_make(kinds[i].make)) {
            expect_verdict(kinds[i].device, kinds[i].verdict, kinds[i].words);
            made++;
        } else {
            g_test_message("not here: %s", kinds[i].make);
        }
        shell("for d in d0 br7; do ip link del $d 2>/dev/null; done; ip link del eth0");
    }
    g_assert_cmpuint(made, >=, 8);
}

/* --- the guard, which is this program again */

/* Of the network "dies" the child dies when it has moved all, or taken all back. */
static int work(int dir_fd, const struct uplink_task *task)
{
    int r = uplink_guard_work(dir_fd, task);

    if (strcmp(task->network, "dies") == 0)
        raise(SIGKILL);
    return r;
}

static int ask(const char *network, bool back_again, long long until)
{
    const struct uplink_task task = {
        .back = back_again, .network = network, .device = "eth0", .bridge = "br7", .until = until
    };

    return uplink_guard_ask(uplinks_fd, &task);
}

static bool is_recorded(void)
{
    return faccessat(uplinks_fd, "eth0", F_OK, 0) == 0;
}

static void test_guarded(void)
{
    g_autofree char *before = NULL, *after = NULL;

    setup_small();
    add_bridge();
    before = brief();
    g_assert_cmpint(ask("lab", false, 0), ==, 0);
    g_assert_true(is_recorded() && netns_link("eth0").master != 0);
    g_assert_cmpint(ask("lab", true, 0), ==, 0);
    g_assert_false(is_recorded());
    g_assert_cmpint(ask("dies", false, 0), ==, -EINTR);
    g_assert_false(is_recorded());
    g_assert_cmpint(ask("lab", false, 0), ==, 0);
    g_assert_cmpint(ask("dies", true, 0), ==, 0);
    g_assert_false(is_recorded());
    after = brief();
    changes_assert_same(after, before);
    netns_link_del("br7");
    g_assert_cmpint(ask("lab", false, 0), ==, -ENODEV);
    g_assert_false(is_recorded());
    teardown();
}

static void test_confirmed(void)
{
    g_autofree char *before = NULL, *after = NULL;
    struct uplink_record *record = NULL;

    setup_small();
    add_bridge();
    before = brief();
    g_assert_cmpint(uplink_confirm(uplinks_fd, "eth0"), ==, -ENOENT);
    g_assert_cmpint(ask("lab", false, uplink_now() + 1000), ==, 0);
    g_assert_cmpint(uplink_confirm(uplinks_fd, "eth0"), ==, 0);
    g_assert_cmpint(uplink_record_read(uplinks_fd, "eth0", &record), ==, 0);
    g_assert_cmpint(record->until, ==, 0);
    free(record);
    g_assert_cmpint(ask("lab", true, 0), ==, 0);
    /* Its grace begins at once, so that it need not be waited for. */
    g_assert_cmpint(ask("lab", false, uplink_now() - UPLINK_GUARD_GRACE_S + 1), ==, 0);
    for (int i = 0; i < 3000 && is_recorded(); i++)
        g_usleep(5000);
    g_assert_false(is_recorded());
    after = brief();
    changes_assert_same(after, before);
    netns_link_del("br7");
    teardown();
}

int main(int argc, char **argv)
{
    int status, fd;

    if (argc > 1 && strcmp(argv[1], UPLINK_GUARD_WORD) == 0)
        return uplink_guard_main(argc, argv, work);
    g_test_init(&argc, &argv, NULL);
    fd = changes_begin();
    uplinks_fd = uplink_dir_open(fd);
    g_test_add_func("/uplink/round", test_round);
    g_test_add_func("/uplink/learned", test_learned);
    g_test_add_func("/uplink/kills", test_kills);
    g_test_add_func("/uplink/no-room", test_no_room);
    g_test_add_func("/uplink/what-is-no-record", test_what_is_no_record);
    g_test_add_func("/uplink/others", test_others);
    g_test_add_func("/uplink/bridge-removed", test_bridge_removed);
    g_test_add_func("/uplink/device-removed", test_device_removed);
    g_test_add_func("/uplink/device-renamed", test_device_renamed);
    g_test_add_func("/uplink/fails", test_fails);
    g_test_add_func("/uplink/kinds", test_kinds);
    g_test_add_func("/uplink/guarded", test_guarded);
    g_test_add_func("/uplink/confirmed", test_confirmed);
    status = g_test_run();
    g_assert_cmpint(unlinkat(fd, UPLINK_DIR, AT_REMOVEDIR), ==, 0);
    changes_end();
    return status;
}
