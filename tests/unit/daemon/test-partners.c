/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For whom a guest that is about to start waits, and what ends that. */
#include "daemon/partners.h"

#include <errno.h>
#include "model-fixture.h"

static gboolean listens_nowhere(const NrPartner *partner, gpointer data)
{
    return FALSE;
}

static gboolean listens(const NrPartner *partner, gpointer data)
{
    g_assert_cmpuint(partner->place.l4_port, ==, 7);
    return *(gboolean *)data;
}

typedef struct {
    const char *name;
    const char *other;  /* the guest that was announced before */
    const char *coming; /* the one whose hook has come */
    gboolean waits;
} Pair;

static const Pair pairs[] = {
    { "client first", "announced 1 c: client 127.0.0.1:7", "announced 2 s: server :7", TRUE },
    { "server first", "announced 1 s: server 127.0.0.1:7", "announced 2 c: client 127.0.0.1:7",
      TRUE },
    { "ids the other way round", "announced 2 s: server :7", "announced 1 c: client 127.0.0.1:7",
      TRUE },
    { "a client that nobody can serve", "announced 1 c: client 0.0.0.0:7",
      "announced 2 s: server :7", FALSE },
    { "another port", "announced 1 c: client 127.0.0.1:7", "announced 2 s: server :8", FALSE },
    { "another address", "announced 1 c: client 10.0.0.1:7", "announced 2 s: server 127.0.0.1:7",
      FALSE },
    { "two clients", "announced 1 c: client 127.0.0.1:7", "announced 2 d: client 127.0.0.1:7",
      FALSE },
    { "two servers", "announced 1 s: server :7", "announced 2 t: server :7", FALSE },
    { "it runs already", "running 1 s: server :7", "announced 2 c: client 127.0.0.1:7", FALSE },
    { "it is only defined", "defined - s: server :7", "announced 2 c: client 127.0.0.1:7", FALSE },
    { "udp", "announced 1 a: udp 127.0.0.1:7>127.0.0.1:8",
      "announced 2 b: udp 127.0.0.1:8>127.0.0.1:7", FALSE },
    { "udp at a client's address", "announced 1 a: udp 127.0.0.1:7>127.0.0.1:8",
      "announced 2 c: client 127.0.0.1:7", FALSE },
};

/* The coming one has a UUID of its own: that of the second line. */
static GPtrArray *world(const char *other, const char *coming)
{
    g_autofree char *lines = g_strconcat(other, "\n", coming, "\n", NULL);

    return fixture_guests(lines);
}

static GPtrArray *only_first(GPtrArray *guests)
{
    GPtrArray *known = g_ptr_array_new();

    g_ptr_array_add(known, guests->pdata[0]);
    return known;
}

static void test_pair(gconstpointer data)
{
    const Pair *pair = data;
    g_autoptr(GPtrArray) guests = world(pair->other, pair->coming);
    g_autoptr(GPtrArray) known = only_first(guests);
    g_autoptr(GPtrArray) partners = nr_partners_new();

    nr_partners_find(partners, known, guests->pdata[1], NULL);
    nr_partners_find(partners, known, guests->pdata[1], NULL); /* each look adds what is new */
    g_assert_cmpuint(partners->len, ==, pair->waits ? 1 : 0);
}

static guint found(GPtrArray *partners, const char *known, const NrGuest *coming)
{
    g_autoptr(GPtrArray) guests = fixture_guests(known);

    nr_partners_find(partners, guests, coming, NULL);
    return partners->len;
}

/* Each NIC of each guest, and of one that starts anew, again; of none that is the guest itself. */
static void test_several(void)
{
    g_autoptr(GPtrArray) coming = world("defined - x: other", "announced 9 s: server :7, "
                                                              "server :8, client 127.0.0.1:7");
    const NrGuest *guest = coming->pdata[1];
    g_autoptr(GPtrArray) partners = nr_partners_new();

    g_assert_cmpuint(
        found(partners, "announced 1 c: client 127.0.0.1:7, client 127.0.0.1:8", guest), ==, 2);
    g_assert_cmpuint(found(partners, "announced 3 c: client 127.0.0.1:7", guest), ==, 3);
    nr_partners_find(partners, coming, guest, NULL);
    g_assert_cmpuint(partners->len, ==, 3);
}

/* Whoever is up makes room for the next one to be waited for. */
static void test_second_is_awaited(void)
{
    g_autoptr(GPtrArray) guests = fixture_guests("announced 1 a: server :7\n"
                                                 "announced 2 b: server :8\n"
                                                 "announced 3 c: client 127.0.0.1:7, "
                                                 "client 127.0.0.1:8\n");
    g_autoptr(GPtrArray) now = fixture_guests("running 1 a: server :7\n"
                                              "announced 2 b: server :8\n");
    g_autoptr(GPtrArray) partners = nr_partners_new();
    g_autoptr(NrActual) actual = nr_actual_new();
    NrPartnerView view = { .guests = now, .actual = actual, .listens = listens_nowhere };
    const NrPartner *awaited;

    nr_partners_find(partners, guests, guests->pdata[2], NULL);
    g_assert_cmpuint(partners->len, ==, 2);
    awaited = nr_partners_awaited(partners, &view);
    g_assert_nonnull(awaited);
    g_assert_cmpstr(awaited->guest->name, ==, "b");
}

typedef struct {
    const char *start; /* the partner, as it was found */
    const char *now;   /* and as it is; NULL: unknown */
    gboolean decided, connected, failed, listening;
    gboolean waits;
    const char *pass;         /* as the last pass saw it, where that was another state */
    const char *label;        /* the port's, where it is not that of the NIC */
    enum ctl_port_state port; /* of the connection */
} Look;

#define CLIENT "c: client 127.0.0.1:7"
#define SECOND "c: client 127.0.0.1:6, client 127.0.0.1:7"
#define NOT_IT "00000000-0000-4000-8000-000000000001/52:54:00:01:00:07"
#define REMOTE "c: client 10.9.9.9:7"
#define SERVER "s: server :7"

static const Look looks[] = {
    { .start = "announced 1 " CLIENT, .now = "announced 1 " CLIENT, .waits = TRUE },
    { .start = "announced 1 " CLIENT,
      .now = "announced 1 " CLIENT,
      .decided = TRUE,
      .waits = TRUE },
    { .start = "announced 1 " CLIENT, .now = "running 1 " CLIENT }, /* its QEMU has dialled */
    { .start = "announced 1 " CLIENT,
      .now = "announced 1 " CLIENT,
      .decided = TRUE,
      .connected = TRUE },
    { .start = "announced 1 " CLIENT,
      .now = "announced 1 " CLIENT,
      .decided = TRUE,
      .connected = TRUE,
      .port = CTL_PORT_CLOSING, /* of the start before */
      .waits = TRUE },
    { .start = "announced 1 " CLIENT,
      .now = "announced 1 " CLIENT,
      .decided = TRUE,
      .connected = TRUE,
      .label = NOT_IT,
      .waits = TRUE },
    { .start = "announced 1 " SECOND, /* the port is the first NIC's */
      .now = "announced 1 " SECOND,
      .decided = TRUE,
      .connected = TRUE,
      .waits = TRUE },
    { .start = "announced 1 " REMOTE, /* decided before it was announced */
      .now = "announced 1 " REMOTE,
      .decided = TRUE,
      .pass = "defined - " REMOTE,
      .waits = TRUE },
    { .start = "announced - " SERVER, .now = "announced - " SERVER, .waits = TRUE },
    { .start = "announced - " SERVER, .now = "defined - " SERVER },
    { .start = "announced - " SERVER, .now = "defined - z: other\nannounced - y: server :7" },
    { .start = "announced 1 " CLIENT,
      .now = "announced 1 " CLIENT,
      .decided = TRUE,
      .failed = TRUE },
    { .start = "announced 1 " REMOTE, .now = "announced 1 " REMOTE, .decided = TRUE },
    { .start = "announced 1 " CLIENT, .now = "defined - " CLIENT, .decided = TRUE },
    { .start = "announced 1 " CLIENT, .now = "announced 2 " CLIENT, .decided = TRUE },
    { .start = "announced 1 " CLIENT },
    { .start = "announced 1 " SERVER, .now = "announced 1 " SERVER, .waits = TRUE },
    { .start = "announced 1 " SERVER, .now = "announced 1 " SERVER, .listening = TRUE },
    { .start = "announced 1 " SERVER, .now = "running 1 " SERVER }, /* its QEMU listens */
    { .start = "announced 1 " SERVER, .now = "running 2 " SERVER },
    { .start = "announced 1 " SERVER, .now = "defined - " SERVER },
};

static NrActual *exists(const NrBinding *binding, const Look *look)
{
    NrActual *actual = nr_actual_new();
    NrActualNetwork *network = nr_actual_network_new(binding->network, 1);
    NrActualPort *port = nr_actual_port_new(1, 1);

    port->label = g_strdup(look->label ? look->label : binding->label);
    port->state = look->port;
    g_ptr_array_add(network->ports, port);
    g_ptr_array_add(actual->networks, network);
    return actual;
}

static void fail(NrAttempts *attempts, const NrBinding *binding)
{
    NrAction action = { .kind = NR_ACTION_ATTACH,
                        .network = binding->network,
                        .endpoint = binding->endpoint };

    nr_attempts_failed(attempts, &action, -EADDRINUSE, "it is in use", 0);
}

static void test_look(gconstpointer data)
{
    const Look *look = data;
    g_autoptr(GPtrArray) before = fixture_guests(look->start);
    g_autoptr(GPtrArray) now = fixture_guests(look->now ? look->now : "");
    g_autoptr(GPtrArray) coming = world("defined - x: other", "announced 9 y: client 10.9.9.9:7, "
                                                              "client 127.0.0.1:7, server :7");
    g_autoptr(GPtrArray) files = fixture_networks((const char *const[]){ NULL });
    g_autoptr(GPtrArray) partners = nr_partners_new();
    g_autoptr(NrAttempts) attempts = nr_attempts_new();
    NrPolicy policy = { .hooked = TRUE };
    g_autoptr(GPtrArray) pass = fixture_guests(look->pass ? look->pass : "");
    g_autoptr(NrDesired) desired =
        look->decided ? fixture_decide(look->pass ? pass : now, files, &policy) : NULL;
    const NrBinding *binding =
        desired && desired->bindings->len ? desired->bindings->pdata[0] : NULL;
    g_autoptr(NrActual) actual = look->connected ? exists(binding, look) : nr_actual_new();
    gboolean listening = look->listening;
    NrPartnerView view = { now, desired, attempts, actual, listens, &listening };

    if (look->failed)
        fail(attempts, binding);
    nr_partners_find(partners, before, coming->pdata[1], NULL);
    g_assert_cmpuint(partners->len, ==, 1);
    g_assert_cmpint(nr_partners_awaited(partners, &view) != NULL, ==, look->waits);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(pairs); i++) {
        g_autofree char *path = g_strconcat("/partners/pair/", pairs[i].name, NULL);

        g_test_add_data_func(path, &pairs[i], test_pair);
    }
    g_test_add_func("/partners/several", test_several);
    g_test_add_func("/partners/second-is-awaited", test_second_is_awaited);
    for (guint i = 0; i < G_N_ELEMENTS(looks); i++) {
        g_autofree char *path = g_strdup_printf("/partners/look/%u", i);

        g_test_add_data_func(path, &looks[i], test_look);
    }
    return g_test_run();
}
