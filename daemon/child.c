/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between fork() and execve() only calls that are safe after a fork in a program with threads. A
 * child that cannot become the program sends its errno through a pipe that a successful execve()
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

/* As far as we have them; and nothing else stays possible. */
static void keep_capabilities(guint32 wanted)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2] = { { 0 } };

    if (syscall(SYS_capget, &header, data) < 0)
        return;
    wanted &= data[0].permitted;
    data[0].permitted = data[0].inheritable = data[0].effective = wanted;
    data[1] = (struct __user_cap_data_struct){ 0 };
    if (syscall(SYS_capset, &header, data) < 0)
        return;
    for (int cap = 0; cap < 32; cap++)
        if (wanted >> cap & 1)
            (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0);
}

static int become_user(const NrChild *child)
{
    if (!child->switch_user)
        return 0;
    (void)prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
    if (setgroups(0, NULL) < 0 || setresgid(child->gid, child->gid, child->gid) < 0 ||
        setresuid(child->uid, child->uid, child->uid) < 0)
        return -errno;
    keep_capabilities(child->capabilities);
    return 0;
}

/* What it is given goes to its numbers; first of all out of the way of these. */
static int place_descriptors(const NrChild *child, int *given, int *image, int *report)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC),
        first_free = NR_CHILD_GIVEN_FD + (int)child->n;
    int input = child->input < 0 ? null : fcntl(child->input, F_DUPFD_CLOEXEC, first_free);

    *report = fcntl(*report, F_DUPFD_CLOEXEC, first_free);
    if (!child->program)
        *image = fcntl(child->image, F_DUPFD_CLOEXEC, first_free);
    if (null < 0 || input < 0 || *report < 0 || *image < 0)
        return -errno;
    for (guint i = 0; i < child->n; i++) {
        given[i] = fcntl(child->given[i], F_DUPFD_CLOEXEC, first_free);
        if (given[i] < 0)
            return -errno;
    }
    if (child->errors >= 0 && dup2(child->errors, STDERR_FILENO) < 0)
        return -errno;
    if (dup2(input, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
        return -errno;
    for (guint i = 0; i < child->n; i++)
        if (dup2(given[i], NR_CHILD_GIVEN_FD + (int)i) < 0)
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

/* After the change of user, which takes this back. */
static int end_with(pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) < 0)
        return -errno;
    return getppid() == parent ? 0 : -ESRCH;
}

G_GNUC_NORETURN static void run_child(const NrChild *child, char *const *envp, int *given,
                                      pid_t parent, int report)
{
    int image = 0, r = place_descriptors(child, given, &image, &report);

    if (r == 0) {
        reset_signals();
        (void)setsid();
        (void)chdir("/");
        umask(077);
        r = become_user(child);
    }
    if (r == 0 && child->ends_with_us)
        r = end_with(parent);
    if (r == 0) {
        (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        if (child->program)
            execve(child->program, child->argv, envp);
        else
            execveat(image, "", child->argv, envp, AT_EMPTY_PATH);
        r = -errno;
    }
    (void)!write(report, &r, sizeof(r));
    _exit(127);
}

pid_t nr_child_run(const NrChild *child)
{
    g_autofree int *given = g_new0(int, child->n);
    g_auto(GStrv) envp = g_get_environ();
    _cleanup_(closep) int ours = -1;
    pid_t pid, parent = getpid();
    int ends[2], error = 0;
    ssize_t n;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    ours = ends[0];
    envp = g_environ_unsetenv(g_environ_unsetenv(envp, "NOTIFY_SOCKET"), "LISTEN_FDS");
    pid = fork();
    if (pid == 0)
        run_child(child, envp, given, parent, ends[1]);
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

static GArray *descriptors_new(int listener, int file, const GArray *deposit)
{
    GArray *all = g_array_new(FALSE, FALSE, sizeof(int));

    g_array_append_val(all, listener); /* at NR_CHILD_GIVEN_FD, as its command line says */
    if (deposit)
        g_array_append_vals(all, deposit->data, deposit->len);
    if (file >= 0)
        g_array_append_val(all, file);
    return all;
}

pid_t nr_child_spawn(const NrRelaySettings *settings, const char *network, int image, int listener,
                     int file, const GArray *deposit)
{
    g_autofree char *deposited = g_strdup_printf("%u", deposit ? deposit->len : 0);
    char *const argv[] = { (char *)"netrelay",
                           (char *)"--managed",
                           (char *)"--network",
                           (char *)network,
                           (char *)"--control-fd",
                           (char *)G_STRINGIFY(NR_CHILD_GIVEN_FD),
                           (char *)(deposit ? "--deposited" : NULL),
                           deposited,
                           NULL };
    g_autoptr(GArray) given = descriptors_new(listener, file, deposit);
    const NrChild child = { .program = image < 0 ? settings->program : NULL,
                            .image = image,
                            .argv = argv,
                            .switch_user = settings->switch_user,
                            .uid = settings->uid,
                            .gid = settings->gid,
                            .capabilities = 1u << CAP_NET_BIND_SERVICE, /* for low ports */
                            .input = -1,
                            .errors = -1,
                            .given = (const int *)(const void *)given->data,
                            .n = given->len };

    return nr_child_run(&child);
}
