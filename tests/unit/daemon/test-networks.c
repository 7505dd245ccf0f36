/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A folder of network files: what is good counts, what is not is explained and harms nobody. */
#include "daemon/networks.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "model-fixture.h"

#include "xml/network-xml.h"
#include "xml/user-network.h"

typedef struct {
    char *directory;
    NrNetworks *networks; /* of the last load */
} World;

static void set_up(World *world, gconstpointer data)
{
    world->directory = g_dir_make_tmp("netrelay-networks-XXXXXX", NULL);
    world->networks = NULL;
}

static void tear_down(World *world, gconstpointer data)
{
    fixture_remove_tree(world->directory);
    g_free(world->directory);
    nr_networks_free(world->networks);
}

static char *path_of(World *world, const char *name)
{
    return g_build_filename(world->directory, name, NULL);
}

static void write_file(World *world, const char *name, const char *text)
{
    g_autofree char *path = path_of(world, name);

    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    g_assert_cmpint(g_chmod(path, 0644), ==, 0);
}

static void write_network(World *world, const char *file, const char *name, const char *rest)
{
    g_autofree char *text = g_strdup_printf("<network><name>%s</name>%s</network>", name, rest);

    write_file(world, file, text);
}

/* Loads, and compares the networks' names and the faults: for each a line of words it has. */
static void expect(World *world, const char *names, const char *faults)
{
    NrNetworks *networks = nr_networks_load(world->directory, getuid(), world->networks);
    g_auto(GStrv) lines = g_strsplit(faults, "\n", -1);
    g_autoptr(GString) seen = g_string_new(NULL);

    for (guint i = 0; i < networks->networks->len; i++) {
        const NrNetwork *network = g_ptr_array_index(networks->networks, i);

        g_string_append_printf(seen, "%s%s", i ? " " : "", network->name);
        g_assert_true(g_str_has_prefix(network->file, world->directory));
    }
    g_assert_cmpstr(seen->str, ==, names);
    g_assert_cmpuint(networks->faults->len, ==, *faults ? g_strv_length(lines) : 0);
    for (guint i = 0; i < networks->faults->len; i++) {
        const char *fault = g_ptr_array_index(networks->faults, i);
        g_auto(GStrv) words = g_strsplit(lines[i], "|", -1);

        g_test_message("%s", fault);
        for (char **word = words; *word; word++)
            g_assert_nonnull(strstr(fault, *word));
    }
    nr_networks_free(world->networks);
    world->networks = networks;
}

static void test_missing(World *world, gconstpointer data)
{
    g_assert_cmpint(g_rmdir(world->directory), ==, 0);
    expect(world, "", "");
}

static void test_good_ones(World *world, gconstpointer data)
{
    write_network(world, "b.xml", "alpha", "<listen address='127.0.0.1' port='1'/>");
    write_network(world, "a.xml", "beta", "<listen address='127.0.0.1' port='2'/>");
    write_network(world, "notes.txt", "gamma", "");
    write_network(world, ".hidden.xml", "delta", "");
    expect(world, "alpha beta", "");
}

static void test_broken_beside_good(World *world, gconstpointer data)
{
    write_network(world, "good.xml", "good", "<listen port='1'/>");
    write_file(world, "bad.xml", "<network><name>bad</name>\n<lisen port='2'/></network>");
    write_file(world, "worse.xml", "<network><name>worse");
    write_file(world, "empty.xml", "");
    expect(world, "good", "bad.xml|2|lisen\nempty.xml\nworse.xml");
}

/* What runs goes on as it was. */
static void test_previous_kept(World *world, gconstpointer data)
{
    const NrNetwork *lab;

    write_file(world, "lab.xml",
               "<network pin='yes'><name>lab</name>"
               "<listen address='127.0.0.1' port='1'/><udp address='127.0.0.1' port='2'/>"
               "<bridge name='br0'/><peer address='hostb' port='5'/>"
               "<match domain='web-*' address='127.0.0.1' port='3-4'/></network>");
    expect(world, "lab", "");
    write_file(world, "lab.xml", "<network><name>lab</name><broken></network>");
    expect(world, "lab", "lab.xml|stays as it was");
    expect(world, "lab", "lab.xml|stays as it was");
    lab = g_ptr_array_index(world->networks->networks, 0);
    g_assert_cmpint(((NrAddress *)g_ptr_array_index(lab->listens, 0))->l4_port, ==, 1);
    g_assert_cmpint(((NrAddress *)g_ptr_array_index(lab->udps, 0))->l4_port, ==, 2);
    g_assert_cmpint(((NrAddress *)g_ptr_array_index(lab->peers, 0))->l4_port, ==, 5);
    g_assert_cmpint(lab->pin, ==, NR_PIN_YES);
    g_assert_cmpstr(((NrMatch *)g_ptr_array_index(lab->matches, 0))->domain, ==, "web-*");
    g_assert_cmpint(((NrMatch *)g_ptr_array_index(lab->matches, 0))->port_high, ==, 4);
    g_assert_cmpstr(lab->bridge, ==, "br0");

    write_network(world, "lab.xml", "lab", "<listen address='127.0.0.1' port='9'/>");
    expect(world, "lab", "");
    write_network(world, "lab.xml", "renamed", "<listen address='127.0.0.1' port='9'/>");
    expect(world, "renamed", "");
    g_autofree char *path = path_of(world, "lab.xml");
    g_unlink(path);
    expect(world, "", "");
}

/* So does what guests of user mode have: addresses, names, ports. */
static void test_way_out_kept(World *world, gconstpointer data)
{
    g_autofree char *before = NULL, *after = NULL;

    write_network(world, "lab.xml", "lab",
                  "<forward mode='user'><portForward proto='tcp' to='10.0.0.20'>"
                  "<range start='1'/><range start='5' end='6' to='7'/></portForward></forward>"
                  "<ip address='10.0.0.1' prefix='8'/><ip address='fd00::1' prefix='64'/>"
                  "<domain name='lab.example'/>");
    expect(world, "lab", "");
    before = nr_user_network_options(g_ptr_array_index(world->networks->networks, 0));
    write_file(world, "lab.xml", "<network>");
    expect(world, "lab", "lab.xml|stays as it was");
    after = nr_user_network_options(g_ptr_array_index(world->networks->networks, 0));
    g_assert_cmpstr(after, ==, before);
    g_assert_nonnull(strstr(after, "domainname=lab.example,hostfwd=tcp::1-10.0.0.20:1,"
                                   "hostfwd=tcp::5-10.0.0.20:7,hostfwd=tcp::6-10.0.0.20:8"));
}

static void test_name_twice(World *world, gconstpointer data)
{
    write_network(world, "a.xml", "lab", "<listen address='127.0.0.1' port='1'/>");
    write_network(world, "b.xml", "lab", "<listen address='127.0.0.1' port='2'/>");
    expect(world, "lab", "b.xml|the name lab|a.xml");
    g_assert_cmpint(
        ((NrAddress *)g_ptr_array_index(
             ((NrNetwork *)g_ptr_array_index(world->networks->networks, 0))->listens, 0))
            ->l4_port,
        ==, 1);
}

static void test_address_twice(World *world, gconstpointer data)
{
    write_network(world, "a.xml", "a", "<listen address='127.0.0.1' port='1'/>");
    write_network(world, "b.xml", "b", "<listen port='1'/>");
    write_network(world, "c.xml", "c", "<udp address='127.0.0.1' port='1'/>");
    write_network(world, "d.xml", "d", "<udp address='127.0.0.1' port='1'/>");
    write_network(world, "e.xml", "e", "<listen address='Host.example' port='1'/>");
    write_network(world, "f.xml", "f", "<listen address='host.example' port='1'/>");
    write_network(world, "g.xml", "g", "<listen address='host.example' port='2'/>");
    write_network(world, "h.xml", "h", "<multicast address='230.0.0.1' port='1'/>");
    write_network(world, "i.xml", "i", "<multicast address='230.0.0.1' port='1' dev='lo'/>");
    write_network(world, "j.xml", "j", "<multicast address='230.0.0.1' port='2'/>");
    expect(world, "a c e g h j",
           "b.xml|<listen>|*:1|network a in a.xml\nd.xml|<udp>|network c in c.xml\n"
           "f.xml|network e in e.xml\ni.xml|<multicast>|network h in h.xml");
}

/* A file that is added takes no name and no address from a network that is there, whatever the
 * order of their names, and be it one that is only kept. */
static void test_newcomer_takes_nothing(World *world, gconstpointer data)
{
    const NrNetwork *lab;

    write_network(world, "b.xml", "lab", "<listen port='1'/>");
    expect(world, "lab", "");
    write_network(world, "a.xml", "lab", "<listen port='2'/>");
    expect(world, "lab", "a.xml|the name lab|b.xml");
    write_network(world, "a.xml", "other", "<listen port='1'/>");
    expect(world, "lab", "a.xml|<listen>|network lab in b.xml");
    write_file(world, "b.xml", "<");
    expect(world, "lab", "b.xml|stays as it was\na.xml|network lab in b.xml");
    lab = g_ptr_array_index(world->networks->networks, 0);
    g_assert_cmpint(((NrAddress *)g_ptr_array_index(lab->listens, 0))->l4_port, ==, 1);
}

static void test_others_may_write(World *world, gconstpointer data)
{
    static const mode_t modes[] = { 0646, 0664, 0666 };
    g_autofree char *path = path_of(world, "lab.xml");

    for (guint i = 0; i < G_N_ELEMENTS(modes); i++) {
        write_network(world, "lab.xml", "lab", "<listen port='1'/>");
        g_assert_cmpint(g_chmod(path, modes[i]), ==, 0);
        expect(world, "", "lab.xml|others may write|chmod");
    }
    g_assert_cmpint(g_chmod(path, 0600), ==, 0);
    expect(world, "lab", "");
}

static void test_others_own(World *world, gconstpointer data)
{
    g_autofree char *path = path_of(world, "lab.xml");

    if (getuid() != 0) {
        g_test_skip("only root can give files away");
        return;
    }
    write_network(world, "lab.xml", "lab", "<listen port='1'/>");
    g_assert_cmpint(chown(path, 12345, 0), ==, 0);
    expect(world, "", "lab.xml|another user|chown");
    nr_networks_free(world->networks);
    world->networks = nr_networks_load(world->directory, 12345, NULL);
    g_assert_cmpuint(world->networks->networks->len, ==, 1);
}

static void test_not_regular(World *world, gconstpointer data)
{
    g_autofree char *fifo = path_of(world, "fifo.xml");
    g_autofree char *folder = path_of(world, "folder.xml");
    g_autofree char *link = path_of(world, "link.xml");
    g_autofree char *gone = path_of(world, "gone.xml");
    g_autofree char *target = path_of(world, "target");

    write_network(world, "target", "lab", "<listen port='1'/>");
    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    g_assert_cmpint(g_mkdir(folder, 0700), ==, 0);
    g_assert_cmpint(symlink(target, link), ==, 0);
    g_assert_cmpint(symlink("nothing", gone), ==, 0);
    expect(world, "",
           "fifo.xml|regular\nfolder.xml|regular\ngone.xml|symbolic link\n"
           "link.xml|symbolic link");
}

static void test_large(World *world, gconstpointer data)
{
    g_autofree char *blanks = g_strnfill(1024 * 1024, ' ');

    write_network(world, "large.xml", "large", blanks);
    expect(world, "", "large.xml|larger");
}

static void test_strange_file_name(World *world, gconstpointer data)
{
    write_file(world, "a\n\x1b[2J%s.xml", "<");
    write_network(world, "b.xml", "lab", "");
    nr_networks_free(world->networks);
    world->networks = nr_networks_load(world->directory, getuid(), NULL);
    g_assert_cmpuint(world->networks->faults->len, ==, 1);
    for (const char *c = g_ptr_array_index(world->networks->faults, 0); *c; c++)
        g_assert_true((guchar)*c >= ' ');
}

#define ADD(name, function) g_test_add("/networks/" name, World, NULL, set_up, function, tear_down)

/* --- one that is to come */

static gboolean check(World *world, const char *file, const char *name, const char *address)
{
    g_autoptr(NrNetworks) networks = nr_networks_load(world->directory, getuid(), NULL);
    g_autofree char *path = path_of(world, file);
    g_autofree char *text = g_strdup_printf(
        "<network><name>%s</name><listen address='%s' port='1000'/></network>", name, address);
    g_autoptr(GError) error = NULL;
    g_autoptr(NrNetwork) network = nr_network_xml_parse(text, strlen(text), file, NULL);
    gboolean good;

    g_free(network->file);
    network->file = g_steal_pointer(&path);
    good = nr_networks_check(networks, network, &error);
    g_assert_true(good == !error);
    return good;
}

static void test_check(World *world, gconstpointer data)
{
    write_network(world, "a.xml", "alpha", "<listen address='10.0.0.1' port='1000'/>");
    write_network(world, "b.xml", "beta", "<listen address='localhost' port='1000'/>");
    g_assert_true(check(world, "c.xml", "gamma", "10.0.0.2"));
    g_assert_false(check(world, "c.xml", "gamma", "10.0.0.1"));
    g_assert_false(check(world, "c.xml", "gamma", "localhost"));
    g_assert_false(check(world, "c.xml", "alpha", "10.0.0.2"));
    /* In its own place it stands in nobody's way. */
    g_assert_true(check(world, "a.xml", "alpha", "10.0.0.1"));
    g_assert_true(check(world, "a.xml", "gamma", "10.0.0.1"));
    g_assert_false(check(world, "a.xml", "beta", "10.0.0.1"));
}

/* What was read by command is not news once the folder tells of it. */
static void test_stamp(World *world, gconstpointer data)
{
    g_autofree char *before = NULL;

    write_network(world, "a.xml", "alpha", "");
    expect(world, "alpha", "");
    before = g_strdup(world->networks->stamp);
    g_assert_nonnull(before);
    write_network(world, "notes.txt", "gamma", "");
    expect(world, "alpha", "");
    g_assert_cmpstr(world->networks->stamp, ==, before);
    write_network(world, "a.xml", "alpha", "<listen port='1'/>");
    expect(world, "alpha", "");
    g_assert_cmpstr(world->networks->stamp, !=, before);
}

/* An editor may write into the same file, and change not even its size. The kernel's time, which
 * tells of it, goes in steps. */
static void test_stamp_of_one_file(World *world, gconstpointer data)
{
    gint64 end = g_get_monotonic_time() + 10 * G_TIME_SPAN_SECOND;
    g_autofree char *path = path_of(world, "a.xml");
    g_autofree char *before = NULL;

    write_network(world, "a.xml", "alpha", "");
    expect(world, "alpha", "");
    before = g_strdup(world->networks->stamp);
    do {
        FILE *file = g_fopen(path, "r+");

        g_assert_nonnull(file);
        g_assert_cmpint(fputs("<network><name>omega", file), >=, 0);
        fclose(file);
        expect(world, "omega", "");
    } while (g_str_equal(world->networks->stamp, before) && g_get_monotonic_time() < end);
    g_assert_cmpstr(world->networks->stamp, !=, before);
}

/* A folder that cannot be read says nothing of the networks that were in it. */
static void test_no_folder(World *world, gconstpointer data)
{
    write_network(world, "a.xml", "alpha", "");
    expect(world, "alpha", "");
    fixture_remove_tree(world->directory);
    g_assert_true(g_file_set_contents(world->directory, "", -1, NULL));
    expect(world, "alpha", "directory");
    g_assert_cmpint(g_remove(world->directory), ==, 0);
}

/* Names only: they are written one a line. */
static void test_manual(World *world, gconstpointer data)
{
    g_autofree char *folder = path_of(world, NR_NETWORKS_MANUAL);
    g_autoptr(GHashTable) names = NULL;

    g_assert_cmpint(g_mkdir(folder, 0755), ==, 0);
    write_file(world, NR_NETWORKS_MANUAL "/alpha", "");
    write_file(world, NR_NETWORKS_MANUAL "/be\nta", "");
    names = nr_networks_manual(world->directory);
    g_assert_cmpuint(g_hash_table_size(names), ==, 1);
    g_assert_true(g_hash_table_contains(names, "alpha"));
    fixture_remove_tree(folder);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("a missing folder is empty", test_missing);
    ADD("good files, by name", test_good_ones);
    ADD("broken files beside a good one", test_broken_beside_good);
    ADD("a file that became bad leaves its network", test_previous_kept);
    ADD("a file that became bad leaves its way out", test_way_out_kept);
    ADD("a name twice", test_name_twice);
    ADD("an address twice", test_address_twice);
    ADD("a newcomer takes nothing", test_newcomer_takes_nothing);
    ADD("files that others may write", test_others_may_write);
    ADD("files of others", test_others_own);
    ADD("what is not a regular file", test_not_regular);
    ADD("a large file", test_large);
    ADD("a strange file name", test_strange_file_name);
    ADD("one that is to come", test_check);
    ADD("whether a file has changed", test_stamp);
    ADD("whether something in a file has changed", test_stamp_of_one_file);
    ADD("a folder that is none", test_no_folder);
    ADD("what does not autostart", test_manual);
    return g_test_run();
}
