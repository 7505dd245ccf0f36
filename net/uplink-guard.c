/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/uplink-guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include "common/scope.h"

#define DIR_FD    3 /* what the guard is given */
#define REPORT_FD 4
#define WORK_MS   10000 /* for what takes some 10 ms */
#define REPORT_MS (2 * WORK_MS)
#define LOOK_MS   5000 /* poll() does not count the time that the host sleeps */
#define ARGUMENTS 7
#define SPARE_FD  10 /* the first that is out of the way of those above */

/* The guard's child */

int uplink_guard_work(int dir_fd, const struct uplink_task *task)
{
    if (task->back)
        return uplink_back(dir_fd, task->device);
    return uplink_there(dir_fd, task->network, task->device, task->bridge, task->until);
}

/* 0 or a negative errno; -EINTR: it died, or was ended because it took too long. */
static int outcome(pid_t child)
{
    _cleanup_(closep) int fd = pidfd_open(child, 0);
    struct pollfd ended = { .fd = fd, .events = POLLIN };
    int status;

    if (fd < 0 || poll(&ended, 1, WORK_MS) != 1)
        (void)kill(child, SIGKILL);
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return -EINTR;
    return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

static int have_it_done(const struct uplink_task *task,
                        int (*work)(int dir_fd, const struct uplink_task *task))
{
    pid_t child = fork();

    if (child < 0)
        return -errno;
    if (child == 0)
        _exit(-work(DIR_FD, task) & 0xff);
    return outcome(child);
}

/* The guard */

/* Nobody has confirmed it, and nobody has taken it back. */
static bool is_pending(const struct uplink_task *task)
{
    _cleanup_(freep) struct uplink_record *record = NULL;

    return uplink_record_read(DIR_FD, task->device, &record) == 0 && record->until == task->until;
}

static void drain(int fd)
{
    char buf[4096];

    while (read(fd, buf, sizeof(buf)) > 0)
        ;
}

static void await_confirmation(const struct uplink_task *task)
{
    _cleanup_(closep) int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    struct pollfd changed = { .fd = watch, .events = POLLIN };
    char path[32];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", DIR_FD);
    if (watch >= 0)
        (void)inotify_add_watch(watch, path, IN_MOVED_TO | IN_DELETE);
    while (is_pending(task) && uplink_now() < task->until + UPLINK_GUARD_GRACE_S) {
        long long left = (task->until + UPLINK_GUARD_GRACE_S - uplink_now()) * 1000;

        (void)poll(&changed, 1, left < LOOK_MS ? (int)left : LOOK_MS);
        drain(watch);
    }
}

static void guard_confirmation(const struct uplink_task *task)
{
    _cleanup_(closep) int lock = -1;

    await_confirmation(task);
    lock = uplink_lock(DIR_FD, true);
    if (lock >= 0 && is_pending(task))
        (void)uplink_back(DIR_FD, task->device);
}

static int guard(const struct uplink_task *task,
                 int (*work)(int dir_fd, const struct uplink_task *task))
{
    _cleanup_(closep) int lock = uplink_lock(DIR_FD, true);
    int r = lock < 0 ? lock : have_it_done(task, work);

    /* One that failed to bring all back has tried it; one that died has not. */
    if (lock >= 0 && r < 0 && (!task->back || r == -EINTR)) {
        int back = uplink_back(DIR_FD, task->device);

        r = task->back ? back : r;
    }
    if (lock >= 0)
        close(steal_fd(&lock)); /* whoever hears of it may go on at once */
    (void)!write(REPORT_FD, &r, sizeof(r));
    close(REPORT_FD);
    return r;
}

int uplink_guard_main(int argc, char **argv,
                      int (*work)(int dir_fd, const struct uplink_task *task))
{
    struct uplink_task task;
    pid_t pid;

    if (argc != ARGUMENTS)
        return 2;
    task = (struct uplink_task){ .back = strcmp(argv[2], "back") == 0,
                                 .network = argv[3],
                                 .device = argv[4],
                                 .bridge = argv[5],
                                 .until = atoll(argv[6]) };
    pid = fork(); /* nobody's child, so that nobody has to reap it */
    if (pid != 0)
        return pid < 0;
    if (guard(&task, work) == 0 && !task.back && task.until != 0)
        guard_confirmation(&task);
    return 0;
}

/* Who asks */

static int spawn(int dir_fd, int report_fd, char *const argv[])
{
    char *const environment[] = { NULL };
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    pid_t pid;
    int r;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    for (int fd = 0; fd < DIR_FD; fd++)
        posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
    posix_spawn_file_actions_adddup2(&files, dir_fd, DIR_FD);
    posix_spawn_file_actions_adddup2(&files, report_fd, REPORT_FD);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
    r = posix_spawn(&pid, "/proc/self/exe", &files, &attributes, argv, environment);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    if (r != 0)
        return -r;
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return 0;
}

/* Guard and child were killed: the record says how far they came. The next one finishes it. */
static int judge(int dir_fd, const struct uplink_task *task)
{
    _cleanup_(freep) struct uplink_record *record = NULL;
    int r = uplink_record_read(dir_fd, task->device, &record);

    if (task->back)
        return r == -ENOENT ? 0 : -EINTR;
    return r == 0 && record->phase == UPLINK_MOVED ? 0 : -EINTR;
}

static int hear(int fd, int dir_fd, const struct uplink_task *task)
{
    struct pollfd report = { .fd = fd, .events = POLLIN };
    int said;

    if (poll(&report, 1, REPORT_MS) != 1)
        return -ETIMEDOUT;
    return read(fd, &said, sizeof(said)) == sizeof(said) ? said : judge(dir_fd, task);
}

int uplink_guard_ask(int dir_fd, const struct uplink_task *task)
{
    _cleanup_(closep) int dir = fcntl(dir_fd, F_DUPFD_CLOEXEC, SPARE_FD);
    _cleanup_(closep) int hearing = -1, saying = -1;
    char until[32];
    char *const argv[] = { (char *)"netrelayd",
                           (char *)UPLINK_GUARD_WORD,
                           (char *)(task->back ? "back" : "there"),
                           (char *)task->network,
                           (char *)task->device,
                           (char *)task->bridge,
                           until,
                           NULL };
    int ends[2], r;

    if (dir < 0 || pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    hearing = ends[0];
    saying = fcntl(ends[1], F_DUPFD_CLOEXEC, SPARE_FD);
    close(ends[1]);
    snprintf(until, sizeof(until), "%lld", task->until);
    r = saying < 0 ? -errno : spawn(dir, saying, argv);
    if (r < 0)
        return r;
    close(steal_fd(&saying));
    return hear(hearing, dir_fd, task);
}

int uplink_confirm(int dir_fd, const char *device)
{
    _cleanup_(freep) struct uplink_record *record = NULL;
    _cleanup_(closep) int lock = uplink_lock(dir_fd, false);
    int r = lock < 0 ? lock : uplink_record_read(dir_fd, device, &record);

    if (r < 0 || record->until == 0)
        return r;
    record->until = 0;
    return uplink_record_write(dir_fd, record);
}
