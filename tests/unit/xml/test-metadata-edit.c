/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a NIC belongs, said and taken back in the text of a guest's metadata. */
#include <string.h>

#include "xml/domain-xml.h"
#include "xml/metadata-edit.h"

#define ONE   "52:54:00:00:00:01"
#define TWO   "52:54:00:00:00:02"
#define OTHER "52:54:00:00:00:03"
#define TWINS "52:54:00:00:00:04"
#define GONE  "52:54:00:00:00:0a"

#define NIC(type, mac, rest)                                                                       \
    "<interface type='" type "'><mac address='" mac "'/><source address='127.0.0.1' port='5001'>"  \
    "<local address='127.0.0.1' port='5002'/></source>" rest "</interface>"

static const char domain[] = "<domain type='qemu'><name>vm1</name>"
                             "<uuid>6b1f0c2a-0a51-4d1e-9c37-5d7f2c3b4a01</uuid><devices>" //
    NIC("client", ONE, "<alias name='ua-lan'/>")                                          //
    NIC("udp", TWO, "<target dev='eth1'/>")                                               //
    NIC("network", OTHER, "")                                                             //
    NIC("client", TWINS, "<alias name='ua-a'/>")                                          //
    NIC("client", TWINS, "<alias name='ua-b'/>")                                          //
    "</devices></domain>";

#define LINE(line) "<domain>\n  " line "\n</domain>"

static const struct {
    const char *name, *before, *by, *nic, *to, *where;
    const char *after; /* NULL: nothing is left */
    const char *was;   /* "network lab", or NULL */
    const char *error; /* part of it; NULL: there is none */
} rows[] = {
    /* attached */
    { "first", NULL, "mac", ONE, "network", "lab", LINE("<interface mac='" ONE "' network='lab'/>"),
      NULL, NULL },
    { "bridge", NULL, "alias", "ua-lan", "bridge", "br0",
      LINE("<interface alias='ua-lan' bridge='br0'/>"), NULL, NULL },
    { "dev", NULL, "dev", "eth1", "network", "lab", LINE("<interface dev='eth1' network='lab'/>"),
      NULL, NULL },
    { "empty", "<domain/>", "mac", ONE, "network", "lab",
      LINE("<interface mac='" ONE "' network='lab'/>"), NULL, NULL },
    { "second", "<domain><interface mac='" TWO "' network='office'/></domain>", "mac", ONE,
      "network", "lab",
      "<domain>\n  <interface mac='" TWO "' network='office'/>\n"
      "  <interface mac='" ONE "' network='lab'/>\n</domain>",
      NULL, NULL },
    { "moved", LINE("<interface mac='" ONE "' network='office'/>"), "mac", ONE, "network", "lab",
      LINE("<interface mac='" ONE "' network='lab'/>"), "network office", NULL },
    { "moved-to-bridge", LINE("<interface mac='" ONE "' network='office'/>"), "mac", ONE, "bridge",
      "br0", LINE("<interface mac='" ONE "' bridge='br0'/>"), "network office", NULL },
    { "by-another-name", LINE("<interface alias='ua-lan' network='office'/>"), "mac", ONE,
      "network", "lab", LINE("<interface alias='ua-lan' network='lab'/>"), "network office", NULL },
    { "named-by-its-dev", LINE("<interface dev='eth1' network='office'/>"), "mac",
      "52:54:00:00:00:02", "network", "lab", LINE("<interface dev='eth1' network='lab'/>"),
      "network office", NULL },
    { "pin-stays", LINE("<interface mac='" ONE "' pin='yes' network='office'/>"), "mac", ONE,
      "network", "lab", LINE("<interface mac='" ONE "' pin='yes' network='lab'/>"),
      "network office", NULL },
    { "beside-a-pin", LINE("<interface mac='" ONE "' pin='yes'/>"), "mac", ONE, "network", "lab",
      LINE("<interface mac='" ONE "' pin='yes' network='lab'/>"), NULL, NULL },
    { "no-longer-ignored", LINE("<interface mac='" ONE "' ignore='yes'/>"), "mac", ONE, "network",
      "lab", LINE("<interface mac='" ONE "' network='lab'/>"), NULL, NULL },
    { "others-ignore-stays", LINE("<interface mac='" TWO "' ignore='yes'/>"), "mac", ONE, "network",
      "lab",
      "<domain>\n  <interface mac='" TWO "' ignore='yes'/>\n"
      "  <interface mac='" ONE "' network='lab'/>\n</domain>",
      NULL, NULL },
    { "a-line-mended", LINE("<interface mac='" ONE "' network='office' bridge='br0'/>"), "mac", ONE,
      "network", "lab", LINE("<interface mac='" ONE "' network='lab'/>"), "network office", NULL },
    { "comments-stay", "<domain><!-- mine --><interface mac='" ONE "' network='lab'/></domain>",
      "mac", ONE, "network", "office",
      "<domain>\n  <!-- mine -->\n  <interface mac='" ONE "' network='office'/>\n</domain>",
      "network lab", NULL },
    { "layout-made-anew", "<domain>\n\n\n<interface mac='" TWO "' network='lab'/>      </domain>",
      "mac", ONE, "network", "lab",
      "<domain>\n  <interface mac='" TWO "' network='lab'/>\n"
      "  <interface mac='" ONE "' network='lab'/>\n</domain>",
      NULL, NULL },
    /* not attached */
    { "no-such-mac", NULL, "mac", GONE, "network", "lab", NULL, NULL,
      "no interface of this guest has mac '" GONE "'" },
    { "no-such-alias", NULL, "alias", "ua-wan", "network", "lab", NULL, NULL, "alias 'ua-wan'" },
    { "no-mac", NULL, "mac", "eth0", "network", "lab", NULL, NULL, "is not a MAC address" },
    { "libvirts-alias", NULL, "alias", "net0", "network", "lab", NULL, NULL, "libvirt's own" },
    { "twins", NULL, "mac", TWINS, "network", "lab", NULL, NULL, "two interfaces" },
    { "of-another-kind", NULL, "mac", OTHER, "network", "lab", NULL, NULL,
      "client, server, udp or mcast" },
    { "no-name", NULL, "mac", ONE, "network", "a/b", NULL, NULL, "network 'a/b'" },
    { "markup", NULL, "mac", ONE, "network", "a'/><x y='&lt;", NULL, NULL, "network " },
    { "control", NULL, "mac", ONE, "bridge", "br\x1b[2J", NULL, NULL, "\\x1b" },
    { "named-twice",
      "<domain><interface mac='" ONE "' network='lab'/><interface alias='ua-lan' network='lab'/>"
      "</domain>",
      "mac", ONE, "network", "office", NULL, NULL, "named before" },
    { "wrong-elsewhere", LINE("<interface mac='" GONE "' network='lab'/>"), "mac", ONE, "network",
      "lab", NULL, NULL, "no interface of this guest has mac '" GONE "'" },
    { "unknown-element", LINE("<bandwidth/>"), "mac", ONE, "network", "lab", NULL, NULL,
      "<netrelay:bandwidth>" },
    /* detached */
    { "last", LINE("<interface mac='" ONE "' network='lab'/>"), "mac", ONE, NULL, NULL, NULL,
      "network lab", NULL },
    { "last-in-its-layout",
      "<domain> <interface mac='" ONE "' network='lab'>\n</interface></domain>", "alias", "ua-lan",
      NULL, NULL, NULL, "network lab", NULL },
    { "one-of-two",
      "<domain>\n  <interface mac='" ONE "' network='lab'/>\n  <interface dev='eth1' bridge='b'/>\n"
      "</domain>",
      "mac", TWO, NULL, NULL, LINE("<interface mac='" ONE "' network='lab'/>"), "bridge b", NULL },
    { "detached-pin-stays", LINE("<interface mac='" ONE "' network='lab' pin='no'/>"), "mac", ONE,
      NULL, NULL, LINE("<interface mac='" ONE "' pin='no'/>"), "network lab", NULL },
    { "attribute-of-others-stays", LINE("<interface mac='" ONE "' network='lab' colour='red'/>"),
      "mac", ONE, NULL, NULL, LINE("<interface mac='" ONE "' colour='red'/>"), "network lab",
      NULL },
    { "unknown-stays", "<domain><bandwidth/><interface mac='" ONE "' network='lab'/></domain>",
      "mac", ONE, NULL, NULL, LINE("<bandwidth/>"), "network lab", NULL },
    { "child-of-others-stays", LINE("<interface mac='" ONE "' network='lab'><note/></interface>"),
      "mac", ONE, NULL, NULL,
      "<domain>\n  <interface mac='" ONE "'>\n    <note/>\n  </interface>\n</domain>",
      "network lab", NULL },
    { "foreign-attribute-stays",
      LINE("<interface xmlns:x='urn:x' x:mac='1' mac='" ONE "' network='lab'/>"), "mac", ONE, NULL,
      NULL, LINE("<interface xmlns:x='urn:x' x:mac='1' mac='" ONE "'/>"), "network lab", NULL },
    { "attribute-of-the-root-stays",
      "<domain colour='red'><interface mac='" ONE "' network='lab'/></domain>", "mac", ONE, NULL,
      NULL, "<domain colour='red'/>", "network lab", NULL },
    { "text-stays", "<domain>mine<interface mac='" ONE "' network='lab'/></domain>", "mac", ONE,
      NULL, NULL, "<domain>mine</domain>", "network lab", NULL },
    { "of-a-nic-that-is-gone", LINE("<interface mac='" GONE "' network='lab'/>"), "mac",
      "52:54:00:00:00:0A", NULL, NULL, NULL, "network lab", NULL },
    { "all-of-its-lines",
      "<domain><interface mac='" ONE "' network='lab'/><interface alias='ua-lan' bridge='b'/>"
      "</domain>",
      "mac", ONE, NULL, NULL, NULL, "network lab", NULL },
    { "not-attached", LINE("<interface mac='" TWO "' network='lab'/>"), "mac", ONE, NULL, NULL,
      LINE("<interface mac='" TWO "' network='lab'/>"), NULL, NULL },
    { "only-ignored", LINE("<interface mac='" ONE "' ignore='yes'/>"), "mac", ONE, NULL, NULL,
      LINE("<interface mac='" ONE "' ignore='yes'/>"), NULL, NULL },
    { "no-metadata", NULL, "mac", ONE, NULL, NULL, NULL, NULL, NULL },
    { "no-nic", NULL, "mac", GONE, NULL, NULL, NULL, NULL, "no interface of this guest" },
    /* what is no element of ours */
    { "no-xml", "<domain", "mac", ONE, "network", "lab", NULL, NULL, "metadata for netrelay" },
    { "another-root", "<dom/>", "mac", ONE, "network", "lab", NULL, NULL, "<dom>" },
    { "entities", "<!DOCTYPE d [<!ENTITY a 'x'>]><domain>&a;</domain>", "mac", ONE, "network",
      "lab", NULL, NULL, "metadata for netrelay" },
    { "no-utf8", "<domain a='\xff'/>", "mac", ONE, NULL, NULL, NULL, NULL, "UTF-8" },
};

static void expect_text(const char *got, const char *expected)
{
    g_autoptr(GString) text = g_string_new(expected);

    g_string_replace(text, "'", "\"", 0);
    g_assert_cmpstr(got, ==, expected ? text->str : NULL);
}

static void test_row(gconstpointer data)
{
    guint i = GPOINTER_TO_UINT(data);
    const NrMetadataEdit edit = { rows[i].by, rows[i].nic, rows[i].to, rows[i].where };
    g_autoptr(NrGuest) guest = nr_domain_xml_parse(domain, strlen(domain), NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(NrMetadataEdited) edited = nr_metadata_edit(guest, rows[i].before, &edit, &error);
    g_autofree char *was = NULL;

    if (rows[i].error) {
        g_assert_null(edited);
        g_assert_nonnull(strstr(error->message, rows[i].error));
        g_assert_null(strpbrk(error->message, "\n\x1b"));
        return;
    }
    g_assert_no_error(error);
    expect_text(edited->element, rows[i].after);
    if (edited->to)
        was = g_strdup_printf("%s %s", edited->to, edited->where);
    g_assert_cmpstr(was, ==, rows[i].was);
}

/* The guest that comes out has the wish; the one that went in is as it was. */
static void test_guest(void)
{
    const NrMetadataEdit edit = { "mac", TWO, "network", "lab" };
    const char *before = "<domain><interface mac='" ONE "' bridge='br0'/></domain>";
    g_autoptr(NrGuest) guest = nr_domain_xml_parse(domain, strlen(domain), NULL);
    g_autoptr(NrGuest) same = nr_guest_copy(guest, guest->state);
    g_autoptr(NrMetadataEdited) edited = nr_metadata_edit(guest, before, &edit, NULL);
    const NrNic *one, *two;

    g_assert_nonnull(edited);
    g_assert_true(nr_guest_equal(guest, same));
    g_assert_cmpint(edited->nic, ==, 1);
    one = g_ptr_array_index(edited->guest->nics, 0);
    two = g_ptr_array_index(edited->guest->nics, 1);
    g_assert_cmpstr(one->wish.bridge, ==, "br0");
    g_assert_cmpstr(two->wish.network, ==, "lab");
}

/* Taken back from what cannot be read: it is, and the guest says what else is wrong. */
static void test_detached_beside_a_fault(void)
{
    const NrMetadataEdit edit = { "mac", ONE, NULL, NULL };
    const char *before = "<domain><interface mac='" ONE "' network='lab'/>"
                         "<interface mac='" GONE "' network='lab'/></domain>";
    g_autoptr(NrGuest) guest = nr_domain_xml_parse(domain, strlen(domain), NULL);
    g_autoptr(NrMetadataEdited) edited = nr_metadata_edit(guest, before, &edit, NULL);

    g_assert_nonnull(edited);
    expect_text(edited->element, LINE("<interface mac='" GONE "' network='lab'/>"));
    g_assert_nonnull(strstr(edited->guest->metadata_fault, GONE));
}

/* Attached, and attached again somewhere else, and taken back: nothing has piled up. */
static void test_there_and_back(void)
{
    static const char *const places[] = { "lab", "office", "lab" };
    g_autoptr(NrGuest) guest = nr_domain_xml_parse(domain, strlen(domain), NULL);
    g_autofree char *text = NULL;

    for (guint i = 0; i < 30; i++) {
        const NrMetadataEdit edit = { "alias", "ua-lan", "network", places[i % 3] };
        g_autoptr(NrMetadataEdited) edited = nr_metadata_edit(guest, text, &edit, NULL);

        g_assert_nonnull(edited);
        g_free(text);
        text = g_strdup(edited->element);
    }
    expect_text(text, LINE("<interface alias='ua-lan' network='lab'/>"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *path = g_strdup_printf("/metadata-edit/%s", rows[i].name);

        g_test_add_data_func(path, GUINT_TO_POINTER(i), test_row);
    }
    g_test_add_func("/metadata-edit/guest", test_guest);
    g_test_add_func("/metadata-edit/detached-beside-a-fault", test_detached_beside_a_fault);
    g_test_add_func("/metadata-edit/there-and-back", test_there_and_back);
    return g_test_run();
}
