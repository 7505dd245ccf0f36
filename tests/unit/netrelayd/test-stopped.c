/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which networks a person has stopped: through restarts, boots, changed files and a full disk. */
#include "daemon/stopped.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>
#include "model-fixture.h"

typedef struct {
    char *folder;        /* of both */
    char *files, *state; /* network files; the runtime directory */
    int dir_fd;          /* of `state` */
    NrNetworks *networks;
    NrStopped *stopped;
} World;

static void write_text(const char *folder, const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);

    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    g_assert_cmpint(g_chmod(path, 0644), ==, 0);
}

static void write_network(const World *world, const char *name)
{
    g_autofree char *file = g_strconcat(name, ".xml", NULL);
    g_autofree char *text = g_strdup_printf("<network><name>%s</name></network>", name);

    write_text(world->files, file, text);
}

static void set_up(World *world, gconstpointer data)
{
    g_autofree char *manual = NULL;

    world->folder = g_dir_make_tmp("netrelay-stopped-XXXXXX", NULL);
    world->files = g_build_filename(world->folder, "networks", NULL);
    world->state = g_build_filename(world->folder, "state", NULL);
    manual = g_build_filename(world->files, NR_NETWORKS_MANUAL, NULL);
    g_assert_cmpint(g_mkdir_with_parents(manual, 0755), ==, 0);
    g_assert_cmpint(g_mkdir(world->state, 0755), ==, 0);
    world->dir_fd = open(world->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    write_network(world, "lab");
    write_network(world, "office");
}

static void tear_down(World *world, gconstpointer data)
{
    nr_stopped_free(world->stopped);
    nr_networks_free(world->networks);
    close(world->dir_fd);
    fixture_remove_tree(world->folder);
    g_free(world->folder);
    g_free(world->files);
    g_free(world->state);
}

/* The files are read anew, and marked. */
static void load(World *world)
{
    nr_networks_free(world->networks);
    world->networks = nr_networks_load(world->files, geteuid(), NULL);
    nr_stopped_apply(world->stopped, world->networks);
}

/* Another manager begins. */
static void start(World *world, gboolean first)
{
    nr_stopped_free(world->stopped);
    world->stopped = nr_stopped_new(world->dir_fd, world->files, first);
    load(world);
}

static NrNetwork *find(const World *world, const char *name)
{
    for (guint i = 0; i < world->networks->networks->len; i++) {
        NrNetwork *network = world->networks->networks->pdata[i];

        if (g_str_equal(network->name, name))
            return network;
    }
    g_assert_not_reached();
}

static void set(World *world, const char *name, gboolean stopped)
{
    g_assert_cmpint(nr_stopped_set(world->stopped, find(world, name), stopped), ==, 0);
}

static void expect(const World *world, gboolean lab, gboolean office)
{
    g_assert_cmpint(find(world, "lab")->stopped, ==, lab);
    g_assert_cmpint(find(world, "office")->stopped, ==, office);
}

static gboolean has(const World *world, const char *name)
{
    return faccessat(world->dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* It stays so with other managers, until it is started; then nothing of it is left. */
static void test_restart(World *world, gconstpointer data)
{
    start(world, TRUE);
    g_assert_false(has(world, NR_STOPPED_FILE));
    write_text(world->state, NR_STOPPED_FILE ".new", "of one who was killed");
    set(world, "lab", TRUE);
    expect(world, TRUE, FALSE);
    start(world, FALSE);
    expect(world, TRUE, FALSE);
    set(world, "lab", FALSE);
    g_assert_false(has(world, NR_STOPPED_FILE));
    g_assert_false(has(world, NR_STOPPED_FILE ".new"));
    start(world, FALSE);
    expect(world, FALSE, FALSE);
}

/* What does not autostart is stopped at the boot, and not by a manager that is restarted. */
static void test_boot(World *world, gconstpointer data)
{
    write_text(world->files, NR_NETWORKS_MANUAL "/office", "");
    start(world, FALSE);
    expect(world, FALSE, FALSE);
    g_assert_cmpint(unlinkat(world->dir_fd, NR_STOPPED_FILE, 0), ==, 0);
    start(world, TRUE);
    expect(world, FALSE, TRUE);
    set(world, "office", FALSE);
    g_assert_true(has(world, NR_STOPPED_FILE));
    start(world, TRUE);
    expect(world, FALSE, FALSE);
    write_text(world->state, NR_STOPPED_FILE, "another boot\nlab\n");
    start(world, FALSE);
    expect(world, FALSE, TRUE);
}

/* Another network of that name is another network, unless its file is only faulty for a while. */
static void test_gone(World *world, gconstpointer data)
{
    start(world, TRUE);
    set(world, "lab", TRUE);
    write_text(world->files, "lab.xml", "<network");
    load(world);
    write_network(world, "lab");
    load(world);
    expect(world, TRUE, FALSE);
    write_text(world->files, "lab.xml", "<network><name>other</name></network>");
    load(world);
    write_network(world, "lab");
    load(world);
    expect(world, FALSE, FALSE);
}

/* What the next manager would not know is not so. */
static void test_cannot_be_noted(World *world, gconstpointer data)
{
    start(world, TRUE);
    set(world, "lab", TRUE);
    fixture_remove_tree(world->state);
    g_assert_cmpint(nr_stopped_set(world->stopped, find(world, "office"), TRUE), ==, -ENOENT);
    expect(world, TRUE, FALSE);
    g_assert_cmpint(nr_stopped_set(world->stopped, find(world, "office"), TRUE), ==, -ENOENT);
    expect(world, TRUE, FALSE);
}

/* The runtime directory is made anew under the manager: what it knows is noted there again. */
static void test_noted_again(World *world, gconstpointer data)
{
    start(world, TRUE);
    set(world, "office", TRUE);
    g_assert_cmpint(unlinkat(world->dir_fd, NR_STOPPED_FILE, 0), ==, 0);
    load(world);
    start(world, FALSE);
    expect(world, FALSE, TRUE);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(World *world, gconstpointer data);
    } tests[] = {
        { "/stopped/restart", test_restart },
        { "/stopped/boot", test_boot },
        { "/stopped/gone", test_gone },
        { "/stopped/cannot-be-noted", test_cannot_be_noted },
        { "/stopped/noted-again", test_noted_again },
    };

    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].name, World, NULL, set_up, tests[i].run, tear_down);
    return g_test_run();
}
