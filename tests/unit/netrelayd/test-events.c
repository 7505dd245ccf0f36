/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/events.h"

#include <string.h>

#define GUEST "'guest': <'web'>, 'uuid': <'u1'>, 'guest_state': "
#define NIC   "'nic': <'net0'>, 'mac': <'52:54:00:00:00:01'>, 'kind': <'client'>, "
#define ON    "'network': <'lab'>, "
#define WAITS "{" GUEST "<'running'>, " ON NIC "'address': <'a'>, 'state': <'waiting'>}"
#define HAS(port, state)                                                                           \
    "{" GUEST "<'" state "'>, " ON NIC "'port': <uint32 " port ">, 'state': <'connected'>}"
#define APART                                                                                      \
    "{" GUEST "<'running'>, " ON NIC "'port': <uint32 1>, 'state': <'connected'>, "                \
    "'reason': <'apart'>}"
#define SOMEBODY(port)                                                                             \
    "{" ON "'kind': <'client'>, 'peer': <'p'>, 'port': <uint32 " port ">, 'state': <'connected'>}"
#define LISTENS "{" ON "'kind': <'listen'>, 'endpoint': <'listen:a'>, 'state': <'listening'>}"
#define TUNNEL(state, more)                                                                        \
    "{" ON "'kind': <'peer'>, 'endpoint': <'tcp:b:1'>, 'address': <'b:1'>, "                       \
    "'state': <'" state "'>" more "}"
#define TAP_OF(name, more)                                                                         \
    "{" ON "'kind': <'tap'>, 'endpoint': <'bridge:br0'>, 'peer': <'br0'>, 'address': <'" name      \
    "'>" more "}"
#define USER(more) "{" ON "'kind': <'user'>, 'endpoint': <'user:host=a'>, 'address': <'a'>" more "}"
#define TAP(more)  TAP_OF("nr0", more)

/* A world for a view, in words. */
typedef struct {
    const char *rows;    /* GVariant text of the rows, "," between them; NULL: none */
    const char *network; /* "lab=ENDPOINT", a network's definition; "!lab": it is stopped */
    int relay;           /* its pid, or 0 */
    gboolean lost;       /* libvirt is away */
    gboolean unlisted;   /* libvirt has not told its guests yet */
    const char *fault;   /* a refused file */
    int at_ms;
} World;

static GVariant *parsed(const char *type, const char *inside)
{
    g_autofree char *text = g_strdup_printf("[%s]", inside ? inside : "");
    g_autoptr(GError) error = NULL;
    GVariant *value = g_variant_parse(G_VARIANT_TYPE(type), text, NULL, NULL, &error);

    g_assert_no_error(error);
    return value;
}

static NrDesired *desired_of(const char *definition)
{
    NrDesired *desired = g_new0(NrDesired, 1);

    desired->networks = g_ptr_array_new_with_free_func(g_free);
    if (definition && *definition != '!') {
        NrDesiredNetwork *network = g_new0(NrDesiredNetwork, 1);
        NrDesiredEndpoint *endpoint = g_new0(NrDesiredEndpoint, 1);
        const char *equals = strchr(definition, '=');

        network->name = g_strndup(definition, (gsize)(equals - definition));
        network->endpoints = g_ptr_array_new_with_free_func(g_free);
        endpoint->text = g_strdup(equals + 1);
        g_ptr_array_add(network->endpoints, endpoint);
        g_ptr_array_add(desired->networks, network);
    }
    return desired;
}

static void desired_done(NrDesired *desired)
{
    for (guint i = 0; i < desired->networks->len; i++) {
        NrDesiredNetwork *network = desired->networks->pdata[i];

        g_free(((NrDesiredEndpoint *)network->endpoints->pdata[0])->text);
        g_ptr_array_unref(network->endpoints);
        g_free(network->name);
    }
    g_ptr_array_unref(desired->networks);
    g_free(desired);
}

static NrView *view_of(const World *world, const NrView *before)
{
    g_autoptr(GVariant) rows = parsed("aa{sv}", world->rows);
    g_autofree char *quoted = world->fault ? g_strdup_printf("'%s'", world->fault) : NULL;
    g_autoptr(GVariant) faults = parsed("as", quoted);
    g_autoptr(NrActual) actual = nr_actual_new();
    g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func((GDestroyNotify)nr_network_free);
    NrDesired *desired = desired_of(world->network);
    NrViewInput input = { .rows = rows,
                          .faults = faults,
                          .libvirt = world->lost ? "gone" : "connected",
                          .actual = actual,
                          .desired = desired,
                          .networks = files,
                          .listed = !world->unlisted,
                          .now_ms = world->at_ms };
    NrView *view;

    if (world->relay)
        g_ptr_array_add(actual->networks, nr_actual_network_new("lab", world->relay));
    if (world->network && *world->network == '!') {
        NrNetwork *file = nr_network_new();

        file->name = g_strdup(world->network + 1);
        file->stopped = TRUE;
        g_ptr_array_add(files, file);
    }
    view = nr_view_new(&input, before);
    desired_done(desired);
    return view;
}

/* "EVENT TEXT" of each, one a line. */
static char *told(const NrView *before, const NrView *after)
{
    g_autoptr(GPtrArray) events = nr_events_between(before, after);
    GString *lines = g_string_new(NULL);

    for (guint i = 0; i < events->len; i++) {
        const char *event, *text;

        g_assert_true(g_variant_lookup(events->pdata[i], "event", "&s", &event));
        g_assert_true(g_variant_lookup(events->pdata[i], "text", "&s", &text));
        g_string_append_printf(lines, "%s %s\n", event, text);
    }
    return g_string_free(lines, FALSE);
}

#define NIC_TEXT(port) " guest web, NIC net0: network lab, port " port "\n"

static const struct {
    const char *name;
    World before, after;
    const char *expected;
} cases[] = {
    { "nothing", { HAS("1", "running"), "lab=a", 7 }, { HAS("1", "running"), "lab=a", 7 }, "" },
    { "libvirt goes", { NULL }, { .lost = TRUE }, "libvirt-lost libvirt: gone\n" },
    { "libvirt comes", { .lost = TRUE }, { NULL }, "libvirt-connected libvirt\n" },

    { "network comes",
      { NULL },
      { NULL, "lab=a", 7 },
      "network-up network lab: a\nrelay-started network lab: relay with pid 7\n" },
    { "network changes",
      { NULL, "lab=a", 7 },
      { NULL, "lab=b", 7 },
      "network-changed network lab: b\n" },
    { "network is stopped",
      { NULL, "lab=a", 7 },
      { NULL, "!lab" },
      "network-stopped network lab\nrelay-ended network lab: relay with pid 7\n" },
    { "network is started", { NULL, "!lab" }, { NULL, "lab=a" }, "network-up network lab: a\n" },
    { "network goes", { NULL, "lab=a" }, { NULL }, "network-gone network lab: a\n" },
    { "stopped network goes", { NULL, "!lab" }, { NULL }, "network-gone network lab\n" },
    { "another relay",
      { NULL, "lab=a", 7 },
      { NULL, "lab=a", 8 },
      "relay-started network lab: relay with pid 8\n" },

    { "guest is announced",
      { NULL },
      { HAS("1", "announced") },
      "guest-starting guest web\nnic-connected" NIC_TEXT("1") },
    { "guest runs",
      { HAS("1", "announced") },
      { HAS("1", "running") },
      "guest-started guest web\n" },
    { "guest ends",
      { HAS("1", "running") },
      { NULL },
      "guest-ended guest web\nnic-disconnected" NIC_TEXT("1") },
    { "guest starts anew",
      { HAS("1", "running") },
      { HAS("2", "announced") },
      "guest-ended guest web\nguest-starting guest web\n"
      "nic-disconnected" NIC_TEXT("1") "nic-connected" NIC_TEXT("2") },
    { "guest that is defined starts",
      { HAS("1", "defined") },
      { HAS("1", "announced") },
      "guest-starting guest web\n" },
    { "guest that is defined runs",
      { HAS("1", "defined") },
      { HAS("1", "running") },
      "guest-started guest web\n" },
    { "guest that is defined ends",
      { HAS("1", "running") },
      { HAS("1", "defined") },
      "guest-ended guest web\n" },
    { "guest without a definition is refused after its prepare",
      { HAS("1", "announced") },
      { NULL },
      "guest-ended guest web\nnic-disconnected" NIC_TEXT("1") },
    { "guest is refused after its prepare",
      { HAS("1", "announced") },
      { HAS("1", "defined") },
      "guest-ended guest web\n" },
    { "guest is defined",
      { NULL },
      { HAS("1", "defined") },
      "guest-seen guest web\nnic-connected" NIC_TEXT("1") },
    { "guest is undefined", { HAS("1", "defined") }, { SOMEBODY("1") }, "guest-gone guest web\n" },

    { "somebody connects",
      { LISTENS },
      { SOMEBODY("1") },
      "nic-connected network lab: p, port 1\n" },
    { "somebody gets a name",
      { WAITS "," SOMEBODY("1") },
      { HAS("1", "running") },
      "nic-connected" NIC_TEXT("1") },
    { "a guest is forgotten before its connection",
      { HAS("1", "running") },
      { SOMEBODY("1") },
      "guest-ended guest web\n" },
    { "somebody goes",
      { SOMEBODY("1") "," SOMEBODY("2") },
      { SOMEBODY("2") },
      "nic-disconnected network lab: p, port 1\n" },

    { "another one in its place",
      { SOMEBODY("2") },
      { SOMEBODY("1") },
      "nic-disconnected network lab: p, port 2\nnic-connected network lab: p, port 1\n" },
    { "several at once",
      { NULL },
      { SOMEBODY("4") "," SOMEBODY("1") "," SOMEBODY("3") "," SOMEBODY("2") },
      "nic-connected network lab: p, port 1\nnic-connected network lab: p, port 2\n"
      "nic-connected network lab: p, port 3\nnic-connected network lab: p, port 4\n" },

    { "the first list", { SOMEBODY("1"), .unlisted = TRUE }, { HAS("1", "running") }, "" },
    { "announced before the first list",
      { NULL, .unlisted = TRUE },
      { HAS("1", "announced"), .unlisted = TRUE },
      "guest-starting guest web\nnic-connected" NIC_TEXT("1") },

    { "tunnel comes",
      { TUNNEL("dialling", "") },
      { TUNNEL("connected", ", 'port': <uint32 3>") },
      "tunnel-up network lab: tunnel to b:1\n" },
    { "tunnel goes",
      { TUNNEL("connected", ", 'port': <uint32 3>") },
      { TUNNEL("dialling", ", 'reason': <'refused'>") },
      "tunnel-down network lab: tunnel to b:1\nfault network lab: its tunnel to b:1 leads nowhere: "
      "refused\n" },
    { "tunnel is replaced",
      { TUNNEL("connected", ", 'port': <uint32 3>") },
      { TUNNEL("connected", ", 'port': <uint32 4>") },
      "tunnel-down network lab: tunnel to b:1\ntunnel-up network lab: tunnel to b:1\n" },
    { "bridge comes",
      { TAP(", 'state': <'waiting'>") },
      { TAP(", 'state': <'connected'>, 'port': <uint32 2>") },
      "bridge-joined network lab: bridge br0, TAP nr0\n" },
    { "bridge goes",
      { TAP(", 'state': <'connected'>, 'port': <uint32 2>") },
      { TAP(", 'state': <'waiting'>") },
      "bridge-left network lab: bridge br0, TAP nr0\n" },
    { "bridge is replaced",
      { TAP(", 'state': <'connected'>, 'port': <uint32 2>") },
      { TAP_OF("nr1", ", 'state': <'connected'>, 'port': <uint32 3>") },
      "bridge-left network lab: bridge br0, TAP nr0\n"
      "bridge-joined network lab: bridge br0, TAP nr1\n" },
    { "way out comes",
      { USER(", 'state': <'waiting'>") },
      { USER(", 'state': <'connected'>, 'port': <uint32 2>") },
      "" },
    { "way out goes",
      { USER(", 'state': <'connected'>, 'port': <uint32 2>") },
      { USER(", 'state': <'failed'>, 'reason': <'it ended'>") },
      "fault network lab: it ended\n" },

    { "foreign",
      { TAP(", 'state': <'waiting'>") },
      { TAP(", 'state': <'foreign'>, 'reason': <'pid 9 has it'>") },
      "fault network lab: pid 9 has it\n" },
    { "another reason",
      { TAP(", 'state': <'failed'>, 'reason': <'one'>") },
      { TAP(", 'state': <'failed'>, 'reason': <'two'>") },
      "fault network lab: two\n" },
    { "a client behind somebody else's",
      { TAP(", 'state': <'waiting'>") },
      { TAP(", 'state': <'busy'>, 'reason': <'guest db serves somebody else'>") },
      "fault network lab: guest db serves somebody else\n" },
    { "mended",
      { TAP(", 'state': <'failed'>, 'reason': <'one'>") },
      { TAP(", 'state': <'waiting'>") },
      "cleared network lab: one\n" },
    { "loop",
      { SOMEBODY("1") },
      { "{" ON "'kind': <'client'>, 'peer': <'p'>, 'port': <uint32 1>, 'state': <'blocked'>}" },
      "fault network lab: port 1 closes a loop, so no frame passes it\n" },
    { "file", { NULL }, { .fault = "x.xml: bad" }, "fault x.xml: bad\n" },
    { "file is mended", { .fault = "x.xml: bad" }, { NULL }, "cleared x.xml: bad\n" },
};

static void test_changes(gconstpointer data)
{
    guint i = GPOINTER_TO_UINT(data);
    g_autoptr(NrView) before = view_of(&cases[i].before, NULL);
    g_autoptr(NrView) after = view_of(&cases[i].after, before);
    g_autoptr(NrView) again = view_of(&cases[i].after, after);
    g_autofree char *lines = told(before, after);
    g_autofree char *none = told(after, again);

    g_assert_cmpstr(lines, ==, cases[i].expected);
    g_assert_cmpstr(none, ==, "");
}

/* A guest that runs is deaf only after a while without its connection. */
static void test_deaf(void)
{
    const World empty = { NULL }, waits = { WAITS, .at_ms = 100 },
                later = { WAITS, .at_ms = 100 + NR_VIEW_DEAF_MS - 1 },
                late = { WAITS, .at_ms = 100 + NR_VIEW_DEAF_MS },
                cured = { HAS("1", "running"), .at_ms = 9000 };
    g_autoptr(NrView) none = view_of(&empty, NULL);
    g_autoptr(NrView) first = view_of(&waits, none);
    g_autoptr(NrView) second = view_of(&later, first);
    g_autoptr(NrView) third = view_of(&late, second);
    g_autoptr(NrView) fourth = view_of(&cured, third);
    g_autofree char *one = told(none, first);
    g_autofree char *two = told(first, second);
    g_autofree char *three = told(second, third);
    g_autofree char *four = told(third, fourth);

    g_assert_cmpstr(one, ==, "guest-started guest web\n");
    g_assert_cmpstr(two, ==, "");
    g_assert_true(g_str_has_prefix(three, "fault guest web, NIC net0: it is deaf"));
    g_assert_true(g_str_has_prefix(four, "nic-connected guest web"));
    g_assert_nonnull(strstr(four, "\ncleared guest web, NIC net0: it is deaf"));
}

/* While somebody is there who may be it, a fault that was told stays, and none is new. */
static void test_deaf_or_not_known_yet(void)
{
    const World empty = { NULL }, waits = { WAITS, .at_ms = 100 },
                late = { WAITS, .at_ms = 100 + NR_VIEW_DEAF_MS },
                open = { WAITS ", " SOMEBODY("3"), .at_ms = 200 + NR_VIEW_DEAF_MS };
    g_autoptr(NrView) none = view_of(&empty, NULL);
    g_autoptr(NrView) first = view_of(&waits, none);
    g_autoptr(NrView) quiet = view_of(&open, first);
    g_autoptr(NrView) second = view_of(&late, first);
    g_autoptr(NrView) third = view_of(&open, second);
    g_autoptr(NrView) fourth = view_of(&late, third);
    g_autofree char *not_yet = told(first, quiet);
    g_autofree char *begins = told(first, second);
    g_autofree char *meanwhile = told(second, third);
    g_autofree char *again = told(third, fourth);

    g_assert_null(strstr(not_yet, "deaf"));
    g_assert_nonnull(strstr(begins, "fault guest web, NIC net0: it is deaf"));
    g_assert_null(strstr(meanwhile, "deaf"));
    g_assert_null(strstr(again, "deaf"));
}

/* A port that the next pass moves is no fault; one that stays is. */
static void test_moved(void)
{
    const World empty = { NULL }, moves = { APART, .at_ms = 100 },
                there = { HAS("1", "running"), .at_ms = 200 },
                stays = { APART, .at_ms = 100 + NR_VIEW_DEAF_MS };
    g_autoptr(NrView) none = view_of(&empty, NULL);
    g_autoptr(NrView) first = view_of(&moves, none);
    g_autoptr(NrView) second = view_of(&there, first);
    g_autoptr(NrView) third = view_of(&stays, first);
    g_autofree char *one = told(none, first);
    g_autofree char *two = told(first, second);
    g_autofree char *three = told(first, third);

    g_assert_null(strstr(one, "fault"));
    g_assert_cmpstr(two, ==, "");
    g_assert_cmpstr(three, ==, "fault guest web, NIC net0: apart\n");
}

/* The row's name goes first; what was connected there is told with it when the port goes, too. */
static void test_name_outlives_its_guest(void)
{
    const World with = { HAS("1", "running") }, without = { SOMEBODY("1") }, none = { NULL };
    g_autoptr(NrView) first = view_of(&with, NULL);
    g_autoptr(NrView) second = view_of(&without, first);
    g_autoptr(NrView) third = view_of(&none, second);
    g_autofree char *lines = told(second, third);

    g_assert_cmpstr(lines, ==, "nic-disconnected" NIC_TEXT("1"));
}

static void test_forgotten_relay(void)
{
    const World with = { NULL, "lab=a", 7 }, without = { NULL, "lab=a" };
    g_autoptr(NrView) first = view_of(&with, NULL);
    g_autoptr(NrView) second = view_of(&without, first);
    g_autofree char *lines = NULL;

    nr_view_forget_relay(first, "lab");
    lines = told(first, second);
    g_assert_cmpstr(lines, ==, "");
}

static void test_details(void)
{
    const World empty = { NULL }, with = { HAS("1", "running") };
    g_autoptr(NrView) first = view_of(&empty, NULL);
    g_autoptr(NrView) second = view_of(&with, first);
    g_autoptr(GPtrArray) events = nr_events_between(first, second);
    const char *text;
    guint32 port;

    g_assert_cmpuint(events->len, ==, 2);
    g_assert_true(g_variant_lookup(events->pdata[1], "guest", "&s", &text));
    g_assert_cmpstr(text, ==, "web");
    g_assert_true(g_variant_lookup(events->pdata[1], "mac", "&s", &text));
    g_assert_cmpstr(text, ==, "52:54:00:00:00:01");
    g_assert_true(g_variant_lookup(events->pdata[1], "network", "&s", &text));
    g_assert_cmpstr(text, ==, "lab");
    g_assert_true(g_variant_lookup(events->pdata[1], "port", "u", &port));
    g_assert_cmpuint(port, ==, 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strdup_printf("/events/%s", cases[i].name);

        g_test_add_data_func(path, GUINT_TO_POINTER(i), test_changes);
    }
    g_test_add_func("/events/deaf", test_deaf);
    g_test_add_func("/events/deaf-or-not-known-yet", test_deaf_or_not_known_yet);
    g_test_add_func("/events/moved", test_moved);
    g_test_add_func("/events/name-outlives-its-guest", test_name_outlives_its_guest);
    g_test_add_func("/events/forgotten-relay", test_forgotten_relay);
    g_test_add_func("/events/details", test_details);
    return g_test_run();
}
