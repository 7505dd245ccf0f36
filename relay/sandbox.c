/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/sandbox.h"

#include <cap-ng.h>
#include <errno.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>

/* A forwarder's life. It cannot make a socket, open a file, run a program or signal anybody. */
static const int allowed[] = {
    /* frames */
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    SCMP_SYS(recvmmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(sendmsg),
    SCMP_SYS(sendmmsg),
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    /* positions; ioctl acts on descriptors that were handed over, and its numbers vary by kind */
    SCMP_SYS(getsockopt),
    SCMP_SYS(ioctl),
    /* ends of ports */
    SCMP_SYS(shutdown),
    SCMP_SYS(close),
    /* waiting */
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(restart_syscall),
    /* rings and heap; mmap and mprotect have rules of their own below */
    SCMP_SYS(munmap),
    SCMP_SYS(brk),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(fallocate),
    /* the end */
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(tgkill),
    SCMP_SYS(futex),
    SCMP_SYS(getppid),
};

static int allow_memory(scmp_filter_ctx filter)
{
    const struct scmp_arg_cmp not_executable = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
    int r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, &not_executable);

    if (r == 0)
        r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, &not_executable);
    return r;
}

static int filter_calls(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    int r;

    if (!filter)
        return -ENOMEM;
    r = allow_memory(filter);
    for (size_t i = 0; r == 0 && i < sizeof(allowed) / sizeof(allowed[0]); ++i)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
    if (r == 0)
        r = seccomp_load(filter);
    seccomp_release(filter);
    return r;
}

static int drop_capabilities(bool keep_net_admin, bool keep_bind)
{
    bool has_admin = capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN);
    bool has_bind = capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_BIND_SERVICE);
    capng_select_t what = CAPNG_SELECT_CAPS;

    /* Leaving the bounding set needs CAP_SETPCAP; without it the process never had more. */
    if (capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP))
        what = CAPNG_SELECT_BOTH;
    capng_clear(CAPNG_SELECT_BOTH);
    if (keep_net_admin && has_admin)
        capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN);
    if (keep_bind && has_bind)
        capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_BIND_SERVICE);
    if (capng_apply(what) < 0)
        return -EPERM;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
        return -errno;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

int sandbox_enter_forwarder(void)
{
    int r = drop_capabilities(false, false);

    if (r == 0)
        r = filter_calls();
    return r;
}

int sandbox_enter_keeper(bool keep_net_admin)
{
    return drop_capabilities(keep_net_admin, true);
}
