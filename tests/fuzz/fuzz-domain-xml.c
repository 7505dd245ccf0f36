/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as domain XML, with our metadata in it. Seeds: tests/data/xml. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "xml/domain-xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text)
{
    g_autofree char *shown = nr_printable(text);

    g_assert_true(g_utf8_validate(shown, -1, NULL));
    for (const char *at = shown; *at; at++)
        g_assert_true((guchar)*at >= ' ' && *at != '\177');
}

static gboolean is_sendable(const NrAddress *address)
{
    return address->host && *address->host && address->l4_port != 0;
}

static void check_nic(const NrNic *nic)
{
    g_autofree char *label = nr_nic_label(nic);

    check_text(label);
    if (nic->fault) {
        g_assert_true(g_utf8_validate(nic->fault, -1, NULL));
        g_assert_cmpstr(nic->fault, !=, "");
    } else if (nic->kind == NR_NIC_DIALS || nic->kind == NR_NIC_UDP) {
        g_assert_true(is_sendable(&nic->ours));
        g_assert_cmpstr(nic->ours.host, !=, "0.0.0.0");
    } else if (nic->kind == NR_NIC_LISTENS) {
        g_assert_true(nic->theirs.host && nic->theirs.l4_port != 0);
    }
}

static void check_guest(NrGuest *guest)
{
    g_autoptr(NrGuest) copy = nr_guest_copy(guest, guest->state);

    g_assert_true(nr_guest_equal(guest, copy));
    g_assert_true(g_uuid_string_is_valid(guest->uuid));
    g_assert_cmpstr(guest->name, !=, "");
    check_text(guest->name);
    for (guint i = 0; i < guest->nics->len; i++)
        check_nic(g_ptr_array_index(guest->nics, i));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(NrGuest) guest = nr_domain_xml_parse((const char *)data, size, &error);

    g_assert_true((guest == NULL) == (error != NULL));
    if (guest)
        check_guest(guest);
    else
        g_assert_true(g_utf8_validate(error->message, -1, NULL));
    return 0;
}
