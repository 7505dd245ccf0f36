/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What makes a host a router: settings of devices, and what their switches do beside that. */
#include <errno.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>
#include "changes.h"
#include "common/scope.h"
#include "netns.h"

static const char *const forwarding[] = { "hear-routers br0", "forward-v4 br0", "forward-v6 all",
                                          NULL };

static void expect(const char *setting, const char *expected)
{
    g_autofree char *path = g_strconcat("/proc/sys/net/", setting, NULL), *value = NULL;

    g_assert_true(g_file_get_contents(path, &value, NULL, NULL));
    g_strchomp(value);
    if (!g_str_equal(value, expected))
        g_error("%s is %s, and %s was expected", setting, value, expected);
}

static void set(const char *setting, const char *value)
{
    g_autofree char *path = g_strconcat("/proc/sys/net/", setting, NULL);
    FILE *file = fopen(path, "w");

    g_assert_nonnull(file);
    g_assert_cmpint(fputs(value, file), >=, 0);
    g_assert_cmpint(fclose(file), ==, 0);
}

static void setup(void)
{
    netns_link_add("br0", "bridge");
    netns_link_mac("br0", "02:00:00:00:00:01");
    netns_address_add("br0", "fd00::1/64");
    netns_link_add("br1", "bridge");
    netns_link_mac("br1", "02:00:00:00:00:02");
}

static void teardown(void)
{
    netns_link_del("br0");
    netns_link_del("br1");
}

static void test_round(void)
{
    g_autofree char *before = NULL, *after = NULL;

    setup();
    before = changes_host_text();
    changes_lay_anew(forwarding);
    changes_lay_anew(forwarding);
    expect("ipv6/conf/br0/accept_ra", "2");
    expect("ipv4/conf/br0/forwarding", "1");
    expect("ipv4/conf/br1/forwarding", "0");
    expect("ipv4/ip_forward", "0");
    expect("ipv6/conf/all/forwarding", "1");
    expect("ipv6/conf/br1/forwarding", "1");
    changes_lift_anew();
    after = changes_host_text();
    changes_assert_same(after, before);
    teardown();
}

/* The switch of IPv6 writes to all devices, both ways. */
static void test_devices_that_were_on(void)
{
    g_autofree char *before = NULL, *after = NULL;

    setup();
    set("ipv6/conf/br1/forwarding", "1");
    set("ipv6/conf/default/forwarding", "1");
    before = changes_host_text();
    changes_lay_anew(forwarding);
    expect("ipv6/conf/br0/forwarding", "1");
    changes_lift_anew();
    expect("ipv6/conf/br0/forwarding", "0");
    after = changes_host_text();
    changes_assert_same(after, before);
    set("ipv6/conf/default/forwarding", "0");
    teardown();
}

/* What was on before stays on. */
static void test_a_router_before(void)
{
    setup();
    set("ipv4/ip_forward", "1");
    set("ipv6/conf/all/forwarding", "1");
    changes_lay_anew(forwarding);
    changes_lift_anew();
    expect("ipv4/conf/br0/forwarding", "1");
    expect("ipv6/conf/all/forwarding", "1");
    set("ipv4/ip_forward", "0");
    set("ipv6/conf/all/forwarding", "0");
    teardown();
}

static void test_a_router_meanwhile(void)
{
    setup();
    changes_lay_anew(forwarding);
    set("ipv4/ip_forward", "1"); /* which it needs, and could not see that we had done a part of */
    set("ipv6/conf/br0/accept_ra", "0");
    changes_lift_anew();
    expect("ipv4/conf/br0/forwarding", "1");
    expect("ipv4/conf/br1/forwarding", "1");
    expect("ipv6/conf/br0/accept_ra", "0");
    expect("ipv6/conf/all/forwarding", "0");
    set("ipv4/ip_forward", "0");
    teardown();
}

static void test_no_such_device(void)
{
    static const char *const nowhere[] = { "forward-v4 br0", "forward-v4 eth9", NULL };
    _cleanup_(freep) struct journal *journal = changes_reopen();

    setup();
    g_assert_cmpint(changes_lay(journal, nowhere), ==, -ENODEV);
    g_assert_cmpuint(journal->count, ==, 0);
    expect("ipv4/conf/br0/forwarding", "0");
    teardown();
}

static void test_a_device_that_goes(void)
{
    setup();
    changes_lay_anew(forwarding);
    netns_link_del("br0");
    changes_lift_anew();
    expect("ipv6/conf/all/forwarding", "0");
    netns_link_add("br0", "bridge");
    teardown();
}

/* Behind its "0" the state says so much that it does not go into the journal. */
static void test_too_many_devices_on(void)
{
    static const char *const all[] = { "forward-v6 all", NULL };
    _cleanup_(freep) struct journal *journal = changes_reopen();

    for (int i = 0; i < 16; i++) {
        g_autofree char *name = g_strdup_printf("a-long-name-%d", i);
        g_autofree char *path = g_strdup_printf("ipv6/conf/%s/forwarding", name);

        netns_link_add(name, "bridge");
        set(path, "1");
    }
    g_assert_cmpint(changes_lay(journal, all), ==, -E2BIG);
    expect("ipv6/conf/all/forwarding", "0");
    for (int i = 0; i < 16; i++) {
        g_autofree char *name = g_strdup_printf("a-long-name-%d", i);

        netns_link_del(name);
    }
}

static void test_kills(void)
{
    if (changes_skip_without_ptrace())
        return;
    setup();
    changes_check_kills(forwarding, 20);
    teardown();
}

int main(int argc, char **argv)
{
    int status;

    g_test_init(&argc, &argv, NULL);
    changes_begin();
    g_test_add_func("/setting/round", test_round);
    g_test_add_func("/setting/devices-that-were-on", test_devices_that_were_on);
    g_test_add_func("/setting/a-router-before", test_a_router_before);
    g_test_add_func("/setting/a-router-meanwhile", test_a_router_meanwhile);
    g_test_add_func("/setting/no-such-device", test_no_such_device);
    g_test_add_func("/setting/a-device-that-goes", test_a_device_that_goes);
    g_test_add_func("/setting/too-many-devices-on", test_too_many_devices_on);
    g_test_add_func("/setting/kills", test_kills);
    status = g_test_run();
    changes_end();
    return status;
}
