/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "changes.h"

#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <linux/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "common/scope.h"
#include "net/nft.h"
#include "netns.h"

#define OWNER "lab"

static int dir_fd = -1;
static char *dir_path;

int changes_begin(void)
{
    netns_enter();
    /* Else it looks for a second or more. */
    g_assert_cmpint(system("echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad"), ==, 0);
    dir_path = g_dir_make_tmp("netrelay-journal-XXXXXX", NULL);
    dir_fd = open(dir_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dir_fd;
}

void changes_end(void)
{
    rmdir(dir_path);
    g_free(dir_path);
    close(dir_fd);
}

static size_t parse_all(const char *const *texts, struct host_change *ret)
{
    size_t count = 0;

    for (; texts[count]; count++)
        g_assert_true(host_change_parse(&ret[count], texts[count]));
    return count;
}

struct journal *changes_reopen(void)
{
    struct journal *journal = NULL;

    g_assert_cmpint(journal_open(dir_fd, &journal), ==, 0);
    return journal;
}

int changes_lay(struct journal *journal, const char *const *texts)
{
    struct host_change changes[16];
    size_t failed;

    return transaction_lay(journal, OWNER, changes, parse_all(texts, changes), &failed);
}

void changes_lift_all(struct journal *journal)
{
    while (journal->count > 0) {
        struct host_change last = journal->records[journal->count - 1].change;

        g_assert_cmpint(transaction_lift(journal, &last), ==, 0);
    }
}

void changes_lay_anew(const char *const *texts)
{
    _cleanup_(freep) struct journal *journal = changes_reopen();

    g_assert_cmpint(changes_lay(journal, texts), ==, 0);
}

void changes_lift_anew(void)
{
    _cleanup_(freep) struct journal *journal = changes_reopen();

    changes_lift_all(journal);
    g_assert_cmpint(faccessat(dir_fd, JOURNAL_FILE, F_OK, 0), ==, -1);
}

/* The kernel looks a moment whether others have an IPv6 address, and whether a bridge's members
 * have a carrier. */
static bool is_settled(void)
{
    g_autofree char *tentative = NULL, *bridges = NULL;

    g_assert_true(
        g_spawn_command_line_sync("ip -6 -o addr show tentative", &tentative, NULL, NULL, NULL));
    g_assert_true(
        g_spawn_command_line_sync("ip -o link show type bridge", &bridges, NULL, NULL, NULL));
    return !*tentative && !strstr(bridges, "state UNKNOWN");
}

static void wait_until_settled(void)
{
    for (int i = 0; i < 2000; i++) {
        if (is_settled())
            return;
        g_usleep(5000);
    }
    g_assert_not_reached();
}

char *changes_host_text(void)
{
    static const char command[] =
        "{ ip -d -o link; ip -o addr; ip route show table all; ip -6 route show table all;"
        " ip neigh show proxy; ip -6 neigh show proxy; nft list ruleset;"
        " grep -s . /proc/sys/net/ipv4/conf/*/* /proc/sys/net/ipv6/conf/*/*; } |"
        " sed -e 's/^[0-9]*: //' -e 's/_timer *[0-9.]*//g'"
        " -e '/stable_secret/d' | sort";
    g_autofree char *errors = NULL;
    char *text = NULL;
    const char *argv[] = { "sh", "-c", command, NULL };

    wait_until_settled();
    g_assert_true(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &text,
                               &errors, NULL, NULL));
    g_assert_cmpstr(errors, ==, "");
    return text;
}

/* What of /proc/sys the changes could have changed. */
static void append_settings(GString *all)
{
    static const char *const paths[] = {
        "ipv4/conf/br0/promote_secondaries", "ipv4/conf/br0/forwarding", "ipv6/conf/br0/forwarding",
        "ipv6/conf/br0/accept_ra",           "ipv6/conf/all/forwarding", "ipv6/conf/lan/proxy_ndp",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
        g_autofree char *path = g_strconcat("/proc/sys/net/", paths[i], NULL), *value = NULL;

        if (g_file_get_contents(path, &value, NULL, NULL))
            g_string_append_printf(all, "%s %s", paths[i], value);
    }
}

/* Much faster: for the many rounds of the SIGKILL test. */
static char *host_brief(void)
{
    g_autoptr(GRegex) numbers =
        g_regex_new("^[0-9]+: | tentative| linkdown| # handle [0-9]+", G_REGEX_MULTILINE, 0, NULL);
    g_autofree char *text = NULL, *whole = NULL, *named = NULL;
    _cleanup_(freep) char *rules = NULL;
    GString *all;

    g_assert_true(g_spawn_command_line_sync("sh -c 'ip -o -d addr; ip route; ip -6 route;"
                                            " ip neigh show proxy; ip -6 neigh show proxy'",
                                            &text, NULL, NULL, NULL));
    g_assert_cmpint(nft_run("list ruleset", &rules), ==, 0);
    whole = g_strconcat(text, rules, NULL);
    named = g_regex_replace_literal(numbers, whole, -1, 0, "", 0, NULL);
    all = g_string_new(named);
    append_settings(all);
    return g_string_free(all, FALSE);
}

/* The first line that differs tells more than two long texts. */
void changes_assert_same(const char *a, const char *b)
{
    g_auto(GStrv) first = g_strsplit(a, "\n", -1), second = g_strsplit(b, "\n", -1);

    for (size_t i = 0; first[i] && second[i]; i++)
        g_assert_cmpstr(first[i], ==, second[i]);
    g_assert_cmpuint(g_strv_length(first), ==, g_strv_length(second));
}
/* --- SIGKILL */

/* A child that works in the same namespace, and stops at each of its system calls. */
static pid_t begin_child(void (*work)(const char *const *texts), const char *const *texts)
{
    pid_t pid = fork();

    g_assert_cmpint(pid, >=, 0);
    if (pid > 0)
        return pid;
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    raise(SIGSTOP);
    work(texts);
    _exit(0);
}

/* After which somebody could find something else than before. */
static bool is_witnessed(pid_t pid)
{
    static const long calls[] = { SYS_sendmsg, SYS_sendto,   SYS_write,
                                  SYS_openat,  SYS_renameat, SYS_unlinkat };
    struct ptrace_syscall_info info = { 0 };

    g_assert_no_errno((int)ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info));
    for (size_t i = 0; i < G_N_ELEMENTS(calls); i++)
        if (info.op == PTRACE_SYSCALL_INFO_ENTRY && (long)info.entry.nr == calls[i])
            return true;
    return false;
}

/* To the child's next stop. False: it came to its end. */
static bool next_stop(pid_t pid)
{
    int status;

    g_assert_no_errno((int)ptrace(PTRACE_SYSCALL, pid, NULL, NULL));
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    if (WIFSTOPPED(status))
        return true;
    g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return false;
}

bool changes_kill_after(void (*work)(const char *const *texts), const char *const *texts,
                        unsigned k)
{
    pid_t pid = begin_child(work, texts);
    int status;

    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    /* Else stops at system calls cannot be told from others. */
    g_assert_no_errno((int)ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD));
    for (bool witnessed = false; k > 0; k -= witnessed) {
        if (!next_stop(pid))
            return false;
        witnessed = is_witnessed(pid);
        if (witnessed && !next_stop(pid)) /* the call's end */
            return false;
    }
    kill(pid, SIGKILL);
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    return true;
}

static void check_kills_of_making(const char *const *texts, unsigned least)
{
    g_autofree char *before = host_brief(), *whole = NULL;
    bool more = true;
    unsigned kills;

    changes_lay_anew(texts);
    whole = host_brief();
    changes_lift_anew();
    for (kills = 1; more; kills++) {
        g_autofree char *now = NULL;

        more = changes_kill_after(changes_lay_anew, texts, kills);
        if (kills % 2) { /* its successor undoes ... */
            changes_lift_anew();
            now = host_brief();
            changes_assert_same(now, before);
            continue;
        }
        changes_lay_anew(texts); /* ... or finishes */
        now = host_brief();
        changes_assert_same(now, whole);
        changes_lift_anew();
    }
    g_assert_cmpuint(kills, >, least);
}

static void lift_all(const char *const *texts)
{
    changes_lift_anew();
}

/* One that takes all back is killed, and the next one does what is left. */
static void check_kills_of_undo(const char *const *texts, unsigned least)
{
    g_autofree char *before = host_brief();
    bool more = true;
    unsigned kills;

    for (kills = 1; more; kills++) {
        g_autofree char *now = NULL;

        changes_lay_anew(texts);
        more = changes_kill_after(lift_all, NULL, kills);
        changes_lift_anew();
        now = host_brief();
        changes_assert_same(now, before);
    }
    g_assert_cmpuint(kills, >, least / 2);
}

void changes_check_kills(const char *const *texts, unsigned least)
{
    check_kills_of_making(texts, least);
    check_kills_of_undo(texts, least);
}

static bool may_trace(void)
{
    pid_t pid = fork();
    int status;

    if (pid == 0)
        _exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 ? 0 : 1);
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool changes_skip_without_ptrace(void)
{
    if (may_trace())
        return false;
    g_test_skip("ptrace is not allowed here");
    return true;
}
