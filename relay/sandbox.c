/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/sandbox.h"

#include <errno.h>
#include <linux/sockios.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
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
    SCMP_SYS(io_uring_enter), /* on a ring that writes and nothing else: tap-ring.c */
    /* positions; ioctl has rules of its own below */
    SCMP_SYS(getsockopt),
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

/* How much waits in a socket, and nothing else: what asks a TAP waits for whoever changes links.
 * And where to look into a UNIX socket. */
static int allow_questions(scmp_filter_ctx filter)
{
    static const unsigned questions[] = { SIOCINQ, SIOCOUTQ };
    int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(setsockopt), 2,
                             SCMP_A1(SCMP_CMP_EQ, SOL_SOCKET), SCMP_A2(SCMP_CMP_EQ, SO_PEEK_OFF));

    for (size_t i = 0; r == 0 && i < sizeof(questions) / sizeof(questions[0]); ++i)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
                             SCMP_A1(SCMP_CMP_EQ, questions[i]));
    return r;
}

static int filter_calls(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    int r;

    if (!filter)
        return -ENOMEM;
    r = confine_memory(filter);
    if (r == 0)
        r = allow_questions(filter);
    if (r == 0)
        r = confine_allow(filter, allowed, sizeof(allowed) / sizeof(allowed[0]));
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
