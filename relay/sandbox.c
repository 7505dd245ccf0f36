/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/sandbox.h"

#include <errno.h>
#include <seccomp.h>
#include <stddef.h>
#include "relay/confine.h"

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
    SCMP_SYS(readv),
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

static int filter_calls(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    int r;

    if (!filter)
        return -ENOMEM;
    r = confine_memory(filter);
    for (size_t i = 0; r == 0 && i < sizeof(allowed) / sizeof(allowed[0]); ++i)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
    if (r == 0)
        r = seccomp_load(filter);
    seccomp_release(filter);
    return r;
}

int sandbox_enter_forwarder(void)
{
    int r = confine_capabilities(false, false);

    if (r == 0)
        r = filter_calls();
    return r;
}

int sandbox_enter_keeper(bool keep_net_admin)
{
    return confine_capabilities(keep_net_admin, true);
}
