/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two witnesses whose words arrive in any order: what must not be forgotten, what not come back. */
#include "daemon/inventory.h"
#include "model-fixture.h"

#define UUID     "00000000-0000-4000-8000-000000000001"
#define NIC      ": client 127.0.0.1:12345"
#define DEADLINE NR_ANNOUNCED_DEADLINE_MS

typedef struct {
    NrInventory *inventory;
    guint changes;
} World;

static void on_changed(gpointer data)
{
    World *world = data;

    world->changes++;
}

static void set_up(World *world, gconstpointer data)
{
    world->inventory = nr_inventory_new(on_changed, world);
    world->changes = 0;
}

static void tear_down(World *world, gconstpointer data)
{
    nr_inventory_free(world->inventory);
}

static void announce(World *world, const char *line, gint64 now_ms)
{
    g_autoptr(NrGuest) guest = fixture_guest(line);

    nr_inventory_announce(world->inventory, guest, now_ms);
}

static void sync_all(World *world, const char *lines)
{
    g_autoptr(GPtrArray) guests = fixture_guests(lines);

    nr_inventory_sync_all(world->inventory, guests, NULL);
}

static void sync_guest(World *world, const char *running, const char *defined)
{
    g_autoptr(NrGuest) run = running ? fixture_guest(running) : NULL;
    g_autoptr(NrGuest) def = defined ? fixture_guest(defined) : NULL;

    nr_inventory_sync_guest(world->inventory, UUID, run, def);
}

/* "running 3", "defined -1", "unknown"; and how often a change was told since the last look. */
static void expect(World *world, const char *state, guint changes)
{
    NrGuest *guest = nr_inventory_find(world->inventory, UUID);
    g_autofree char *seen =
        guest ? g_strdup_printf("%s %d", nr_guest_state_name(guest->state), guest->id)
              : g_strdup("unknown");

    g_assert_cmpstr(seen, ==, state);
    g_assert_cmpuint(world->changes, ==, changes);
    world->changes = 0;
}

static void test_life(World *world, gconstpointer data)
{
    sync_all(world, "defined - a" NIC "\n");
    expect(world, "defined -1", 1);
    announce(world, "defined 3 a" NIC, 0);
    expect(world, "announced 3", 1);
    sync_guest(world, "running 3 a" NIC, "defined - a" NIC);
    expect(world, "running 3", 1);
    nr_inventory_release(world->inventory, UUID);
    expect(world, "defined -1", 1);
    sync_guest(world, NULL, "defined - a" NIC);
    expect(world, "defined -1", 0);
    sync_guest(world, NULL, NULL);
    expect(world, "unknown", 1);
}

/* A list made while the hook runs, or before it, does not have the guest. */
static void test_announced_survives_listing(World *world, gconstpointer data)
{
    announce(world, "defined 3 a" NIC, 0);
    expect(world, "announced 3", 1);
    sync_all(world, "");
    sync_all(world, "defined - a" NIC "\n");
    sync_guest(world, NULL, NULL);
    expect(world, "announced 3", 0);
}

/* libvirt counts a guest as active while its QEMU is still to come. */
static void test_listed_while_it_starts(World *world, gconstpointer data)
{
    announce(world, "announced 3 a" NIC, 0);
    sync_all(world, "announced 3 a" NIC);
    expect(world, "announced 3", 1);
    g_assert_cmpint(nr_inventory_expire(world->inventory, DEADLINE - 1), ==, DEADLINE);
    g_assert_cmpint(nr_inventory_expire(world->inventory, DEADLINE), ==, -1);
    expect(world, "announced 3", 0);
    sync_guest(world, "running 3 a" NIC, NULL);
    expect(world, "running 3", 1);
    sync_guest(world, NULL, NULL);
    expect(world, "unknown", 1);
}

/* No hook has said so: libvirt's word is enough, and its next one. */
static void test_starts_without_a_hook(World *world, gconstpointer data)
{
    sync_guest(world, "announced 3 a" NIC, NULL);
    expect(world, "announced 3", 1);
    sync_guest(world, NULL, "defined - a" NIC);
    expect(world, "defined -1", 1);
    sync_guest(world, "announced 4 a" NIC, NULL);
    expect(world, "announced 4", 1);
    nr_inventory_release(world->inventory, UUID);
    expect(world, "unknown", 1);
    sync_guest(world, "announced 4 a" NIC, NULL); /* late: that start is over */
    expect(world, "unknown", 0);
    announce(world, "announced 5 a" NIC, 0);
    sync_guest(world, NULL, NULL);
    expect(world, "announced 5", 1);
}

static void recall(World *world, const char *line, gint64 order)
{
    g_autoptr(NrGuest) guest = fixture_guest(line);

    guest->order = order;
    nr_inventory_recall(world->inventory, guest, 0);
}

/* A manager that begins anew has it from its predecessor: it counts until a list has come. */
static void test_recalled(World *world, gconstpointer data)
{
    recall(world, "announced 3 a" NIC, 77);
    expect(world, "announced 3", 1);
    sync_all(world, "announced 3 a" NIC);
    expect(world, "announced 3", 0);
    sync_all(world, "");
    expect(world, "announced 3", 0); /* a list may be older than what follows it */
    sync_guest(world, "running 3 a" NIC, NULL);
    expect(world, "running 3", 1);
    g_assert_cmpint(nr_inventory_find(world->inventory, UUID)->order, ==, 77);
}

static void test_recalled_and_gone(World *world, gconstpointer data)
{
    recall(world, "announced 3 a" NIC, 0);
    expect(world, "announced 3", 1);
    sync_all(world, "");
    expect(world, "unknown", 1);
    recall(world, "announced 4 a" NIC, 0);
    expect(world, "announced 4", 1);
    announce(world, "announced 5 a" NIC, 0); /* it starts anew: no list that is older counts */
    sync_all(world, "");
    expect(world, "announced 5", 1);
}

static void test_recalled_order(World *world, gconstpointer data)
{
    recall(world, "running 3 a" NIC, 77);
    expect(world, "unknown", 0); /* libvirt is to say that it runs */
    sync_guest(world, "running 3 a" NIC, NULL);
    expect(world, "running 3", 1);
    g_assert_cmpint(nr_inventory_find(world->inventory, UUID)->order, ==, 77);
    sync_guest(world, NULL, NULL);
    recall(world, "running 3 a" NIC, 77);
    sync_guest(world, "running 4 a" NIC, NULL); /* another start of it */
    g_assert_cmpint(nr_inventory_find(world->inventory, UUID)->order, ==, 0);
}

static void test_transient_runs_and_ends(World *world, gconstpointer data)
{
    announce(world, "defined 3 a" NIC, 0);
    sync_all(world, "running 3 a" NIC "\n");
    world->changes = 0;
    sync_all(world, "");
    expect(world, "unknown", 1);
    g_assert_cmpint(nr_inventory_expire(world->inventory, 0), ==, -1);
}

/* The hook's release overtakes a list that libvirt made before. */
static void test_late_listing(World *world, gconstpointer data)
{
    sync_all(world, "running 3 a" NIC "\n");
    nr_inventory_release(world->inventory, UUID);
    expect(world, "unknown", 2);
    sync_all(world, "running 3 a" NIC "\n");
    sync_guest(world, "running 3 a" NIC, NULL);
    expect(world, "unknown", 0);
    sync_all(world, "");
    expect(world, "unknown", 0);
    sync_all(world, "running 3 a" NIC "\n");
    expect(world, "running 3", 1);
}

static void test_late_listing_of_the_start_before(World *world, gconstpointer data)
{
    sync_all(world, "running 3 a" NIC "\n");
    nr_inventory_release(world->inventory, UUID);
    announce(world, "defined 4 a" NIC, 0);
    world->changes = 0;
    sync_all(world, "running 3 a" NIC "\n");
    expect(world, "announced 4", 0);
    sync_all(world, "running 4 a" NIC "\n");
    expect(world, "running 4", 1);
}

/* A start without a release that we heard of. */
static void test_announced_anew(World *world, gconstpointer data)
{
    sync_all(world, "running 3 a" NIC "\n");
    announce(world, "defined 4 a: client 127.0.0.1:1", 0);
    expect(world, "announced 4", 2);
    sync_all(world, "running 3 a" NIC "\n");
    expect(world, "announced 4", 0);
    announce(world, "defined 5 a: client 127.0.0.1:1", 0);
    expect(world, "announced 5", 1);
}

/* libvirtd counts its ids anew when it starts and no guest runs. */
static void test_id_given_again(World *world, gconstpointer data)
{
    announce(world, "defined 3 a" NIC, 0);
    nr_inventory_release(world->inventory, UUID);
    announce(world, "defined 3 a" NIC, 0);
    world->changes = 0;
    sync_all(world, "running 3 a" NIC "\n");
    expect(world, "running 3", 1);
}

static void test_unread(World *world, gconstpointer data)
{
    g_autoptr(GPtrArray) unread = g_ptr_array_new();
    g_autoptr(GPtrArray) none = fixture_guests("");
    g_autoptr(GPtrArray) defined = fixture_guests("defined - a" NIC "\n");

    g_ptr_array_add(unread, (gpointer)UUID);
    nr_inventory_sync_all(world->inventory, none, unread);
    expect(world, "unknown", 0);
    sync_all(world, "running 3 a" NIC "\n");
    world->changes = 0;
    nr_inventory_sync_all(world->inventory, none, unread);
    nr_inventory_sync_all(world->inventory, defined, unread);
    expect(world, "running 3", 0);
    sync_all(world, "");
    expect(world, "unknown", 1);
}

static void test_refused_start(World *world, gconstpointer data)
{
    sync_all(world, "defined - a" NIC "\n");
    announce(world, "defined 4 a" NIC, 0);
    nr_inventory_release(world->inventory, UUID);
    expect(world, "defined -1", 3);
    nr_inventory_release(world->inventory, UUID);
    nr_inventory_release(world->inventory, "unheard of");
    expect(world, "defined -1", 0);
}

static void test_deadline(World *world, gconstpointer data)
{
    announce(world, "defined 4 a" NIC, 1000);
    world->changes = 0;
    g_assert_cmpint(nr_inventory_expire(world->inventory, 999 + DEADLINE), ==, 1000 + DEADLINE);
    expect(world, "announced 4", 0);
    g_assert_cmpint(nr_inventory_expire(world->inventory, 1000 + DEADLINE), ==, -1);
    expect(world, "unknown", 1);
}

static void test_deadline_starts_anew(World *world, gconstpointer data)
{
    announce(world, "defined 4 a" NIC, 0);
    announce(world, "defined 5 a" NIC, 50);
    g_assert_cmpint(nr_inventory_expire(world->inventory, DEADLINE), ==, 50 + DEADLINE);
    sync_all(world, "running 5 a" NIC "\ndefined - b" NIC "\n");
    g_assert_cmpint(nr_inventory_expire(world->inventory, 2 * DEADLINE), ==, -1);
    world->changes = 0;
    expect(world, "running 5", 0);
}

static void test_same_news_is_no_change(World *world, gconstpointer data)
{
    const char *lines = "running 3 a" NIC "\ndefined - b" NIC "\n";

    sync_all(world, lines);
    world->changes = 0;
    sync_all(world, lines);
    expect(world, "running 3", 0);
    sync_guest(world, "running 3 a: client 127.0.0.1:1", NULL);
    expect(world, "running 3", 1);
}

static void test_snapshot(World *world, gconstpointer data)
{
    g_autoptr(GPtrArray) before = NULL, after = NULL;
    GString *text = g_string_new(NULL);

    sync_all(world, "running 3 a" NIC "\ndefined - b" NIC "\nrunning 7 c" NIC "\n");
    announce(world, "defined 9 a: client 127.0.0.1:1", 0);
    before = nr_inventory_snapshot(world->inventory);
    for (guint i = 0; i < before->len; i++) {
        NrGuest *guest = g_ptr_array_index(before, i);

        g_string_append_printf(text, "%s %s,", guest->name, nr_guest_state_name(guest->state));
    }
    g_assert_cmpstr(text->str, ==, "a announced,b defined,c running,");
    g_string_free(text, TRUE);

    sync_all(world, "");
    after = nr_inventory_snapshot(world->inventory);
    g_assert_cmpuint(after->len, ==, 1);
    g_assert_cmpuint(before->len, ==, 3); /* keeps what it has */
}

static void test_metadata_breaks(World *world, gconstpointer data)
{
    const char *before = "running 3 a" NIC " @lab\n";
    g_autoptr(NrGuest) broken = fixture_guest("running 3 a" NIC);
    g_autoptr(NrGuest) next = NULL, started = NULL;
    NrGuest *guest;

    sync_all(world, before);
    world->changes = 0;
    broken->metadata_fault = g_strdup("line 3");
    for (guint i = 0; i < 2; i++)
        nr_inventory_sync_guest(world->inventory, UUID, broken, NULL);
    expect(world, "running 3", 0);
    guest = nr_inventory_find(world->inventory, UUID);
    g_assert_cmpstr(((NrNic *)g_ptr_array_index(guest->nics, 0))->wish.network, ==, "lab");
    g_assert_null(guest->metadata_fault);

    nr_inventory_release(world->inventory, UUID);
    next = nr_guest_copy(broken, NR_GUEST_ANNOUNCED);
    next->id = 4;
    nr_inventory_announce(world->inventory, next, 0);
    g_assert_nonnull(nr_inventory_find(world->inventory, UUID)->metadata_fault);
    started = nr_guest_copy(next, NR_GUEST_RUNNING);
    nr_inventory_sync_guest(world->inventory, UUID, started, NULL);
    g_assert_nonnull(nr_inventory_find(world->inventory, UUID)->metadata_fault);
}

/* How many guests started without the hook's word. */
static guint unannounced(World *world)
{
    g_autoptr(GPtrArray) names = nr_inventory_unannounced(world->inventory);

    return names->len;
}

static void test_hook_not_called(World *world, gconstpointer data)
{
    sync_all(world, "running 3 a" NIC "\n"); /* it ran before we did */
    g_assert_cmpuint(unannounced(world), ==, 0);
    sync_guest(world, NULL, NULL);
    announce(world, "defined 4 a" NIC, 0);
    sync_guest(world, "running 4 a" NIC, NULL);
    g_assert_cmpuint(unannounced(world), ==, 0);

    nr_inventory_release(world->inventory, UUID);
    sync_guest(world, "running 5 a: server 127.0.0.1:1", NULL);
    g_assert_cmpuint(unannounced(world), ==, 0); /* it may wait for us to dial */
    sync_guest(world, NULL, NULL);
    sync_guest(world, "running 6 a" NIC, NULL);
    sync_guest(world, "running 6 a" NIC, NULL);
    g_assert_cmpuint(unannounced(world), ==, 1);
    sync_guest(world, NULL, NULL);
    g_assert_cmpuint(unannounced(world), ==, 0);
}

/* Since then somebody has told libvirt of it. */
static void test_hook_called_since(World *world, gconstpointer data)
{
    g_autoptr(GPtrArray) guests = fixture_guests("announced 4 b" NIC "\nannounced 5 c" NIC "\n");

    sync_all(world, "");
    sync_guest(world, "running 3 a" NIC, NULL);
    g_assert_cmpuint(unannounced(world), ==, 1);
    nr_inventory_announce(world->inventory, guests->pdata[1], 0);
    g_assert_cmpuint(unannounced(world), ==, 0);
}

/* Guests that start together: ids are given in one order, and the hooks come in the other. */
static void test_order_of_hooks(World *world, gconstpointer data)
{
    g_autoptr(GPtrArray) guests = fixture_guests("announced 6 a" NIC "\nannounced 5 b" NIC "\n"
                                                 "announced 7 c" NIC "\nrunning 5 b" NIC "\n");
    const NrGuest *first = guests->pdata[0], *last = guests->pdata[2];
    const char *late = ((NrGuest *)guests->pdata[1])->uuid;
    gint64 order;

    for (guint i = 0; i < 3; i++)
        nr_inventory_announce(world->inventory, guests->pdata[i], 0);
    order = nr_guest_order(nr_inventory_find(world->inventory, late));
    g_assert_cmpint(nr_guest_order(nr_inventory_find(world->inventory, first->uuid)), <, order);
    g_assert_cmpint(order, <, nr_guest_order(nr_inventory_find(world->inventory, last->uuid)));

    nr_inventory_sync_guest(world->inventory, late, guests->pdata[3], NULL);
    g_assert_cmpint(nr_guest_order(nr_inventory_find(world->inventory, late)), ==, order);
    nr_inventory_release(world->inventory, first->uuid);
    world->changes = 0;
    nr_inventory_sync_guest(world->inventory, late, guests->pdata[3], NULL);
    g_assert_cmpuint(world->changes, ==, 0);
}

#define ADD(name, function) g_test_add("/inventory/" name, World, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("defined, announced, running, released", test_life);
    ADD("an announced guest survives a listing without it", test_announced_survives_listing);
    ADD("listed while it starts", test_listed_while_it_starts);
    ADD("starts without a hook", test_starts_without_a_hook);
    ADD("recalled", test_recalled);
    ADD("recalled and gone", test_recalled_and_gone);
    ADD("recalled order", test_recalled_order);
    ADD("a transient guest runs and ends", test_transient_runs_and_ends);
    ADD("a late listing does not bring it back", test_late_listing);
    ADD("a late listing of the start before", test_late_listing_of_the_start_before);
    ADD("announced anew", test_announced_anew);
    ADD("an id that is given again", test_id_given_again);
    ADD("a running guest that cannot be read", test_unread);
    ADD("a refused start", test_refused_start);
    ADD("the deadline", test_deadline);
    ADD("the deadline starts anew", test_deadline_starts_anew);
    ADD("the same news is no change", test_same_news_is_no_change);
    ADD("metadata that breaks while the guest runs", test_metadata_breaks);
    ADD("a start that no hook announced", test_hook_not_called);
    ADD("a hook that is called since", test_hook_called_since);
    ADD("the order of hooks", test_order_of_hooks);
    ADD("a snapshot", test_snapshot);
    return g_test_run();
}
