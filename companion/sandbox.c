/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "companion/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "common/scope.h"
#include "relay/confine.h"
#include "relay/log.h"

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Memory, time, waiting, the relay's sockets, the log, the end. */
static const int basic_calls[] = {
    SCMP_SYS(read),         SCMP_SYS(write),
    SCMP_SYS(recvfrom),     SCMP_SYS(sendto),
    SCMP_SYS(close),        SCMP_SYS(poll),
    SCMP_SYS(ppoll),        SCMP_SYS(clock_gettime),
    SCMP_SYS(gettimeofday), SCMP_SYS(restart_syscall),
    SCMP_SYS(munmap),       SCMP_SYS(brk),
    SCMP_SYS(mremap),       SCMP_SYS(madvise),
    SCMP_SYS(futex),        SCMP_SYS(getrandom),
    SCMP_SYS(exit),         SCMP_SYS(exit_group),
    SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigaction), SCMP_SYS(getpid),
    SCMP_SYS(gettid),       SCMP_SYS(tgkill),
#if defined(__SANITIZE_ADDRESS__) /* which asks before each call that does not return */
    SCMP_SYS(sigaltstack),
#endif
};

/* Landlock knows more with each kernel; what this one does not know it must not be asked for. */
static uint64_t known_accesses(int version)
{
    uint64_t accesses = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1; /* all of version 1 */

    if (version >= 2)
        accesses |= LANDLOCK_ACCESS_FS_REFER;
    if (version >= 3)
        accesses |= LANDLOCK_ACCESS_FS_REFER << 1; /* truncate, which older headers do not name */
    return accesses;
}

static int allow_reading(int ruleset, const char *path)
{
    struct landlock_path_beneath_attr beneath = { .allowed_access = LANDLOCK_ACCESS_FS_READ_FILE };
    _cleanup_(closep) int fd = open(path, O_PATH | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    beneath.parent_fd = fd;
    return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) < 0
               ? -errno
               : 0;
}

/* A kernel without Landlock is left with the list of calls alone. */
static int limit_files(const char *const *readable)
{
    struct landlock_ruleset_attr attr = { 0 };
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    _cleanup_(closep) int ruleset = -1;
    int r = 0;

    if (version < 0) {
        log_info("this kernel cannot limit files: %s", strerror(errno));
        return 0;
    }
    attr.handled_access_fs = known_accesses((int)version);
    ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
    if (ruleset < 0)
        return -errno;
    for (; r == 0 && readable && *readable; ++readable)
        r = allow_reading(ruleset, *readable);
    if (r < 0)
        return r;
    return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : 0;
}

/* Files can be read; no other access is even asked for. */
static int allow_files(scmp_filter_ctx filter)
{
    const unsigned writing = O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND | O_PATH | O_TMPFILE;
    const struct scmp_arg_cmp only_reading = SCMP_A2(SCMP_CMP_MASKED_EQ, writing, O_RDONLY);
    static const int calls[] = { SCMP_SYS(newfstatat), SCMP_SYS(fstat), SCMP_SYS(lseek) };
    int r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1, &only_reading);

    for (size_t i = 0; r == 0 && i < N_OF(calls); ++i)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
    return r;
}

/* Some others are refused, which a C library may well ask for. */
static int allow_inet_sockets(scmp_filter_ctx filter)
{
    const struct {
        scmp_datum_t family;
        uint32_t action;
    } families[] = {
        { AF_INET, SCMP_ACT_ALLOW },
        { AF_INET6, SCMP_ACT_ALLOW },
        { AF_UNIX, SCMP_ACT_ERRNO(EAFNOSUPPORT) },
        { AF_NETLINK, SCMP_ACT_ERRNO(EAFNOSUPPORT) },
    };
    int r = 0;

    for (size_t i = 0; r == 0 && i < N_OF(families); ++i) {
        const struct scmp_arg_cmp family = SCMP_A0(SCMP_CMP_EQ, families[i].family);

        r = seccomp_rule_add_array(filter, families[i].action, SCMP_SYS(socket), 1, &family);
    }
    return r;
}

static int limit_calls(const struct sandbox *sandbox)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    int r;

    if (!filter)
        return -ENOMEM;
    r = confine_memory(filter);
    if (r == 0)
        r = confine_allow(filter, basic_calls, N_OF(basic_calls));
    if (r == 0)
        r = confine_allow(filter, sandbox->calls, sandbox->n_calls);
    if (r == 0 && sandbox->readable)
        r = allow_files(filter);
    if (r == 0 && sandbox->makes_inet_sockets)
        r = allow_inet_sockets(filter);
    if (r == 0)
        r = seccomp_load(filter);
    seccomp_release(filter);
    return r;
}

int sandbox_enter(const struct sandbox *sandbox)
{
    int r = confine_capabilities(false, false);

    if (r == 0)
        r = limit_files(sandbox->readable);
    if (r == 0)
        r = limit_calls(sandbox);
    return r;
}
