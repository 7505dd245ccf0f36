/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A bridge of somebody else stays as it was, whatever kind of bridge it is. */
#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "net/bridge.h"
#include "netns.h"

static void assert_same(const char *name, const struct link_state *before)
{
    struct link_state now = netns_link(name);
    char a[MAC_TEXT_MAX], b[MAC_TEXT_MAX];

    g_assert_cmpstr(mac_format(now.mac, a), ==, mac_format(before->mac, b));
    g_assert_cmpuint(now.mtu, ==, before->mtu);
    g_assert_cmpint(now.up, ==, before->up);
}

static void assert_member(const char *tap, const char *bridge)
{
    struct link_state state = netns_link(tap), to = netns_link(bridge);
    g_autofree char *path = g_strdup_printf("/proc/sys/net/ipv6/conf/%s/disable_ipv6", tap);
    g_autofree char *ipv6 = NULL;

    g_assert_cmpint(state.master, ==, to.ifindex);
    g_assert_true(state.up);
    g_assert_cmpuint(state.mtu, ==, to.mtu);
    g_assert_cmphex(state.mac.b[0], ==, 0xfe);
    if (g_file_get_contents(path, &ipv6, NULL, NULL))
        g_assert_cmpstr(ipv6, ==, "1\n");
    else
        g_assert_false(g_file_test("/proc/sys/net/ipv6", G_FILE_TEST_EXISTS));
}

/* Looks before, during, and after the TAP; ends with the bridge deleted. */
static void check_unchanged(void)
{
    struct link_state before = netns_link("br0");
    unsigned count = netns_link_count();
    char one[TAP_NAME_MAX], two[TAP_NAME_MAX];
    int fd = bridge_tap_create("br0", one), other = bridge_tap_create("br0", two);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(other, >=, 0);
    g_assert_cmpstr(one, !=, two);
    assert_member(one, "br0");
    assert_member(two, "br0");
    assert_same("br0", &before);
    close(fd);
    assert_same("br0", &before);
    close(other);
    assert_same("br0", &before);
    g_assert_cmpuint(netns_link_count(), ==, count);
    netns_link_del("br0");
}

static void test_set_by_somebody(void)
{
    if (netns_skip_without_tun())
        return;
    netns_link_add("br0", "bridge");
    netns_link_mtu("br0", 9000);
    netns_link_mac("br0", "f2:00:00:00:00:01");
    check_unchanged();
}

/* MTU and address are those of its member, and would be those of another one. */
static void test_taken_from_member(void)
{
    if (netns_skip_without_tun())
        return;
    netns_link_add("br0", "bridge");
    netns_link_add("v0", "veth");
    netns_link_mtu("v0", 9000);
    netns_link_mac("v0", "f2:00:00:00:00:01");
    netns_enslave("v0", "br0");
    g_assert_cmpuint(netns_link("br0").mtu, ==, 9000);
    check_unchanged();
    netns_link_del("v0");
}

/* Nobody has set its address, and it has no member to have it from. */
static void test_without_members(void)
{
    if (netns_skip_without_tun())
        return;
    netns_link_add("br0", "bridge");
    check_unchanged();
    netns_link_add("br0", "bridge");
    netns_link_mtu("br0", 9000);
    check_unchanged();
}

static void test_down(void)
{
    if (netns_skip_without_tun())
        return;
    netns_link_add("br0", "bridge");
    netns_link_up("br0", false);
    check_unchanged();
}

/* Many: each has an address of its own, and every one of them is above the bridge's. */
static void test_addresses_differ(void)
{
    enum { MANY = 40 };
    struct link_state before, states[MANY];
    char names[MANY][TAP_NAME_MAX];
    int fds[MANY];

    if (netns_skip_without_tun())
        return;
    netns_link_add("br0", "bridge");
    netns_link_add("v0", "veth");
    netns_link_mac("v0", "fa:ff:ff:ff:ff:fe");
    netns_enslave("v0", "br0");
    before = netns_link("br0");
    for (int i = 0; i < MANY; i++) {
        fds[i] = bridge_tap_create("br0", names[i]);
        g_assert_cmpint(fds[i], >=, 0);
        states[i] = netns_link(names[i]);
        g_assert_cmphex(states[i].mac.b[0], ==, 0xfe);
        for (int j = 0; j < i; j++)
            g_assert_false(mac_equal(states[i].mac, states[j].mac));
    }
    assert_same("br0", &before);
    for (int i = 0; i < MANY; i++)
        close(fds[i]);
    assert_same("br0", &before);
    netns_link_del("v0");
    netns_link_del("br0");
}

static void test_released(void)
{
    char name[TAP_NAME_MAX];
    int fd;

    if (netns_skip_without_tun())
        return;
    netns_link_add("br0", "bridge");
    netns_link_add("br1", "bridge");
    fd = bridge_tap_create("br0", name);
    g_assert_cmpint(bridge_release("br1", name), ==, -ENOENT);
    g_assert_cmpint(bridge_release("br9", name), ==, -ENODEV);
    g_assert_cmpint(bridge_release(name, name), ==, -ENOTSUP);
    assert_member(name, "br0");
    g_assert_cmpint(bridge_release("br0", name), ==, 0);
    g_assert_cmpint(netns_link(name).master, ==, 0);
    g_assert_false(netns_link(name).up);
    g_assert_cmpint(bridge_release("br0", name), ==, -ENOENT);
    close(fd);
    netns_link_del("br1");
    netns_link_del("br0");
}

static void test_made_again(void)
{
    struct link_state before;
    char name[TAP_NAME_MAX];
    int fd;

    if (netns_skip_without_tun())
        return;
    netns_link_add("br0", "bridge");
    fd = bridge_tap_create("br0", name);
    netns_link_del("br0");
    g_assert_cmpint(netns_link(name).master, ==, 0);
    g_assert_cmpint(bridge_enslave("br0", name), ==, -ENODEV);

    netns_link_add("br0", "bridge");
    netns_link_mtu("br0", 9000);
    before = netns_link("br0");
    g_assert_cmpint(bridge_enslave("br0", name), ==, 0);
    assert_member(name, "br0");
    assert_same("br0", &before);
    close(fd);
    assert_same("br0", &before);
    netns_link_del("br0");
}

static void test_enslave_member(void)
{
    struct link_state before, state;
    char name[TAP_NAME_MAX];
    int fd, monitor;

    if (netns_skip_without_tun())
        return;
    netns_link_add("br0", "bridge");
    fd = bridge_tap_create("br0", name);
    netns_link_mtu("br0", 1450); /* else it would follow */
    netns_link_mtu(name, 1400);  /* by somebody who will have had a reason */
    before = netns_link(name);
    monitor = link_monitor_open();
    g_assert_cmpint(bridge_enslave("br0", name), ==, 0);
    g_assert_cmpint(recv(monitor, &state, sizeof(state), MSG_DONTWAIT), <,
                    0); /* nothing was done */
    assert_same(name, &before);

    netns_link_up(name, false);
    g_assert_cmpint(bridge_enslave("br0", name), ==, 0);
    assert_same(name, &before);
    close(monitor);
    close(fd);
    netns_link_del("br0");
}

/* An address that somebody changed meanwhile does not get into the bridge. */
static void test_enslave_changed(void)
{
    struct link_change release = { .master = -1 };
    struct link_state before;
    char name[TAP_NAME_MAX];
    int fd;

    if (netns_skip_without_tun())
        return;
    netns_link_add("br0", "bridge");
    netns_link_add("v0", "veth");
    netns_link_mac("v0", "f2:00:00:00:00:01");
    netns_enslave("v0", "br0");
    before = netns_link("br0");
    fd = bridge_tap_create("br0", name);
    g_assert_cmpint(link_set(netns_link(name).ifindex, &release), ==, 0);
    netns_link_mac(name, "02:00:00:00:00:01");
    netns_link_mtu(name, 1280);
    g_assert_cmpint(bridge_enslave("br0", name), ==, 0);
    assert_member(name, "br0");
    assert_same("br0", &before);
    close(fd);
    netns_link_del("v0");
    netns_link_del("br0");
}

static void test_errors(void)
{
    char name[TAP_NAME_MAX] = "untouched";
    unsigned count;

    if (netns_skip_without_tun())
        return;
    netns_link_add("v0", "veth");
    netns_link_add("br0", "bridge");
    count = netns_link_count();
    g_assert_cmpint(bridge_tap_create("none", name), ==, -ENODEV);
    g_assert_cmpint(bridge_tap_create("", name), ==, -ENODEV);
    g_assert_cmpint(bridge_tap_create("sixteen-letters!", name), ==, -ENODEV);
    g_assert_cmpint(bridge_tap_create("v0", name), ==, -ENOTSUP);
    g_assert_cmpint(bridge_tap_create("lo", name), ==, -ENOTSUP);
    g_assert_cmpint(bridge_enslave("v0", "lo"), ==, -ENOTSUP);
    g_assert_cmpint(bridge_enslave("br0", "none"), ==, -ENODEV);
    g_assert_cmpstr(name, ==, "untouched");
    g_assert_cmpuint(netns_link_count(), ==, count);
    netns_link_del("v0");
    netns_link_del("br0");
}

/* The TAP was made and the bridge would not have it: it is gone again. */
static void test_nothing_left(void)
{
    char name[TAP_NAME_MAX];
    unsigned count;

    if (netns_skip_without_tun())
        return;
    netns_link_add("br0", "bridge");
    netns_link_mtu("br0", 65535); /* more than a TAP can have */
    count = netns_link_count();
    g_assert_cmpint(bridge_tap_create("br0", name), ==, -EINVAL);
    g_assert_cmpuint(netns_link_count(), ==, count);
    netns_link_del("br0");
}

/* A TAP that is made again has the address that it had. One in 64 that the kernel draws begins as
 * ours do. */
static void test_same_again(void)
{
    char name[TAP_NAME_MAX], first[MAC_TEXT_MAX] = "", now[MAC_TEXT_MAX];

    if (access("/etc/machine-id", R_OK) < 0) {
        g_test_skip("this host has no id");
        return;
    }
    netns_link_add("br0", "bridge");
    for (unsigned i = 0; i < 120; i++) {
        int fd = bridge_tap_create("br0", name);

        g_assert_cmpint(fd, >=, 0);
        mac_format(netns_link(name).mac, now);
        if (i == 0)
            memcpy(first, now, sizeof(first));
        g_assert_cmpstr(name, ==, "nrtap0");
        g_assert_cmpstr(now, ==, first);
        close(fd);
    }
    netns_link_del("br0");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    netns_enter();
    g_test_add_func("/bridge/set-by-somebody", test_set_by_somebody);
    g_test_add_func("/bridge/taken-from-member", test_taken_from_member);
    g_test_add_func("/bridge/without-members", test_without_members);
    g_test_add_func("/bridge/down", test_down);
    g_test_add_func("/bridge/addresses-differ", test_addresses_differ);
    g_test_add_func("/bridge/made-again", test_made_again);
    g_test_add_func("/bridge/same-again", test_same_again);
    g_test_add_func("/bridge/released", test_released);
    g_test_add_func("/bridge/enslave-member", test_enslave_member);
    g_test_add_func("/bridge/enslave-changed", test_enslave_changed);
    g_test_add_func("/bridge/errors", test_errors);
    g_test_add_func("/bridge/nothing-left", test_nothing_left);
    return g_test_run();
}
