/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a manager notes of starts, and what the next one makes of it. */
#include "daemon/starts.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "xml/domain-xml.h"

#define UUID "00000000-0000-4000-8000-00000000000"

typedef struct {
    char *path;
    int fd;
    NrStarts *starts;
    GPtrArray *known; /* what was noted before */
} World;

static void set_up(World *world, gconstpointer data)
{
    world->path = g_dir_make_tmp("starts-XXXXXX", NULL);
    world->fd = open(world->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    world->starts = nr_starts_new(world->fd, &world->known);
    g_assert_cmpuint(world->known->len, ==, 0);
}

static void restart(World *world)
{
    nr_starts_free(world->starts);
    g_ptr_array_unref(world->known);
    world->starts = nr_starts_new(world->fd, &world->known);
}

static guint files(const World *world)
{
    g_autoptr(GDir) dir = g_dir_open(world->path, 0, NULL);
    guint count = 0;

    while (g_dir_read_name(dir))
        count++;
    return count;
}

static void tear_down(World *world, gconstpointer data)
{
    nr_starts_free(world->starts);
    g_ptr_array_unref(world->known);
    nr_starts_remove_all(world->fd);
    g_assert_cmpuint(files(world), ==, 0);
    close(world->fd);
    g_assert_cmpint(g_rmdir(world->path), ==, 0);
    g_free(world->path);
}

static NrGuest *guest_of(const char *xml, NrGuestState state, gint64 order)
{
    g_autoptr(NrGuest) read = nr_domain_xml_parse(xml, strlen(xml), NULL);
    NrGuest *guest = nr_guest_copy(read, state);

    guest->order = order;
    return guest;
}

static char *xml_of(int number)
{
    return g_strdup_printf("<domain id='%d'><name>vm%d</name><uuid>" UUID "%d</uuid>"
                           "<devices><interface type='client'><mac address='52:54:00:00:00:0%d'/>"
                           "<source address='127.0.0.1' port='7'/></interface></devices></domain>",
                           number, number, number, number);
}

static void note(World *world, int number, gint64 order)
{
    g_autofree char *xml = xml_of(number);
    g_autoptr(GBytes) bytes = g_bytes_new(xml, strlen(xml));
    g_autoptr(NrGuest) guest = guest_of(xml, NR_GUEST_ANNOUNCED, order);

    nr_starts_note(world->starts, guest, bytes);
}

/* What the manager knows of guest 1 now. */
static void become(World *world, NrGuestState state, gint64 order)
{
    g_autofree char *xml = xml_of(1);
    g_autoptr(NrGuest) guest = guest_of(xml, state, order);
    g_autoptr(GPtrArray) guests = g_ptr_array_new();

    g_ptr_array_add(guests, guest);
    nr_starts_keep(world->starts, guests);
}

static void test_noted(World *world, gconstpointer data)
{
    const NrGuest *guest;

    note(world, 1, 77);
    become(world, NR_GUEST_ANNOUNCED, 77);
    restart(world);
    g_assert_cmpuint(world->known->len, ==, 1);
    guest = world->known->pdata[0];
    g_assert_cmpstr(guest->uuid, ==, UUID "1");
    g_assert_cmpint(guest->id, ==, 1);
    g_assert_cmpint(guest->order, ==, 77);
    g_assert_cmpint(guest->state, ==, NR_GUEST_ANNOUNCED);
    g_assert_cmpuint(guest->nics->len, ==, 1);

    nr_starts_forget(world->starts, UUID "1");
    g_assert_true(nr_starts_is_empty(world->starts));
    g_assert_cmpuint(files(world), ==, 0);
}

/* One that runs needs no note, but where its place is not that of its id. */
static void test_running(World *world, gconstpointer data)
{
    note(world, 1, 0);
    become(world, NR_GUEST_RUNNING, 0);
    g_assert_cmpuint(files(world), ==, 0);

    note(world, 1, 77);
    become(world, NR_GUEST_RUNNING, 77);
    restart(world);
    g_assert_cmpuint(world->known->len, ==, 1);
    g_assert_cmpint(((NrGuest *)world->known->pdata[0])->state, ==, NR_GUEST_RUNNING);
    note(world, 1, 0); /* starts anew: one note for a guest */
    g_assert_cmpuint(files(world), ==, 1);
    become(world, NR_GUEST_DEFINED, 0);
    g_assert_cmpuint(files(world), ==, 0);
}

static void test_unknown_go(World *world, gconstpointer data)
{
    note(world, 1, 0);
    note(world, 2, 0);
    become(world, NR_GUEST_ANNOUNCED, 0);
    restart(world);
    g_assert_cmpuint(world->known->len, ==, 1);
}

static void plant(const World *world, const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(world->path, name, NULL);

    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

/* Of another boot, half written, with another guest's UUID, a link: gone. Others' files stay. */
static void test_planted(World *world, gconstpointer data)
{
    g_autofree char *xml = xml_of(1);
    g_autofree char *old = g_strdup_printf("another-boot\n0\n%s", xml);
    g_autofree char *path = g_build_filename(world->path, "starting-link", NULL);
    g_autofree char *other = g_build_filename(world->path, "stopped", NULL);

    plant(world, "starting-" UUID "1", old);
    plant(world, "starting-" UUID "2", "half");
    plant(world, "starting-new", "");
    g_assert_cmpint(symlink("/etc/passwd", path), ==, 0);
    plant(world, "stopped", "not ours");
    restart(world);
    g_assert_cmpuint(world->known->len, ==, 0);
    g_assert_cmpuint(files(world), ==, 1);

    note(world, 1, 0);
    g_assert_cmpint(renameat(world->fd, "starting-" UUID "1", world->fd, "starting-" UUID "3"), ==,
                    0);
    restart(world);
    g_assert_cmpuint(world->known->len, ==, 0);
    g_assert_cmpint(g_unlink(other), ==, 0);
}

#define ADD(name, function) g_test_add("/starts/" name, World, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("noted", test_noted);
    ADD("running", test_running);
    ADD("unknown ones go", test_unknown_go);
    ADD("planted", test_planted);
    return g_test_run();
}
