/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a person means by a word, read off the status. */
#include "ctl/capture-target.h"

#define NIC(guest, uuid, nic, mac, network, rest)                                                  \
    "{'guest': <'" guest "'>, 'uuid': <'" uuid "'>, 'nic': <'" nic "'>, 'mac': <'" mac             \
    "'>, 'network': <'" network "'>" rest "}"

static const char status[] = "["                                                        //
    NIC("vm1", "u1", "ua-lan", "52:54:00:00:00:0a", "lab", ", 'relay_pid': <uint32 7>") //
    "," NIC("vm1", "u1", "m2", "m2", "office", ", 'relay_pid': <uint32 8>")             //
    "," NIC("vm1", "u1", "m3", "m3", "", ", 'state': <'direct'>")                       //
    "," NIC("vm11", "u2", "m4", "m4", "lab", ", 'relay_pid': <uint32 7>")               //
    "," NIC("group", "u3", "m5", "m5", "lab",
            ", 'kind': <'mcast'>, 'state': <'joined'>, "
            "'relay_pid': <uint32 7>")                                      //
    "," NIC("lab", "u4", "m6", "m6", "office", ", 'relay_pid': <uint32 8>") //
    ",{'network': <'office'>, 'kind': <'listen'>, 'relay_pid': <uint32 8>}" //
    ",{'network': <'idle'>, 'kind': <'listen'>}"                            //
    "]";

static const struct {
    const char *word;
    const char *networks; /* joined by blanks; NULL: nothing is meant */
    const char *label;    /* or, then, words of the sentence */
} cases[] = {
    { "lab", "lab", NULL }, /* and not the guest of that name */
    { "office", "office", NULL },
    { "idle", "", NULL }, /* it has no relay yet */
    { "vm1", "lab office", "u1/" },
    { "vm11", "lab", "u2/" },
    { "vm1/ua-lan", "lab", "u1/52:54:00:00:00:0a" },
    { "vm1/52:54:00:00:00:0A", "lab", "u1/52:54:00:00:00:0a" },
    { "lab/m6", "office", "u4/m6" },
    { "vm1/m3", NULL, "no NIC of 'vm1/m3' has a port of a relay (m3 is direct)" },
    { "group", NULL, "(m5 is joined)" },
    { "vm", NULL, "no network, no active guest" },
    { "vm1/", NULL, "no network, no active guest" },
    { "vm1/m4", NULL, "no network, no active guest" },
    { "vm1xm2", NULL, "no network, no active guest" },
    { "", NULL, "no network, no active guest" },
};

static GVariant *rows_new(void)
{
    g_autoptr(GError) error = NULL;
    GVariant *rows = g_variant_parse(G_VARIANT_TYPE("aa{sv}"), status, NULL, NULL, &error);

    g_assert_no_error(error);
    return rows;
}

static void test_words(void)
{
    g_autoptr(GVariant) rows = rows_new();

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *fault = NULL;
        g_autoptr(NrCaptureTarget) target = nr_capture_target_new(rows, cases[i].word, &fault);
        g_autofree char *networks = NULL;

        if (!cases[i].networks) {
            g_assert_null(target);
            g_assert_nonnull(g_strstr_len(fault, -1, cases[i].label));
            continue;
        }
        g_assert_nonnull(target);
        g_ptr_array_add(target->networks, NULL);
        networks = g_strjoinv(" ", (char **)target->networks->pdata);
        g_assert_cmpstr(networks, ==, cases[i].networks);
        g_assert_cmpstr(target->label, ==, cases[i].label);
    }
}

/* Whoever else is met in a network's frames has a name, too. */
static void test_names(void)
{
    g_autoptr(GVariant) rows = rows_new();
    g_autofree char *fault = NULL;
    g_autoptr(NrCaptureTarget) target = nr_capture_target_new(rows, "lab", &fault);

    g_assert_cmpuint(g_hash_table_size(target->names), ==, 6);
    g_assert_cmpstr(g_hash_table_lookup(target->names, "u1/52:54:00:00:00:0a"), ==, "vm1/ua-lan");
    g_assert_cmpstr(g_hash_table_lookup(target->names, "u2/m4"), ==, "vm11/m4");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/capture-target/words", test_words);
    g_test_add_func("/capture-target/names", test_names);
    return g_test_run();
}
