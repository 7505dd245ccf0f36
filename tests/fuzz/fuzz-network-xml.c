/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a network file. Seeds: tests/data/xml/network. */
#include <stddef.h>
#include <stdint.h>

#include "xml/network-xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_network(const NrNetwork *network)
{
    g_assert_true(g_ascii_isalnum(*network->name));
    for (guint i = 0; i < network->listens->len; i++) {
        const NrAddress *address = g_ptr_array_index(network->listens, i);

        g_assert_true(address->host && address->l4_port != 0);
    }
    for (guint i = 0; i < network->udps->len; i++) {
        const NrAddress *address = g_ptr_array_index(network->udps, i);

        g_assert_true(address->host && *address->host && address->l4_port != 0);
    }
    for (guint i = 0; i < network->matches->len; i++) {
        const NrMatch *match = g_ptr_array_index(network->matches, i);

        g_assert_cmpuint(match->port_low, <=, match->port_high);
        g_assert_true(!match->domain || *match->domain);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(NrNetwork) network =
        nr_network_xml_parse((const char *)data, size, "fuzz.xml", &error);

    g_assert_true((network == NULL) == (error != NULL));
    if (network)
        check_network(network);
    else
        g_assert_true(g_str_has_prefix(error->message, "fuzz.xml:"));
    return 0;
}
