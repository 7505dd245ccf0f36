/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/spawn-self.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <unistd.h>

#define FIRST_FD      3
#define FDS_MAX       4
#define ARGUMENTS_MAX 6

extern char **environ;

/* Above all targets, so that no dup2() overwrites what a later one needs. */
static int lift_fds(const int *fds, unsigned n_fds, int *lifted)
{
    for (unsigned i = 0; i < n_fds; ++i) {
        lifted[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, FIRST_FD + FDS_MAX);
        if (lifted[i] < 0) {
            int r = -errno;

            while (i-- > 0)
                close(lifted[i]);
            return r;
        }
    }
    return 0;
}

static int run(pid_t *ret_pid, const char *path, const char *const *argv, char **environment,
               const int *lifted, unsigned n_fds)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    int r;

    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    sigemptyset(&none);
    r = posix_spawnattr_setsigmask(&attributes, &none);
    if (r == 0)
        r = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    for (unsigned i = 0; r == 0 && i < n_fds; ++i)
        r = posix_spawn_file_actions_adddup2(&actions, lifted[i], FIRST_FD + (int)i);
    if (r == 0)
        r = posix_spawn_file_actions_addclosefrom_np(&actions, FIRST_FD + (int)n_fds);
    if (r == 0)
        r = posix_spawn(ret_pid, path, &actions, &attributes, (char *const *)argv, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return -r;
}

static pid_t spawn(const char *path, const char *name, char **environment,
                   const char *const *arguments, const int *fds, unsigned n_fds)
{
    const char *argv[ARGUMENTS_MAX + 2] = { name };
    int lifted[FDS_MAX];
    pid_t pid = -1;
    int r;

    for (unsigned i = 0; i < ARGUMENTS_MAX && arguments[i]; ++i)
        argv[i + 1] = arguments[i];
    if (n_fds > FDS_MAX)
        return -EINVAL;
    r = lift_fds(fds, n_fds, lifted);
    if (r < 0)
        return r;
    r = run(&pid, path, argv, environment, lifted, n_fds);
    for (unsigned i = 0; i < n_fds; ++i)
        close(lifted[i]);
    return r < 0 ? r : pid;
}

pid_t spawn_self(const char *const *arguments, const int *fds, unsigned n_fds)
{
    return spawn("/proc/self/exe", "netrelay", environ, arguments, fds, n_fds);
}

pid_t spawn_program(const char *path, const char *name, const char *const *arguments,
                    const int *fds, unsigned n_fds)
{
    char *nothing[] = { NULL };

    return spawn(path, name, nothing, arguments, fds, n_fds);
}
