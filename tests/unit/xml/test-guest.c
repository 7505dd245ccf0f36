/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guests and NICs as values, and texts made fit for a terminal. */
#include "xml/guest.h"

#include <string.h>

static NrGuest *make_guest(void)
{
    NrGuest *guest = nr_guest_new();
    NrNic *nic = nr_nic_new();

    guest->uuid = g_strdup("6b1f0c2a-0a51-4d1e-9c37-5d7f2c3b4a01");
    guest->name = g_strdup("one");
    guest->id = 7;
    guest->metadata_fault = g_strdup("line 1: no");
    g_assert_cmpint(mac_parse(&nic->mac, "52:54:00:00:00:01"), ==, 0);
    nic->kind = NR_NIC_UDP;
    nic->ours = (NrAddress){ g_strdup("127.0.0.1"), 1 };
    nic->theirs = (NrAddress){ g_strdup("127.0.0.2"), 2 };
    nic->alias = g_strdup("ua-x");
    nic->target_dev = g_strdup("eth1");
    nic->link_down = TRUE;
    nic->wish = (NrWish){ g_strdup("lab"), g_strdup("br0"), g_strdup("b:1"), TRUE, NR_PIN_NO };
    nic->fault = g_strdup("no");
    g_ptr_array_add(guest->nics, nic);
    return guest;
}

static void replace(char **text)
{
    g_free(*text);
    *text = g_strdup("other");
}

/* Each change by itself must be seen. */
static void change(NrGuest *guest, int which)
{
    NrNic *nic = g_ptr_array_index(guest->nics, 0);
    char **texts[] = { &guest->uuid,     &guest->name,       &guest->metadata_fault,
                       &nic->ours.host,  &nic->theirs.host,  &nic->alias,
                       &nic->target_dev, &nic->wish.network, &nic->wish.bridge,
                       &nic->wish.peer,  &nic->fault };

    if (which < (int)G_N_ELEMENTS(texts))
        replace(texts[which]);
    else if (which == 11)
        guest->id = -1;
    else if (which == 12)
        guest->state = NR_GUEST_ANNOUNCED;
    else if (which == 13)
        nic->mac.b[5]++;
    else if (which == 14)
        nic->kind = NR_NIC_DIALS;
    else if (which == 15)
        nic->ours.l4_port++;
    else if (which == 16)
        nic->theirs.l4_port++;
    else if (which == 17)
        nic->link_down = FALSE;
    else if (which == 18)
        nic->wish.ignore = FALSE;
    else if (which == 19)
        nic->wish.pin = NR_PIN_YES;
    else
        g_ptr_array_add(guest->nics, nr_nic_new());
}

static void test_equal(void)
{
    g_autoptr(NrGuest) one = make_guest();

    g_assert_true(nr_guest_equal(one, one));
    for (int which = 0; which <= 20; which++) {
        g_autoptr(NrGuest) two = make_guest();

        g_assert_true(nr_guest_equal(one, two));
        change(two, which);
        g_assert_false(nr_guest_equal(one, two));
        g_assert_false(nr_guest_equal(two, one));
    }
}

static void test_copy(void)
{
    g_autoptr(NrGuest) one = make_guest();
    g_autoptr(NrGuest) same = nr_guest_copy(one, one->state);
    g_autoptr(NrGuest) running = nr_guest_copy(one, NR_GUEST_RUNNING);

    g_assert_true(nr_guest_equal(one, same));
    g_assert_false(nr_guest_equal(one, running));
    for (int which = 0; which <= 20; which++)
        change(same, which); /* of its own: no double free, and `one` stays */
    running->state = one->state;
    g_assert_true(nr_guest_equal(one, running));
}

static void test_reference(void)
{
    NrGuest *guest = make_guest();

    g_assert_true(nr_guest_ref(guest) == guest);
    nr_guest_unref(guest);
    g_assert_cmpstr(guest->name, ==, "one");
    nr_guest_unref(guest);
    nr_guest_unref(NULL);
    nr_nic_free(NULL);
}

static void test_state(void)
{
    static const struct {
        NrGuestState state;
        const char *name;
        gboolean active;
    } rows[] = {
        { NR_GUEST_DEFINED, "defined", FALSE },
        { NR_GUEST_ANNOUNCED, "announced", TRUE },
        { NR_GUEST_RUNNING, "running", TRUE },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(NrGuest) guest = nr_guest_new();

        guest->state = rows[i].state;
        g_assert_cmpstr(nr_guest_state_name(rows[i].state), ==, rows[i].name);
        g_assert_true(nr_guest_is_active(guest) == rows[i].active);
    }
    g_assert_cmpstr(nr_guest_state_name((NrGuestState)9), ==, "?");
    g_assert_cmpstr(nr_nic_kind_name((NrNicKind)9), ==, "?");
}

static void expect_label(NrNic *nic, const char *expected)
{
    g_autofree char *label = nr_nic_label(nic);

    g_assert_cmpstr(label, ==, expected);
}

static void test_label(void)
{
    g_autoptr(NrNic) nic = nr_nic_new();

    g_assert_cmpint(mac_parse(&nic->mac, "52:54:00:AB:00:01"), ==, 0);
    expect_label(nic, "52:54:00:ab:00:01");
    nic->target_dev = g_strdup("eth\t1");
    expect_label(nic, "eth\\x091");
    nic->alias = g_strdup("ua-wan");
    expect_label(nic, "ua-wan");
}

static void test_address(void)
{
    static const struct {
        const char *host;
        guint16 l4_port;
        const char *expected;
    } rows[] = {
        { "127.0.0.1", 12345, "127.0.0.1:12345" },
        { "", 80, "*:80" },
        { "::1", 80, "[::1]:80" },
        { "host-b.example", 65535, "host-b.example:65535" },
        { NULL, 80, "-" },
        { "a\nb", 1, "a\\x0ab:1" },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        NrAddress address = { (char *)rows[i].host, rows[i].l4_port };
        g_autofree char *text = nr_address_format(&address);

        g_assert_cmpstr(text, ==, rows[i].expected);
    }
}

static void test_printable(void)
{
    static const char *const rows[][2] = {
        { "plain \"text\" 'q' $(id)", "plain \"text\" 'q' $(id)" },
        { "a\tb\nc\rd", "a\\x09b\\x0ac\\x0dd" },
        { "\033[31mred\007\177", "\\x1b[31mred\\x07\\x7f" },
        { "\xc2\x9b"
          "31m",
          "\\xc2\\x9b31m" }, /* CSI in one byte */
        { "a\xe2\x80\xae"
          "b",
          "a\\xe2\\x80\\xaeb" }, /* right-to-left override */
        { "\xe2\x81\xa6x\xe2\x81\xa9", "\\xe2\\x81\\xa6x\\xe2\\x81\\xa9" }, /* isolates */
        { "\xd8\x9c", "\\xd8\\x9c" },                                       /* Arabic letter mark */
        { "\xe2\x80\xa8", "\\xe2\\x80\\xa8" },                              /* line separator */
        { "\xff\xfe"
          "a\xc3",
          "\\xff\\xfea\\xc3" },
        { "\xc0\x80", "\\xc0\\x80" },          /* overlong */
        { "\xed\xa0\x80", "\\xed\\xa0\\x80" }, /* surrogate */
        { "\xc3\xbc\xe6\xbc\xa2\xf0\x9f\x90\xa7", "\xc3\xbc\xe6\xbc\xa2\xf0\x9f\x90\xa7" },
        { "", "" },
        { NULL, "" },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = nr_printable(rows[i][0]);

        g_assert_cmpstr(text, ==, rows[i][1]);
    }
}

int main(int argc, char *argv[])
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/guest/equal", test_equal);
    g_test_add_func("/guest/copy", test_copy);
    g_test_add_func("/guest/reference", test_reference);
    g_test_add_func("/guest/state", test_state);
    g_test_add_func("/nic/label", test_label);
    g_test_add_func("/address/format", test_address);
    g_test_add_func("/printable", test_printable);
    return g_test_run();
}
