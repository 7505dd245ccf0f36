/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include "daemon/barrier.h"
#include "model-fixture.h"

typedef struct {
    const char *label;
    const char *guest;   /* one line of a world */
    const char *file;    /* inside <network>, or NULL */
    const char *network; /* what failed; NULL: nothing */
    const char *endpoint;
    NrVerdict verdict;
    const char *words[4]; /* of the sentence */
} Case;

#define LAB "<name>lab</name><listen address='127.0.0.1' port='12345'/><bridge name='br9'/>"

static const Case cases[] = {
    { "served", "announced 1 web: client 127.0.0.1:12345", NULL, NULL, NULL, NR_VERDICT_OK, { 0 } },
    { "port-taken-named",
      "announced 1 web: client 127.0.0.1:12345",
      LAB,
      "lab",
      "listen:127.0.0.1:12345",
      NR_VERDICT_REFUSED,
      { "web", "NIC 52:54:00:01:00:00", "127.0.0.1:12345", "broken" } },
    { "port-taken-implicit",
      "announced 1 web: client 127.0.0.1:12345",
      NULL,
      "127.0.0.1:12345",
      "listen:127.0.0.1:12345",
      NR_VERDICT_OK,
      { 0 } },
    { "bridge-missing",
      "announced 1 web: client 127.0.0.1:12345",
      LAB,
      "lab",
      "bridge:br9",
      NR_VERDICT_REFUSED,
      { "web", "lab", "broken" } },
    { "no-way-out",
      "announced 1 web: client 127.0.0.1:12345",
      "<name>lab</name><listen address='127.0.0.1' port='12345'/>"
      "<ip address='fd00::1' prefix='64'/><forward mode='user'/>",
      "lab",
      "user:ipv4=off,ipv6-net=fd00::/64,ipv6-host=fd00::1,ipv6-dns=fd00::3",
      NR_VERDICT_REFUSED,
      { "web", "lab", "broken" } },
    { "relay-fails-named",
      "announced 1 web: client 127.0.0.1:12345",
      LAB,
      "lab",
      "",
      NR_VERDICT_REFUSED,
      { "web", "lab", "broken" } },
    { "relay-fails-implicit",
      "announced 1 web: client 127.0.0.1:12345",
      NULL,
      "127.0.0.1:12345",
      "",
      NR_VERDICT_OK,
      { 0 } },
    { "no-such-network",
      "announced 1 web: client 127.0.0.1:12345 @nowhere",
      LAB,
      NULL,
      NULL,
      NR_VERDICT_REFUSED,
      { "web", "nowhere" } },
    { "being-resolved",
      "announced 1 web: client slow.example:12345",
      NULL,
      NULL,
      NULL,
      NR_VERDICT_RESOLVING,
      { 0 } },
};

static void test_case(gconstpointer data)
{
    const Case *test = data;
    const char *bodies[] = { test->file, NULL };
    g_autoptr(GPtrArray) guests = g_ptr_array_new();
    g_autoptr(GPtrArray) networks = fixture_networks(bodies);
    g_autoptr(NrGuest) guest = fixture_guest(test->guest);
    g_autoptr(NrAttempts) attempts = nr_attempts_new();
    g_autoptr(NrDesired) desired = NULL;
    g_autofree char *text = NULL;
    NrPolicy policy = { .hooked = TRUE, .system = TRUE };

    g_ptr_array_add(guests, guest);
    desired = fixture_decide(guests, networks, &policy);
    if (test->network) {
        NrAction failed = { .kind = NR_ACTION_ATTACH,
                            .network = (char *)test->network,
                            .endpoint = (char *)test->endpoint };

        nr_attempts_failed(attempts, &failed, -EIO, "it is broken", 0);
    }
    g_assert_cmpint(nr_barrier_judge(desired, attempts, guest->uuid, &text), ==, test->verdict);
    g_assert_true((text != NULL) == (test->verdict == NR_VERDICT_REFUSED));
    for (guint i = 0; i < G_N_ELEMENTS(test->words) && test->words[i]; i++)
        if (!strstr(text, test->words[i]))
            g_error("\"%s\" is not in: %s", test->words[i], text);
    /* Nobody is refused for another guest's trouble. */
    g_clear_pointer(&text, g_free);
    g_assert_cmpint(nr_barrier_judge(desired, attempts, "another", &text), ==, NR_VERDICT_OK);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strconcat("/barrier/", cases[i].label, NULL);

        g_test_add_data_func(path, &cases[i], test_case);
    }
    return g_test_run();
}
