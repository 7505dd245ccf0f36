/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is heard at a guarded port, asked of the kernel; and what is left of the table. */
#include <arpa/inet.h>
#include <errno.h>
#include <glib.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <unistd.h>
#include "changes.h"
#include "common/scope.h"
#include "net/nft.h"
#include "net/udp-guard.h"

#define QEMU     4711
#define RELAY    4712
#define STRANGER 65534
#define PORT     5602

static const uid_t senders[] = { 0, QEMU, RELAY };

static struct sockaddr_in address_of(const char *host, uint16_t l4_port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(l4_port) };

    g_assert_cmpint(inet_pton(AF_INET, host, &address.sin_addr), ==, 1);
    return address;
}

/* Whether what such a user's socket sends there is heard: it goes, or is refused, at once. */
static gboolean is_heard(uid_t uid, const char *host, uint16_t l4_port)
{
    struct sockaddr_in address = address_of(host, l4_port);
    _cleanup_(closep) int guest = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), sender;
    char byte = 'x';
    ssize_t sent;

    g_assert_cmpint(bind(guest, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    setfsuid(uid);
    sender = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    setfsuid(0);
    sent = sendto(sender, &byte, 1, 0, (struct sockaddr *)&address, sizeof(address));
    g_assert_true(sent == 1 || errno == EPERM);
    close(sender);
    return recv(guest, &byte, 1, MSG_DONTWAIT) == 1;
}

static void fill(const char *host, uint16_t l4_port, bool more)
{
    const struct udp_guarded guarded = { address_of(host, l4_port).sin_addr, l4_port };

    g_assert_cmpint(udp_guard_fill(&guarded, 1, senders, G_N_ELEMENTS(senders), more), ==, 0);
}

static void test_who_is_heard(void)
{
    static const uid_t friends[] = { 0, QEMU, RELAY };

    g_assert_cmpint(udp_guard_add(), ==, 0);
    g_assert_true(is_heard(STRANGER, "127.0.0.1", PORT)); /* nothing is guarded yet */
    fill("127.0.0.1", PORT, false);
    g_assert_false(is_heard(STRANGER, "127.0.0.1", PORT));
    for (gsize i = 0; i < G_N_ELEMENTS(friends); i++)
        g_assert_true(is_heard(friends[i], "127.0.0.1", PORT));
    /* Neither another port, nor the same one of another address, is a guest's. */
    g_assert_true(is_heard(STRANGER, "127.0.0.1", PORT + 1));
    g_assert_true(is_heard(STRANGER, "127.0.0.2", PORT));
    fill("0.0.0.0", PORT + 1, true);
    g_assert_false(is_heard(STRANGER, "127.0.0.9", PORT + 1));
    g_assert_true(is_heard(QEMU, "127.0.0.9", PORT + 1));
    g_assert_false(is_heard(STRANGER, "127.0.0.1", PORT));
    fill("127.0.0.1", PORT + 2, false); /* in place of both */
    g_assert_true(is_heard(STRANGER, "127.0.0.1", PORT) &&
                  is_heard(STRANGER, "127.0.0.9", PORT + 1));
    g_assert_cmpint(udp_guard_remove(), ==, 0);
    g_assert_true(is_heard(STRANGER, "127.0.0.1", PORT + 2));
}

static void test_other_senders(void)
{
    const struct udp_guarded guarded = { address_of("127.0.0.1", PORT).sin_addr, PORT };
    static const uid_t one[] = { STRANGER };

    g_assert_cmpint(udp_guard_add(), ==, 0);
    fill("127.0.0.1", PORT, false);
    g_assert_cmpint(udp_guard_fill(&guarded, 1, one, 1, true), ==, 0);
    g_assert_true(is_heard(STRANGER, "127.0.0.1", PORT));
    g_assert_false(is_heard(QEMU, "127.0.0.1", PORT));
    g_assert_cmpint(udp_guard_remove(), ==, 0);
}

static void test_without_a_table(void)
{
    bool there = true;

    g_assert_cmpint(udp_guard_is_set(&there), ==, 0);
    g_assert_false(there);
    g_assert_cmpint(udp_guard_remove(), ==, 0);
    g_assert_cmpint(udp_guard_fill(NULL, 0, senders, G_N_ELEMENTS(senders), false), ==, -ENOENT);
}

static void test_laid(void)
{
    static const char *const texts[] = { "guard-udp lo", NULL };
    g_autofree char *before = changes_host_text(), *after = NULL;
    bool there = false;

    changes_lay_anew(texts);
    changes_lay_anew(texts);
    g_assert_cmpint(udp_guard_is_set(&there), ==, 0);
    g_assert_true(there);
    fill("127.0.0.1", PORT, false); /* what is in it goes with it */
    changes_lift_anew();
    after = changes_host_text();
    changes_assert_same(after, before);
}

/* A table of that name that we have not made is left as it is. */
static void test_of_others(void)
{
    static const char *const texts[] = { "guard-udp lo", NULL };
    _cleanup_(freep) struct journal *journal = changes_reopen();
    g_autofree char *before = NULL, *after = NULL;

    g_assert_cmpint(udp_guard_add(), ==, 0);
    before = changes_host_text();
    g_assert_cmpint(changes_lay(journal, texts), ==, -EEXIST);
    after = changes_host_text();
    changes_assert_same(after, before);
    g_assert_cmpint(udp_guard_remove(), ==, 0);
}

static void test_kills(void)
{
    static const char *const texts[] = { "guard-udp lo", NULL };

    if (!changes_skip_without_ptrace())
        changes_check_kills(texts, 10);
}

int main(int argc, char **argv)
{
    int status;

    g_test_init(&argc, &argv, NULL);
    changes_begin();
    g_test_add_func("/udp-guard/who-is-heard", test_who_is_heard);
    g_test_add_func("/udp-guard/other-senders", test_other_senders);
    g_test_add_func("/udp-guard/without-a-table", test_without_a_table);
    g_test_add_func("/udp-guard/laid", test_laid);
    g_test_add_func("/udp-guard/of-others", test_of_others);
    g_test_add_func("/udp-guard/kills", test_kills);
    status = g_test_run();
    changes_end();
    return status;
}
