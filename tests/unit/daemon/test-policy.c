/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a word of a list allows. What becomes of a NIC then is in test-desired-named.c. */
#include "daemon/policy.h"

static const struct {
    const char *word, *peer;
    gboolean fits;
} peers[] = {
    { "*", "hostb:1", TRUE },
    { "hostb:12345", "hostb:12345", TRUE },
    { "hostb:12345", "hostb:12346", FALSE },
    { "hostb:12345", "hostbb:12345", FALSE },
    { "*.example:*", "hostb.example:1", TRUE },
    { "*.example:*", "hostb.example.org:1", FALSE },
    { "hostb:*", "hostb:65535", TRUE },
    { "hostb:12???", "hostb:12345", TRUE },
    { "hostb:12000-12999", "hostb:12000", TRUE },
    { "hostb:12000-12999", "hostb:13000", FALSE },
    { "10.0.0.*:*", "10.0.0.7:1", TRUE },
    { "10.0.0.0/24:*", "10.0.0.7:1", TRUE },
    { "10.0.0.0/24:*", "10.0.1.7:1", FALSE },
    { "10.0.0.0/24:*", "hostb:1", FALSE },
    { "0.0.0.0/0:*", "10.0.1.7:1", TRUE },
    { "0.0.0.0/0:*", "[2001:db8::7]:1", FALSE },
    { "[2001:db8::/32]:*", "[2001:db8::7]:1", TRUE },
    { "[2001:db8::/32]:*", "[2001:db9::7]:1", FALSE },
    { "[2001:db8::/32]:*", "10.0.0.7:1", FALSE },
    { "[2001:db8::*]:*", "[2001:db8::7]:1", TRUE },
    { "[::]:*", "hostb:1", FALSE },
};

static void test_peers(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(peers); i++) {
        char *words[] = { (char *)peers[i].word, NULL };
        NrPolicy policy = { .system = TRUE, .peers = words };

        g_assert_true(nr_policy_is_peer(peers[i].word));
        if (nr_policy_allows_peer(&policy, peers[i].peer) != peers[i].fits)
            g_error("peers=%s and %s", peers[i].word, peers[i].peer);
        policy.system = FALSE;
        g_assert_true(nr_policy_allows_peer(&policy, peers[i].peer));
    }
}

static void test_bad_peers(void)
{
    static const char *const bad[] = { "",        ":",         ":1",          "hostb",
                                       "hostb:",  "hostb:0",   "hostb:9-8",   "hostb:70000",
                                       "ho st:1", "hostb/8:1", "10.0.0.0/:1", "10.0.0.0/33:1" };

    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++)
        if (nr_policy_is_peer(bad[i]))
            g_error("peers=%s", bad[i]);
}

static void test_places(void)
{
    static const struct {
        const char *words;
        NrPlace place;
        gboolean address, port;
    } rows[] = {
        { "127.0.0.0/8", { "127.255.3.4", 1 }, TRUE, FALSE },
        { "127.0.0.0/8", { "10.0.0.1", 80 }, FALSE, TRUE },
        { "127.0.0.0/8", { "::1", 79 }, FALSE, FALSE },
        { "10.0.0.0/8;::1", { "::1", 99 }, TRUE, TRUE },
        { "any", { "2001:db8::1", 100 }, TRUE, FALSE },
        { "any", { "10.0.0.1", 8080 }, TRUE, TRUE },
    };
    char *ports[] = { (char *)"80-99", (char *)"8080", NULL };

    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(GStrv) words = g_strsplit(rows[i].words, ";", -1);
        NrPolicy policy = { .system = TRUE, .addresses = words, .ports = ports };
        NrPolicy none = { .system = TRUE }, session = { .addresses = words, .ports = ports };

        g_assert_true(nr_policy_allows_address(&policy, &rows[i].place) == rows[i].address);
        g_assert_true(nr_policy_allows_port(&policy, &rows[i].place) == rows[i].port);
        g_assert_true(nr_policy_allows_address(&none, &rows[i].place) &&
                      nr_policy_allows_port(&none, &rows[i].place));
        g_assert_true(nr_policy_allows_address(&session, &rows[i].place) &&
                      nr_policy_allows_port(&session, &rows[i].place));
    }
}

/* Nothing behind addresses= leaves all to network files; so does nothing behind bridges=. */
static void test_empty(void)
{
    static const NrPlace place = { "127.0.0.1", 12345 };
    char *words[] = { NULL };
    NrPolicy policy = { .system = TRUE, .addresses = words, .ports = words, .bridges = words };

    g_assert_false(nr_policy_allows_address(&policy, &place));
    g_assert_false(nr_policy_allows_port(&policy, &place));
    g_assert_false(nr_policy_allows_bridge(&policy, "br0"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/policy/peers", test_peers);
    g_test_add_func("/policy/bad peers", test_bad_peers);
    g_test_add_func("/policy/places", test_places);
    g_test_add_func("/policy/empty", test_empty);
    return g_test_run();
}
