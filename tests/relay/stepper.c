/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lets a forwarder go on step by step, and kills it where it is told to. Steps are its system calls
 * and its stores into the memory that it shares with its successor. The program under test is the
 * ordinary one: nothing of this is in it. The kernel tells of the calls, the processor of the
 * stores, for which it has four registers; so there are sets of four places, one of which is
 * watched at a time.
 *
 *   watch SET            these places from here on         "watching", or "none": no such set
 *   attach PID           stops this forwarder              "stopped"
 *   run N                N steps, or fewer                 "N due|idle LAST STEP"
 *   instructions N       N of the processor's own steps    the same
 *   kill                 SIGKILL, and waits for its end    "killed"
 *   succeed KEEPER       the same, and stops the next one, which this keeper starts, at its first
 *                        look for its orders               "stopped"
 *
 * idle: it has waited for something to happen for IDLE_MS. Then another "run" goes on waiting.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "relay/handover.h"
#include "relay/shared.h"

#define IDLE_MS     10
#define REGISTERS   4
#define CONTROL     7                         /* the register that says what is watched, and */
#define WATCHED(i)  (1ul << (2 * (i)))        /* that it is this one, */
#define STORED(i)   (0xdul << (16 + 4 * (i))) /* for stores into its eight bytes */
#define CALL_STOP   (SIGTRAP | 0x80)
#define EVENT(stop) ((unsigned)(stop) >> 16)

#define IN_BATCH(member)   offsetof(struct shared_core, batch.member), false
#define IN_PORT(n, member) offsetof(struct shared_core, port[n].member), false
#define IN_EXTRA(member)   offsetof(struct shared_extra, member), true
#define PORT(n)                                                                                    \
    {                                                                                              \
        { IN_PORT(n, c0) }, { IN_PORT(n, c1) }, { IN_PORT(n, h) },                                 \
        {                                                                                          \
            IN_PORT(n, q_tail)                                                                     \
        }                                                                                          \
    }

/* Eight bytes each, aligned: some of them are two numbers. */
static const struct {
    size_t offset;
    bool in_extra;
} places[][REGISTERS] = {
    { { IN_BATCH(state) }, { IN_BATCH(in_slot) }, { IN_BATCH(n_runs) }, { IN_EXTRA(reading_id) } },
    PORT(0),
    PORT(1),
    PORT(2),
    { { IN_BATCH(x) }, { IN_BATCH(end) }, { IN_BATCH(cend) }, { IN_EXTRA(version) } },
    { { IN_PORT(0, id) }, { IN_PORT(2, id) }, { IN_EXTRA(captured) }, { IN_EXTRA(counters[0]) } },
};

static struct {
    pid_t pid;
    unsigned long set;
    bool under_way; /* it has been let go, and has not yet stopped again */
    bool in_call;
    long call;
} target;

static void die(const char *what)
{
    fprintf(stderr, "stepper: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void ask(enum __ptrace_request request, pid_t pid, unsigned long data)
{
    if (ptrace(request, pid, NULL, data) < 0)
        die("ptrace");
}

/* Places in memory */

/* Where the forwarder has mapped its memory. */
static unsigned long memory_of(pid_t pid)
{
    unsigned long at = 0, begin, offset;
    char path[64], line[512];
    FILE *maps;

    snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
    maps = fopen(path, "re");
    while (maps && !at && fgets(line, sizeof(line), maps))
        if (strstr(line, "/memfd:netrelay") &&
            sscanf(line, "%lx-%*x %*s %lx", &begin, &offset) == 2 && offset == 0)
            at = begin;
    if (maps)
        fclose(maps);
    if (!at)
        die("the forwarder's memory");
    return at;
}

/* How far the part that is not frozen is from the beginning: read off the memory of nobody. */
static size_t extra_offset(void)
{
    struct shared shared;
    int fd = shared_create(0);

    errno = fd < 0 ? -fd : -shared_map(&shared, fd);
    if (errno)
        die("memory");
    return (size_t)((const uint8_t *)shared.extra - (const uint8_t *)shared.core);
}

static void set_register(unsigned number, unsigned long value)
{
    const size_t at = offsetof(struct user, u_debugreg) + number * sizeof(value);

    if (ptrace(PTRACE_POKEUSER, target.pid, (void *)at, value) < 0)
        die("a debug register");
}

static void watch_places(void)
{
    static size_t extra;
    unsigned long memory = memory_of(target.pid), control = 0;

    if (!extra)
        extra = extra_offset();
    for (unsigned i = 0; i < REGISTERS; ++i) {
        size_t offset = places[target.set][i].offset;

        set_register(i, memory + offset + (places[target.set][i].in_extra ? extra : 0));
        control |= WATCHED(i) | STORED(i);
    }
    set_register(CONTROL, control);
}

/* Steps */

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static bool may_wait(void)
{
    return target.in_call && (target.call == SYS_epoll_wait || target.call == SYS_epoll_pwait ||
                              target.call == SYS_ppoll);
}

/* False: it waits for something. */
static bool wait_for_stop(int *ret_status, bool may_take_long)
{
    uint64_t end = now_ms() + IDLE_MS;
    pid_t pid;

    while ((pid = waitpid(target.pid, ret_status, __WALL | (may_take_long ? WNOHANG : 0))) == 0) {
        if (now_ms() >= end)
            return false;
        usleep(50);
    }
    if (pid < 0 || !WIFSTOPPED(*ret_status)) {
        fprintf(stderr, "stepper: the forwarder has ended by itself: status %x\n",
                (unsigned)*ret_status);
        exit(3);
    }
    target.under_way = false;
    return true;
}

/* Whether that stop is the end of a step. */
static bool is_step(int status, char what[40])
{
    struct __ptrace_syscall_info info;

    if (WSTOPSIG(status) != CALL_STOP) {
        snprintf(what, 40, "a store");
        return WSTOPSIG(status) == SIGTRAP && !EVENT(status);
    }
    if (ptrace(PTRACE_GET_SYSCALL_INFO, target.pid, sizeof(info), &info) <= 0)
        die("what call it is");
    target.in_call = info.op == PTRACE_SYSCALL_INFO_ENTRY;
    if (target.in_call)
        target.call = (long)info.entry.nr;
    snprintf(what, 40, "call %ld", target.call);
    return !target.in_call;
}

static void run(unsigned long count)
{
    char last[40] = "nothing", what[40];
    unsigned long n = 0;
    bool waits = false;
    int status;

    while (n < count) {
        if (!target.under_way)
            ask(PTRACE_SYSCALL, target.pid, 0);
        target.under_way = true;
        waits = !wait_for_stop(&status, may_wait());
        if (waits)
            break;
        if (is_step(status, what)) {
            memcpy(last, what, sizeof(last));
            ++n;
        }
    }
    printf("%lu %s %s\n", n, waits ? "idle" : "due", last);
}

static void run_instructions(unsigned long count)
{
    bool waits = false;
    unsigned long n;
    int status;

    for (n = 0; n < count && !waits; ++n) {
        if (!target.under_way)
            ask(PTRACE_SINGLESTEP, target.pid, 0);
        target.under_way = true;
        waits = !wait_for_stop(&status, true);
    }
    printf("%lu %s an instruction\n", n, waits ? "idle" : "due");
}

/* Life */

/* Steps cost less where nobody has to be woken on another processor. */
static void begin(pid_t pid)
{
    int here = sched_getcpu();
    cpu_set_t one;

    target.pid = pid;
    target.under_way = target.in_call = false;
    watch_places();
    if (here < 0)
        return;
    CPU_ZERO(&one);
    CPU_SET(here, &one);
    sched_setaffinity(0, sizeof(one), &one);
    sched_setaffinity(pid, sizeof(one), &one);
}

static void attach(pid_t pid)
{
    int status;

    ask(PTRACE_SEIZE, pid, PTRACE_O_TRACESYSGOOD);
    ask(PTRACE_INTERRUPT, pid, 0);
    if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
        die("it does not stop");
    begin(pid);
    puts("stopped");
}

static void end(void)
{
    int status;

    kill(target.pid, SIGKILL);
    while (waitpid(target.pid, &status, __WALL) == target.pid && WIFSTOPPED(status))
        ;
}

static bool looks_for_orders(pid_t pid)
{
    struct __ptrace_syscall_info info;

    return ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) > 0 &&
           info.op == PTRACE_SYSCALL_INFO_ENTRY && info.entry.nr == SYS_recvmsg &&
           info.entry.args[0] == HANDOVER_FD;
}

/* What stopped it is let through, where it is a signal. */
static void go_on(enum __ptrace_request request, pid_t pid, int status)
{
    int signo = WSTOPSIG(status);
    bool is_tracing = EVENT(status) || signo == CALL_STOP || signo == SIGTRAP;

    ask(request, pid, is_tracing ? 0 : (unsigned long)signo);
}

/* The keeper is let go as soon as it has started one, which is traced from its birth. */
static void succeed(pid_t keeper)
{
    int status = 0;
    pid_t pid;

    ask(PTRACE_SEIZE, keeper,
        PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC |
            PTRACE_O_TRACESYSGOOD);
    end();
    while ((pid = waitpid(-1, &status, __WALL)) > 0 && WIFSTOPPED(status)) {
        if (pid != keeper && WSTOPSIG(status) == CALL_STOP && looks_for_orders(pid))
            break;
        if (pid == keeper && EVENT(status) && EVENT(status) != PTRACE_EVENT_STOP)
            ask(PTRACE_DETACH, keeper, 0);
        else
            go_on(pid == keeper ? PTRACE_CONT : PTRACE_SYSCALL, pid, status);
    }
    if (pid <= 0 || !WIFSTOPPED(status))
        die("no successor");
    begin(pid);
    puts("stopped");
}

static void watch(unsigned long set)
{
    bool is_one = set < sizeof(places) / sizeof(places[0]);

    if (is_one)
        target.set = set;
    puts(is_one ? "watching" : "none");
}

static void obey(const char *command, unsigned long number)
{
    if (strcmp(command, "watch") == 0) {
        watch(number);
    } else if (strcmp(command, "attach") == 0) {
        attach((pid_t)number);
    } else if (strcmp(command, "run") == 0) {
        run(number);
    } else if (strcmp(command, "instructions") == 0) {
        run_instructions(number);
    } else if (strcmp(command, "kill") == 0) {
        end();
        puts("killed");
    } else if (strcmp(command, "succeed") == 0) {
        succeed((pid_t)number);
    } else {
        errno = EINVAL;
        die(command);
    }
    fflush(stdout);
}

int main(void)
{
    char line[80], command[40];
    unsigned long number;

    while (fgets(line, sizeof(line), stdin)) {
        number = 0;
        if (sscanf(line, "%39s %lu", command, &number) >= 1)
            obey(command, number);
    }
    return 0;
}
