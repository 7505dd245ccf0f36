/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <glib.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include "net/address.h"
#include "netns.h"

static bool is_listed(const char *address)
{
    size_t count = 0;
    bool found = false;
    char **list = NULL;

    g_assert_cmpint(address_list(&list, &count), ==, 0);
    for (size_t i = 0; i < count; i++)
        found = found || strcmp(list[i], address) == 0;
    address_list_free(list, count);
    return found;
}

static void test_list(void)
{
    g_assert_true(is_listed("::1"));
    g_assert_false(is_listed("127.0.0.1"));
    g_assert_false(is_listed("10.20.30.1"));
    g_assert_false(is_listed("fd00::a"));

    netns_link_add("v0", "veth");
    netns_address_add("v0", "10.20.30.1/24");
    netns_address_add("v0", "10.20.30.2/24");
    netns_address_add("v0", "fd00:0:0::A/64");
    netns_address_add("lo", "127.5.5.5/8");
    g_assert_true(is_listed("10.20.30.1"));
    g_assert_true(is_listed("10.20.30.2"));
    g_assert_true(is_listed("fd00::a"));
    g_assert_false(is_listed("127.5.5.5"));
    netns_link_del("v0");
    g_assert_false(is_listed("10.20.30.1"));
}

static int device_of(const char *address)
{
    struct sockaddr_in in4 = { .sin_family = AF_INET };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

    if (inet_pton(AF_INET, address, &in4.sin_addr) == 1)
        return address_device((struct sockaddr *)&in4);
    g_assert_cmpint(inet_pton(AF_INET6, address, &in6.sin6_addr), ==, 1);
    return address_device((struct sockaddr *)&in6);
}

static void test_device(void)
{
    int lo = (int)if_nametoindex("lo");

    netns_link_add("v0", "veth");
    netns_address_add("v0", "10.20.30.1/24");
    netns_address_add("v0", "fd00::a/64");
    g_assert_cmpint(device_of("10.20.30.1"), ==, if_nametoindex("v0"));
    g_assert_cmpint(device_of("fd00::a"), ==, if_nametoindex("v0"));
    g_assert_cmpint(device_of("127.0.0.1"), ==, lo);
    g_assert_cmpint(device_of("127.9.9.9"), ==, lo);
    g_assert_cmpint(device_of("::1"), ==, lo);
    g_assert_cmpint(device_of("10.20.30.2"), ==, -EADDRNOTAVAIL);
    netns_link_del("v0");
    g_assert_cmpint(device_of("10.20.30.1"), ==, -EADDRNOTAVAIL);
}

static void test_free_nothing(void)
{
    address_list_free(NULL, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    netns_enter();
    g_test_add_func("/address/list", test_list);
    g_test_add_func("/address/device", test_device);
    g_test_add_func("/address/free-nothing", test_free_nothing);
    return g_test_run();
}
