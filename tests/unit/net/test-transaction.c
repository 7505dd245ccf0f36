/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changes of the kernel, their journal, and what a SIGKILL at any moment leaves of both. */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "changes.h"
#include "common/scope.h"
#include "netns.h"

static int dir_fd = -1;

/* The changes of a network with a bridge of its own, and of one whose bridge was there. */
static const char *const own_bridge[] = { "bridge virbr9", "address virbr9 192.168.9.1/24",
                                          "address virbr9 fd99:9999::1/64", NULL };
static const char *const foreign_bridge[] = { "bridge br0", "address br0 10.0.0.2/24",
                                              "address br0 10.1.0.1/16", "address br0 fd00::2/64",
                                              NULL };

static void setup(void)
{
    netns_link_add("br0", "bridge");
    netns_link_mac("br0", "02:00:00:00:00:01");
    netns_address_add("br0", "10.0.0.1/24");
    netns_address_add("br0", "fd00::1/64");
}

static void teardown(void)
{
    netns_link_del("br0");
}

/* --- the pure core */

static void test_rules(void)
{
    static const struct {
        const char *before, *ours, *now;
        bool done;
        enum transaction_step finish, undo;
    } rows[] = {
        { "", "a", "", false, TRANSACTION_PUT, TRANSACTION_LEAVE },     /* not made yet */
        { "", "a", "a", false, TRANSACTION_PUT, TRANSACTION_PUT },      /* made, maybe half */
        { "", "a", "b", false, TRANSACTION_LEAVE, TRANSACTION_LEAVE },  /* somebody was faster */
        { "", "a", "a", true, TRANSACTION_LEAVE, TRANSACTION_PUT },     /* as it should be */
        { "", "a", "", true, TRANSACTION_LEAVE, TRANSACTION_LEAVE },    /* somebody took it away */
        { "", "a", "b", true, TRANSACTION_LEAVE, TRANSACTION_LEAVE },   /* ... and put his own */
        { "a", "a", "a", false, TRANSACTION_LEAVE, TRANSACTION_LEAVE }, /* was there before us */
        { "a", "a", "a", true, TRANSACTION_LEAVE, TRANSACTION_LEAVE },
        { "0", "1", "1", true, TRANSACTION_LEAVE, TRANSACTION_PUT }, /* a setting */
        { "0", "1", "0", true, TRANSACTION_LEAVE, TRANSACTION_LEAVE },
        { "0", "1", "2", true, TRANSACTION_LEAVE, TRANSACTION_LEAVE },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct journal_record record = { .done = rows[i].done };

        strcpy(record.before, rows[i].before);
        strcpy(record.ours, rows[i].ours);
        g_assert_cmpint(transaction_to_finish(&record, rows[i].now), ==, rows[i].finish);
        g_assert_cmpint(transaction_to_undo(&record, rows[i].now), ==, rows[i].undo);
    }
}

/* --- laying and lifting */

static void check_round(const char *const *texts, const char *device)
{
    g_autofree char *before = changes_host_text(), *between = NULL, *after = NULL;

    changes_lay_anew(texts);
    changes_lay_anew(texts); /* once more is no fault */
    between = changes_host_text();
    g_assert_cmpstr(between, !=, before);
    g_assert_true(netns_link(device).up);
    for (size_t i = 1; texts[i]; i++) {
        g_autofree char *needle = g_strdup_printf(" %s ", strrchr(texts[i], ' ') + 1);

        g_assert_nonnull(strstr(between, needle));
    }
    changes_lift_anew();
    after = changes_host_text();
    changes_assert_same(after, before);
}

static void test_round(void)
{
    setup();
    check_round(own_bridge, "virbr9");
    check_round(foreign_bridge, "br0");
    teardown();
}

static void test_bridge_is_safe(void)
{
    struct mac mac;

    changes_lay_anew(own_bridge);
    mac = netns_link("virbr9").mac;
    g_assert_cmphex(mac.b[0], ==, 0x52);
    g_assert_cmpint(system("test $(cat /proc/sys/net/ipv6/conf/virbr9/accept_ra) = 0"), ==, 0);
    g_assert_cmpint(system("test $(cat /proc/sys/net/ipv6/conf/virbr9/autoconf) = 0"), ==, 0);
    changes_lift_anew();
    changes_lay_anew(own_bridge);             /* guests that know it find it again */
    if (access("/etc/machine-id", R_OK) == 0) /* as where packages are built it is not */
        g_assert_true(mac_equal(netns_link("virbr9").mac, mac));
    changes_lift_anew();
}

/* --- failures */

static void test_rolled_back(void)
{
    static const char *const texts[] = { "bridge virbr9", "address virbr9 192.168.9.1/24",
                                         "address virbr9 fd01::7/64", NULL };
    _cleanup_(freep) struct journal *journal = NULL;
    g_autofree char *before = NULL, *after = NULL;

    setup();
    before = changes_host_text();
    journal = changes_reopen();
    /* A bridge of our own without IPv6 cannot have such an address. */
    g_assert_cmpint(system("echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6"), ==, 0);
    g_assert_cmpint(changes_lay(journal, texts), <, 0);
    g_assert_cmpint(system("echo 0 > /proc/sys/net/ipv6/conf/default/disable_ipv6"), ==, 0);
    g_assert_cmpuint(journal->count, ==, 0);
    after = changes_host_text();
    changes_assert_same(after, before);
    g_assert_cmpint(changes_lay(journal, texts), ==, 0);
    changes_lift_all(journal);
    teardown();
}

static void test_not_a_bridge(void)
{
    static const char *const texts[] = { "bridge v0", "address v0 10.9.0.1/24", NULL };
    _cleanup_(freep) struct journal *journal = changes_reopen();

    netns_link_add("v0", "veth");
    g_assert_cmpint(changes_lay(journal, texts), ==, -ENOTSUP);
    g_assert_cmpuint(journal->count, ==, 0);
    netns_link_del("v0");
}

static void test_bad_name(void)
{
    static const char *const texts[] = { "bridge br%d", NULL };
    _cleanup_(freep) struct journal *journal = changes_reopen();
    unsigned count = netns_link_count();

    g_assert_cmpint(changes_lay(journal, texts), ==, -EINVAL);
    g_assert_cmpuint(netns_link_count(), ==, count);
}

/* Its subnet, whatever the address. */
static void test_subnet_elsewhere(void)
{
    static const char *const taken[] = { "bridge virbr9", "address virbr9 10.0.0.77/24", NULL };
    static const char *const taken6[] = { "bridge virbr9", "address virbr9 fd00::77/64", NULL };
    static const char *const wider[] = { "bridge virbr9", "address virbr9 10.0.7.1/8", NULL };
    static const char *const free4[] = { "bridge virbr9", "address virbr9 10.0.1.1/24", NULL };
    static const char *const own[] = { "bridge virbr9", "address virbr9 fe80::1/64", NULL };
    _cleanup_(freep) struct journal *journal = changes_reopen();

    setup();
    g_assert_cmpint(changes_lay(journal, taken), ==, -EADDRINUSE);
    g_assert_cmpint(changes_lay(journal, taken6), ==, -EADDRINUSE);
    g_assert_cmpint(changes_lay(journal, wider), ==, -EADDRINUSE);
    g_assert_cmpuint(journal->count, ==, 0);
    g_assert_cmpint(changes_lay(journal, free4), ==, 0);
    g_assert_cmpint(changes_lay(journal, own), ==, 0);
    changes_lift_all(journal);
    teardown();
}

/* A journal that cannot be written changes nothing. */
static void test_no_journal(void)
{
    _cleanup_(freep) struct journal *journal = changes_reopen();
    _cleanup_(closep) int nowhere = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    journal->dir_fd = nowhere;
    g_assert_cmpint(changes_lay(journal, own_bridge), <, 0);
    g_assert_cmpuint(journal->count, ==, 0);
    g_assert_false(netns_link_exists("virbr9"));
}

/* What could not be struck from the file, on a full disk, say, is made again where it is wanted. */
static void test_no_room(void)
{
    const struct rlimit none = { 0, RLIM_INFINITY }, any = { RLIM_INFINITY, RLIM_INFINITY };
    const struct host_change address = { HOST_ADDRESS, "virbr9", "192.168.9.1/24" };
    _cleanup_(freep) struct journal *journal = changes_reopen();
    g_autofree char *before = changes_host_text();
    g_autofree char *after = NULL;

    g_assert_cmpint(changes_lay(journal, own_bridge), ==, 0);
    g_assert_true(journal_find(journal, &address)->done);
    (void)signal(SIGXFSZ, SIG_IGN);
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &none), ==, 0);
    g_assert_cmpint(transaction_lift(journal, &address), ==, -EFBIG);
    g_assert_false(journal_find(journal, &address)->done);
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &any), ==, 0);
    g_assert_cmpint(changes_lay(journal, own_bridge), ==, 0);
    g_assert_cmpint(system("ip -o addr show virbr9 | grep -q 192.168.9.1/24"), ==, 0);
    changes_lift_anew();
    after = changes_host_text();
    changes_assert_same(after, before);
}

/* --- others */

static void test_others_changes_stay(void)
{
    g_autofree char *mine = NULL, *after = NULL;

    setup();
    mine = changes_host_text();
    changes_lay_anew(foreign_bridge);
    netns_address_add("br0", "10.1.0.9/16"); /* secondary to one of ours */
    g_assert_cmpint(system("ip addr del fd00::2/64 dev br0"), ==, 0);
    changes_lay_anew(foreign_bridge); /* what somebody has taken away stays away */
    g_assert_cmpint(system("ip -o addr show br0 | grep -q fd00::2/"), !=, 0);
    changes_lift_anew();
    g_assert_cmpint(system("ip -o addr show br0 | grep -q 10.1.0.9/16"), ==, 0);
    g_assert_cmpint(system("ip addr del 10.1.0.9/16 dev br0"), ==, 0);
    after = changes_host_text();
    changes_assert_same(after, mine);
    teardown();
}

static void test_bridge_of_others(void)
{
    static const char *const bridge[] = { "bridge virbr9", NULL };

    changes_lay_anew(bridge);
    netns_link_del("virbr9");
    netns_link_add("virbr9", "bridge"); /* another one, with an address of its own */
    changes_lift_anew();
    g_assert_true(netns_link_exists("virbr9"));
    netns_link_del("virbr9");
}

static void test_bridge_in_use(void)
{
    struct host_change bridge = { .kind = HOST_BRIDGE, .device = "virbr9" };
    _cleanup_(freep) struct journal *journal = changes_reopen();

    g_assert_cmpint(changes_lay(journal, own_bridge), ==, 0);
    netns_link_add("v0", "veth");
    netns_enslave("v0", "virbr9");
    g_assert_cmpint(transaction_lift(journal, &bridge), ==, -EBUSY);
    g_assert_nonnull(journal_find(journal, &bridge));
    netns_link_del("v0");
    changes_lift_all(journal);
    g_assert_false(netns_link_exists("virbr9"));
}

/* --- the file */

static void write_journal(const char *text)
{
    _cleanup_(closep) int fd =
        openat(dir_fd, JOURNAL_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    g_assert_cmpint(write(fd, text, strlen(text)), ==, (ssize_t)strlen(text));
}

static void test_file_is_read(void)
{
    _cleanup_(freep) struct journal *one = changes_reopen(), *two = NULL;

    g_assert_cmpint(changes_lay(one, own_bridge), ==, 0);
    two = changes_reopen();
    g_assert_cmpmem(one->records, one->count * sizeof(one->records[0]), two->records,
                    two->count * sizeof(two->records[0]));
    g_assert_cmpuint(two->count, ==, 3);
    g_assert_cmpstr(two->records[0].owner, ==, "lab");
    changes_lift_all(two);
}

static void test_file_of_another_boot(void)
{
    _cleanup_(freep) struct journal *journal = NULL;

    write_journal("netrelay-kernel-changes 1\n00000000-0000-0000-0000-000000000000\n"
                  "done\tlab\t\tset\taddress lo 127.0.0.1/8\n");
    journal = changes_reopen();
    g_assert_cmpuint(journal->count, ==, 0);
    g_assert_cmpint(unlinkat(dir_fd, JOURNAL_FILE, 0), ==, 0);
}

static void test_file_is_bad(void)
{
    g_autofree char *boot = NULL;
    static const char *const lines[] = {
        "done\tlab\t\t\n",        "maybe\tlab\t\t\tbridge br0\n",   "done\tlab\t\t\tbridge br0",
        "done\tlab\t\t\tx br0\n", "done\tlab\t\t\tbridge br0\tx\n", "\n"
    };

    g_assert_true(g_file_get_contents("/proc/sys/kernel/random/boot_id", &boot, NULL, NULL));
    for (size_t i = 0; i < G_N_ELEMENTS(lines) + 2; i++) {
        g_autofree char *text =
            i < G_N_ELEMENTS(lines)
                ? g_strdup_printf("netrelay-kernel-changes 1\n%s%s", boot, lines[i])
                : g_strdup(i % 2 ? "" : "netrelay-kernel-changes 2\nboot\n");
        _cleanup_(freep) struct journal *journal = NULL;

        write_journal(text);
        g_assert_cmpint(journal_open(dir_fd, &journal), ==, -EBADMSG);
        g_assert_cmpuint(journal->count, ==, 0);
        g_assert_cmpint(unlinkat(dir_fd, JOURNAL_FILE ".bad", 0), ==, 0);
    }
}

static void test_file_is_bounded(void)
{
    _cleanup_(freep) struct journal *journal = changes_reopen();
    struct journal_record record = { .change = { .kind = HOST_BRIDGE, .device = "none" } };

    while (journal->count < JOURNAL_MAX)
        g_assert_nonnull(journal_add(journal, &record));
    g_assert_null(journal_add(journal, &record));
    g_assert_cmpint(changes_lay(journal, own_bridge), ==, -ENOSPC);
    g_assert_false(netns_link_exists("virbr9"));
    g_assert_cmpint(journal_write(journal), ==, 0);
    free(journal);
    journal = changes_reopen();
    g_assert_cmpuint(journal->count, ==, JOURNAL_MAX);
    journal->count = 0;
    g_assert_cmpint(journal_write(journal), ==, 0);
}

/* --- SIGKILL */

static void test_kills(void)
{
    if (changes_skip_without_ptrace())
        return;
    setup();
    changes_check_kills(own_bridge, 30);
    changes_check_kills(foreign_bridge, 30);
    teardown();
}

int main(int argc, char **argv)
{
    int status;

    g_test_init(&argc, &argv, NULL);
    dir_fd = changes_begin();
    g_test_add_func("/transaction/rules", test_rules);
    g_test_add_func("/transaction/round", test_round);
    g_test_add_func("/transaction/bridge-is-safe", test_bridge_is_safe);
    g_test_add_func("/transaction/rolled-back", test_rolled_back);
    g_test_add_func("/transaction/not-a-bridge", test_not_a_bridge);
    g_test_add_func("/transaction/bad-name", test_bad_name);
    g_test_add_func("/transaction/subnet-elsewhere", test_subnet_elsewhere);
    g_test_add_func("/transaction/no-journal", test_no_journal);
    g_test_add_func("/transaction/no-room", test_no_room);
    g_test_add_func("/transaction/others-changes-stay", test_others_changes_stay);
    g_test_add_func("/transaction/bridge-of-others", test_bridge_of_others);
    g_test_add_func("/transaction/bridge-in-use", test_bridge_in_use);
    g_test_add_func("/journal/is-read", test_file_is_read);
    g_test_add_func("/journal/of-another-boot", test_file_of_another_boot);
    g_test_add_func("/journal/is-bad", test_file_is_bad);
    g_test_add_func("/journal/is-bounded", test_file_is_bounded);
    g_test_add_func("/transaction/kills", test_kills);
    status = g_test_run();
    changes_end();
    return status;
}
