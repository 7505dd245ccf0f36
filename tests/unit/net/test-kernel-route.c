/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Host routes, and answers for somebody else's addresses. */
#include <errno.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include "changes.h"
#include "common/scope.h"
#include "netns.h"

static const char *const routes[] = { "route br0 192.0.2.10/32",
                                      "route br0 2001:db8::10/128",
                                      "route br0 192.0.2.16/28,192.168.9.2",
                                      "proxy lan 192.0.2.10",
                                      "proxy-ndp lan",
                                      "proxy lan 2001:db8::10",
                                      NULL };

static void setup(void)
{
    netns_link_add("br0", "bridge");
    netns_link_mac("br0", "02:00:00:00:00:01");
    netns_address_add("br0", "192.168.9.1/24");
    netns_link_add("lan", "bridge");
    netns_link_mac("lan", "02:00:00:00:00:02");
    netns_link_up("br0", true);
    netns_link_up("lan", true);
}

static void teardown(void)
{
    netns_link_del("br0");
    netns_link_del("lan");
}

static void test_round(void)
{
    g_autofree char *before = NULL, *between = NULL, *after = NULL;

    setup();
    before = changes_host_text();
    changes_lay_anew(routes);
    changes_lay_anew(routes);
    between = changes_host_text();
    g_assert_nonnull(strstr(between, "192.0.2.10 dev br0"));
    g_assert_nonnull(strstr(between, "192.0.2.16/28 via 192.168.9.2 dev br0"));
    g_assert_nonnull(strstr(between, "2001:db8::10 dev br0"));
    g_assert_nonnull(strstr(between, "192.0.2.10 dev lan"));
    g_assert_nonnull(strstr(between, "2001:db8::10 dev lan"));
    g_assert_nonnull(strstr(between, "lan/proxy_ndp:1"));
    changes_lift_anew();
    after = changes_host_text();
    changes_assert_same(after, before);
    teardown();
}

/* What somebody had before is used, and stays. */
static void test_that_were_there(void)
{
    g_autofree char *before = NULL, *after = NULL;

    setup();
    g_assert_cmpint(system("ip route add 192.0.2.10 dev br0 &&"
                           " ip neigh add proxy 2001:db8::10 dev lan &&"
                           " echo 1 >/proc/sys/net/ipv6/conf/lan/proxy_ndp"),
                    ==, 0);
    before = changes_host_text();
    changes_lay_anew(routes);
    changes_lift_anew();
    after = changes_host_text();
    changes_assert_same(after, before);
    teardown();
}

/* Elsewhere, by another way or in another table it is not what was wanted. */
static void test_other_routes(void)
{
    static const struct {
        const char *make;
        int result;
    } rows[] = {
        { "ip route add 192.0.2.10 dev lan", -EEXIST },
        { "ip route add 192.0.2.16/28 via 192.168.9.3 dev br0", -EEXIST },
        { "ip route add 192.0.2.10 dev br0 table 100", 0 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        _cleanup_(freep) struct journal *journal = changes_reopen();

        setup();
        g_assert_cmpint(system(rows[i].make), ==, 0);
        g_assert_cmpint(changes_lay(journal, routes), ==, rows[i].result);
        if (rows[i].result == 0)
            g_assert_cmpint(system("ip route show | grep -q '^192.0.2.10 dev br0'"), ==, 0);
        changes_lift_all(journal);
        teardown();
    }
}

static void test_killed(void)
{
    if (changes_skip_without_ptrace())
        return;
    setup();
    changes_check_kills(routes, 30);
    teardown();
}

int main(int argc, char *argv[])
{
    int r;

    g_test_init(&argc, &argv, NULL);
    changes_begin();
    g_test_add_func("/kernel-route/round", test_round);
    g_test_add_func("/kernel-route/that-were-there", test_that_were_there);
    g_test_add_func("/kernel-route/other-routes", test_other_routes);
    g_test_add_func("/kernel-route/killed", test_killed);
    r = g_test_run();
    changes_end();
    return r;
}
