/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any text as options of user:, and what is taken has addresses that fit together. Seeds:
 * tests/data/wire/user-options. */
#include <glib.h>
#include <string.h>

#include "relay-user/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_address(const struct user_options *o, struct in_addr address)
{
    g_assert_cmphex(address.s_addr & o->mask.s_addr, ==, o->net.s_addr);
    g_assert_cmphex(address.s_addr, !=, o->net.s_addr);
}

static void check(const struct user_options *o)
{
    g_assert_true(o->ipv4 || o->ipv6);
    check_address(o, o->host);
    check_address(o, o->dns);
    check_address(o, o->dhcp_start);
    g_assert_cmpuint(o->net6_bits, <=, 126);
    g_assert_cmpuint(strlen(o->hostname), <, USER_HOSTNAME_MAX);
    g_assert_cmpuint(strlen(o->bootfile), <, USER_BOOTFILE_MAX);
    g_assert_true(!*o->tftp || *o->tftp == '/');
    g_assert_cmpuint(o->n_dnssearch, <=, USER_DNSSEARCH_MAX);
    g_assert_cmpuint(o->n_forwards, <=, USER_FORWARDS_MAX);
    for (unsigned i = 0; i < o->n_forwards; ++i)
        g_assert_true(o->forward[i].host_port && o->forward[i].guest_port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    static struct user_options options;
    char error[USER_ERROR_MAX] = "";

    if (user_options_parse(&options, text, error) == 0)
        check(&options);
    else
        g_assert_true(*error && strlen(error) < USER_ERROR_MAX);
    return 0;
}
