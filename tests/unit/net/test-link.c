/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <glib.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include "netns.h"

static void test_get(void)
{
    struct link_state lo = netns_link("lo"), br;
    struct mac want;

    g_assert_cmpint(lo.ifindex, ==, 1);
    g_assert_true(lo.up);
    g_assert_false(lo.bridge);
    g_assert_cmpuint(lo.mtu, ==, 65536);
    g_assert_true(mac_is_zero(lo.mac));

    netns_link_add("br0", "bridge");
    netns_link_mac("br0", "02:00:00:00:00:07");
    br = netns_link("br0");
    g_assert_true(br.bridge);
    g_assert_true(br.up);
    g_assert_cmpuint(br.mtu, ==, 1500);
    g_assert_cmpint(mac_parse(&want, "02:00:00:00:00:07"), ==, 0);
    g_assert_true(mac_equal(br.mac, want));
    netns_link_up("br0", false);
    g_assert_false(netns_link("br0").up);
    netns_link_del("br0");
}

static void test_get_missing(void)
{
    static const char *const names[] = { "", "none", "fifteen-letters", "sixteen-letters!",
                                         "a name that is much too long for a network device" };
    struct link_state state;

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        g_assert_cmpint(link_get(names[i], &state), ==, -ENODEV);
}

static void test_set(void)
{
    struct link_change all = { .mtu = 1400, .up = true }, nothing = { 0 };
    struct link_change release = { .master = -1 };
    struct mac mac = { { 0xfe, 1, 2, 3, 4, 5 } };
    struct link_state before, after;

    netns_link_add("br0", "bridge");
    netns_link_add("v0", "veth");
    netns_link_up("v0", false);
    all.mac = &mac;
    all.master = netns_link("br0").ifindex;
    g_assert_cmpint(link_set(netns_link("v0").ifindex, &all), ==, 0);
    before = netns_link("v0");
    g_assert_cmpuint(before.mtu, ==, 1400);
    g_assert_true(mac_equal(before.mac, mac));
    g_assert_cmpint(before.master, ==, netns_link("br0").ifindex);
    g_assert_true(before.up);

    g_assert_cmpint(link_set(before.ifindex, &nothing), ==, 0);
    after = netns_link("v0");
    g_assert_cmpuint(after.mtu, ==, before.mtu);
    g_assert_true(mac_equal(after.mac, before.mac));
    g_assert_cmpint(after.master, ==, before.master);
    g_assert_true(after.up);

    g_assert_cmpint(link_set(before.ifindex, &release), ==, 0);
    g_assert_cmpint(netns_link("v0").master, ==, 0);
    g_assert_true(netns_link("v0").up);
    netns_link_del("v0");
    netns_link_del("br0");
}

static void test_set_errors(void)
{
    struct link_change tiny = { .mtu = 1 },
                       group = { .mac = &(struct mac){ { 1, 0, 0, 0, 0, 1 } } };
    struct link_change loop = { .master = 1 };
    int ifindex;

    netns_link_add("br0", "bridge");
    ifindex = netns_link("br0").ifindex;
    g_assert_cmpint(link_set(99999, &tiny), ==, -ENODEV);
    g_assert_cmpint(link_set(ifindex, &tiny), ==, -EINVAL);
    g_assert_cmpint(link_set(ifindex, &group), <, 0);
    g_assert_cmpint(link_set(ifindex, &loop), <, 0); /* "lo" takes no members */
    netns_link_del("br0");
}

static void test_members(void)
{
    bool members = true;
    int br;

    netns_link_add("br0", "bridge");
    netns_link_add("v0", "veth");
    br = netns_link("br0").ifindex;
    g_assert_cmpint(link_has_members(br, &members), ==, 0);
    g_assert_false(members);
    netns_enslave("v0", "br0");
    g_assert_cmpint(link_has_members(br, &members), ==, 0);
    g_assert_true(members);
    g_assert_cmpint(link_has_members(netns_link("v0").ifindex, &members), ==, 0);
    g_assert_false(members);
    netns_link_del("v0");
    netns_link_del("br0");
}

static bool is_readable(int fd, int timeout_ms)
{
    struct pollfd pfd = { .fd = fd, .events = POLLIN };

    return poll(&pfd, 1, timeout_ms) == 1;
}

static void test_monitor(void)
{
    int fd = link_monitor_open();

    g_assert_cmpint(fd, >=, 0);
    link_monitor_drain(fd); /* returns with nothing there */
    g_assert_false(is_readable(fd, 0));
    netns_link_add("v0", "veth");
    g_assert_true(is_readable(fd, 5000));
    link_monitor_drain(fd);
    g_assert_false(is_readable(fd, 0));
    netns_link_del("v0");
    g_assert_true(is_readable(fd, 5000));
    close(fd);
}

/* A monitor nobody has read for so long that messages were lost is drained like any other. */
static void test_monitor_overrun(void)
{
    int fd = link_monitor_open();

    netns_link_add("v0", "veth");
    for (int i = 0; i < 2000; i++)
        netns_link_mtu("v0", 1400 + (uint32_t)i % 2);
    link_monitor_drain(fd);
    g_assert_false(is_readable(fd, 0));
    netns_link_del("v0");
    g_assert_true(is_readable(fd, 5000));
    close(fd);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    netns_enter();
    g_test_add_func("/link/get", test_get);
    g_test_add_func("/link/get-missing", test_get_missing);
    g_test_add_func("/link/set", test_set);
    g_test_add_func("/link/set-errors", test_set_errors);
    g_test_add_func("/link/members", test_members);
    g_test_add_func("/link/monitor", test_monitor);
    g_test_add_func("/link/monitor-overrun", test_monitor_overrun);
    return g_test_run();
}
