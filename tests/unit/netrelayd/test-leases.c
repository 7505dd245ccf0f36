/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dnsmasq's file of leases, as people see it. */
#include "daemon/leases.h"

#include <string.h>

#include "daemon/row.h"

#define NOW 1000

static const char file[] = "1001 52:54:00:00:00:01 192.168.9.7 web 01:52:54:00:00:00:01\n"
                           "999 52:54:00:00:00:02 192.168.9.8 gone *\n"
                           "0 52:54:00:00:00:03 10.0.0.9 * *\n"
                           "not a lease\n"
                           "2000 52:54:00:00:00:04 nowhere web *\n"
                           "duid 00:01:00:01:2b:3c:4d:5e:52:54:00:aa:bb:cc\n"
                           "2000 1234 fd99::10 db 00:01:00:01:2b:3c:4d:5e:52:54:00:00:00:05\n"
                           "2000 T99 fd99::11 * 00:03:00:01:52:54:00:00:00:06\n"
                           "2000 1234 fd99::12 a 00:04:aa:bb\n"
                           "2000 1234 fd99::13 b 00:03:00:01:52:54";

static const char expected[] =
    "1001 52:54:00:00:00:01 ipv4 192.168.9.7/24 web 01:52:54:00:00:00:01\n"
    "0 52:54:00:00:00:03 ipv4 10.0.0.9 - -\n"
    "2000 52:54:00:00:00:05 ipv6 fd99::10/64 db 00:01:00:01:2b:3c:4d:5e:52:54:00:00:00:05\n"
    "2000 52:54:00:00:00:06 ipv6 fd99::11/64 - 00:03:00:01:52:54:00:00:00:06\n"
    "2000 - ipv6 fd99::12/64 a 00:04:aa:bb\n"
    "2000 - ipv6 fd99::13/64 b 00:03:00:01:52:54\n";

static void show(GString *out, GVariant *row)
{
    const char *const keys[] = { "mac", "protocol", "ip", "hostname", "client" };

    g_string_append_printf(out, "%" G_GUINT64_FORMAT, nr_row_number(row, "expiry"));
    for (guint i = 0; i < G_N_ELEMENTS(keys); i++) {
        const char *text = nr_row_text(row, keys[i]);

        g_string_append_printf(out, " %s", *text ? text : "-");
    }
    g_string_append_c(out, '\n');
}

static void test_rows(void)
{
    g_autoptr(NrNetwork) network = nr_network_new();
    g_autoptr(GVariant) rows = NULL;
    g_autoptr(GString) out = g_string_new(NULL);

    g_ptr_array_add(network->ips, g_strdup("192.168.9.1/24"));
    g_ptr_array_add(network->ips, g_strdup("fd99::1/64"));
    rows = g_variant_ref_sink(nr_leases_parse(file, network, NOW));
    for (gsize i = 0; i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);

        show(out, row);
    }
    g_assert_cmpstr(out->str, ==, expected);
}

static void test_empty(void)
{
    g_autoptr(NrNetwork) network = nr_network_new();
    g_autoptr(GVariant) rows = g_variant_ref_sink(nr_leases_parse("", network, NOW));

    g_assert_cmpuint(g_variant_n_children(rows), ==, 0);
}

int main(int argc, char *argv[])
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/leases/rows", test_rows);
    g_test_add_func("/leases/empty", test_empty);
    return g_test_run();
}
