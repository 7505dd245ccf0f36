/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between fork() and execve() only calls that are safe after a fork in a program with threads. A
 * child that cannot become a relay sends its errno through a pipe that a successful execve()
 * closes; reading it takes as long as execve() does.
 */
#include "daemon/child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "common/scope.h"

#define CONTROL_FD 3 /* where the keeper finds its control socket */

/* Ports below 1024 stay possible after the change of user, and nothing else does. */
static void keep_low_ports(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2] = { { 0 } };

    data[0].permitted = data[0].inheritable = data[0].effective = 1u << CAP_NET_BIND_SERVICE;
    if (syscall(SYS_capset, &header, data) == 0)
        (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE, 0, 0);
}

static int become_user(const NrRelaySettings *settings)
{
    if (!settings->switch_user)
        return 0;
    (void)prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
    if (setgroups(0, NULL) < 0 || setresgid(settings->gid, settings->gid, settings->gid) < 0 ||
        setresuid(settings->uid, settings->uid, settings->uid) < 0)
        return -errno;
    keep_low_ports();
    return 0;
}

/* What a relay is given goes to CONTROL_FD and on; first of all out of the way of these numbers. */
static int place_descriptors(int *given, guint n, int *report)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), first_free = CONTROL_FD + (int)n;

    *report = fcntl(*report, F_DUPFD_CLOEXEC, first_free);
    if (null < 0 || *report < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
        return -errno;
    for (guint i = 0; i < n; i++) {
        given[i] = fcntl(given[i], F_DUPFD_CLOEXEC, first_free);
        if (given[i] < 0)
            return -errno;
    }
    for (guint i = 0; i < n; i++)
        if (dup2(given[i], CONTROL_FD + (int)i) < 0)
            return -errno;
    (void)syscall(SYS_close_range, first_free, ~0u, CLOSE_RANGE_CLOEXEC);
    return 0;
}

static void reset_signals(void)
{
    sigset_t none;

    for (int number = 1; number < NSIG; number++)
        (void)signal(number, SIG_DFL);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

G_GNUC_NORETURN static void run_child(const NrRelaySettings *settings, char *const *argv,
                                      char *const *envp, int *given, guint n, int report)
{
    int r = place_descriptors(given, n, &report);

    if (r == 0) {
        reset_signals();
        (void)setsid();
        (void)chdir("/");
        umask(077);
        r = become_user(settings);
    }
    if (r == 0) {
        (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        execve(settings->program, argv, envp);
        r = -errno;
    }
    (void)!write(report, &r, sizeof(r));
    _exit(127);
}

static GArray *descriptors_new(int listener, int file, const GArray *deposit)
{
    GArray *all = g_array_new(FALSE, FALSE, sizeof(int));

    g_array_append_val(all, listener);
    if (deposit)
        g_array_append_vals(all, deposit->data, deposit->len);
    if (file >= 0)
        g_array_append_val(all, file);
    return all;
}

pid_t nr_child_spawn(const NrRelaySettings *settings, const char *network, int listener, int file,
                     const GArray *deposit)
{
    g_autofree char *deposited = g_strdup_printf("%u", deposit ? deposit->len : 0);
    char *const argv[] = { (char *)"netrelay",
                           (char *)"--managed",
                           (char *)"--network",
                           (char *)network,
                           (char *)"--control-fd",
                           (char *)"3",
                           (char *)(deposit ? "--deposited" : NULL),
                           deposited,
                           NULL };
    g_autoptr(GArray) given = descriptors_new(listener, file, deposit);
    g_auto(GStrv) envp = g_get_environ();
    _cleanup_(closep) int ours = -1;
    int ends[2], error = 0;
    ssize_t n;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    ours = ends[0];
    envp = g_environ_unsetenv(g_environ_unsetenv(envp, "NOTIFY_SOCKET"), "LISTEN_FDS");
    pid = fork();
    if (pid == 0)
        run_child(settings, argv, envp, (int *)(void *)given->data, given->len, ends[1]);
    close(ends[1]);
    if (pid < 0)
        return -errno;
    do {
        n = read(ours, &error, sizeof(error));
    } while (n < 0 && errno == EINTR);
    if (n == (ssize_t)sizeof(error)) {
        (void)waitpid(pid, NULL, 0);
        return error;
    }
    return pid;
}
