/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any text as dnsmasq's file of leases, in which guests have written their names: rows of text that
 * is text. Seeds: tests/data/state/leases. */
#include <stdint.h>
#include <string.h>

#include "daemon/leases.h"
#include "xml/network-xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static NrNetwork *network_new(void)
{
    static const char xml[] = "<network><name>lab</name><bridge name='br0'/>"
                              "<ip address='192.168.9.1' prefix='24'/>"
                              "<ip family='ipv6' address='fd00:9::1' prefix='64'/></network>";

    return nr_network_xml_parse(xml, strlen(xml), "lab.xml", NULL);
}

static void check_row(GVariant *row)
{
    static const char *const texts[] = { "mac", "protocol", "ip", "hostname", "client" };

    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        const char *text;

        g_assert_true(g_variant_lookup(row, texts[i], "&s", &text));
        g_assert_true(g_utf8_validate(text, -1, NULL));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static NrNetwork *network; /* the same all the time */
    g_autofree char *text = g_strndup((const char *)data, size);
    g_autoptr(GVariant) rows = NULL;

    if (!network)
        network = network_new();
    rows = g_variant_ref_sink(nr_leases_parse(text, network, 1000));
    for (gsize i = 0; i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);

        check_row(row);
    }
    return 0;
}
