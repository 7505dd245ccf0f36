/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netrelay-user: the port of a relay behind which libslirp is gateway, DHCP, DNS and TFTP server
 * for all guests of that network. What reads the guests' TCP/IP sits in a sandbox: sockets of the
 * Internet's families, and no file but resolv.conf and those of TFTP.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include "companion/companion.h"
#include "companion/sandbox.h"
#include "common/scope.h"
#include "relay-user/leases.h"
#include "relay-user/stack.h"

#define RESOLV_CONF "/etc/resolv.conf" /* what libslirp reads, whenever it has changed */

enum { POLL_FRAMES, POLL_WORDS, POLL_OWN }; /* the first ones that are polled */

static const int calls[] = {
    SCMP_SYS(accept),     SCMP_SYS(accept4),     SCMP_SYS(bind),        SCMP_SYS(connect),
    SCMP_SYS(fcntl),      SCMP_SYS(getpeername), SCMP_SYS(getsockname), SCMP_SYS(getsockopt),
    SCMP_SYS(ioctl),      SCMP_SYS(listen),      SCMP_SYS(recvmsg),     SCMP_SYS(sendmsg),
    SCMP_SYS(setsockopt), SCMP_SYS(shutdown),
};

/* The file itself may be replaced by another one, so a folder of its own is opened as a whole:
 * that of a resolver's daemon, say, but not /etc. */
static const char *resolv_conf_place(char place[PATH_MAX])
{
    char *slash;

    if (!realpath(RESOLV_CONF, place))
        return NULL;
    slash = strrchr(place, '/');
    if (strncmp(place, "/etc/", 5) != 0 && slash > place)
        *slash = '\0';
    return place;
}

static void enter_sandbox(const struct user_options *options)
{
    const struct rlimit fds = { STACK_FDS_MAX, STACK_FDS_MAX };
    const struct rlimit core = { 0, 0 };
    const char *readable[3] = { NULL };
    char place[PATH_MAX];
    const struct sandbox sandbox = {
        .calls = calls,
        .n_calls = sizeof(calls) / sizeof(calls[0]),
        .makes_inet_sockets = true,
        .readable = readable,
    };
    unsigned n = 0;
    int r;

    readable[n] = resolv_conf_place(place);
    n += readable[n] ? 1 : 0;
    readable[n] = *options->tftp ? options->tftp : NULL;
    if (setrlimit(RLIMIT_NOFILE, &fds) < 0 || setrlimit(RLIMIT_CORE, &core) < 0)
        companion_fail(-errno, "it cannot limit itself: %s", strerror(errno));
    r = sandbox_enter(&sandbox);
    if (r < 0)
        companion_fail(r, "it cannot make its sandbox: %s", strerror(-r));
}

static bool can_read_resolv_conf(void)
{
    _cleanup_(closep) int fd = open(RESOLV_CONF, O_RDONLY | O_CLOEXEC);

    return fd >= 0 || errno != EACCES;
}

/*
 * In place of resolv.conf there may be another file now, which this sandbox has no part in. Only
 * the next companion can read it. Looked at while frames come, once a second.
 */
static void follow_resolv_conf(bool could_read)
{
    static time_t looked;
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    if (!could_read || now.tv_sec == looked)
        return;
    looked = now.tv_sec;
    if (!can_read_resolv_conf())
        companion_fail(-ESTALE, RESOLV_CONF " was replaced");
}

static void check_folder(const char *path)
{
    _cleanup_(closep) int fd = *path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    if (*path && fd < 0)
        companion_fail(-EINVAL, "tftp=%s: this folder cannot be read: %s", path, strerror(errno));
}

static void take_frames(struct stack *stack, struct leases *leases)
{
    struct frame frame;
    int r;

    for (;;) {
        r = stream_peek(stack->stream, &frame);
        if (r)
            break;
        stack_input(stack, frame);
        leases_follow(leases, frame);
        stream_skip(stack->stream, frame);
    }
    if (r < 0)
        companion_fail(r, "what the relay sends is not frames");
}

static _Noreturn void run(struct stack *stack, struct leases *leases)
{
    static struct pollfd polled[STACK_FDS_MAX];
    struct stream *stream = stack->stream;
    bool could_read = can_read_resolv_conf();

    for (;;) {
        int wait_ms, n;

        if (stream_flush(stream) < 0)
            companion_end();
        polled[POLL_FRAMES] =
            (struct pollfd){ .fd = COMPANION_FRAMES_FD, .events = stream_events(stream) };
        polled[POLL_WORDS] = (struct pollfd){ .fd = COMPANION_WORDS_FD };
        wait_ms = stack_prepare(stack, polled, POLL_OWN);
        n = poll(polled, stack->n_polled, wait_ms);
        if (n < 0 && errno != EINTR)
            companion_fail(-errno, "it cannot wait: %s", strerror(errno));
        if (n > 0 && polled[POLL_WORDS].revents)
            companion_end(); /* the relay is gone */
        stack_proceed(stack, n);
        if (n <= 0 || !polled[POLL_FRAMES].revents)
            continue;
        if (stream_fill(stream) < 0)
            companion_end();
        take_frames(stack, leases);
        follow_resolv_conf(could_read);
    }
}

int main(int argc, char **argv)
{
    const char *text = companion_begin(argc, argv);
    static struct user_options options;
    static struct stream stream;
    static struct stack stack;
    struct leases leases;
    char error[USER_ERROR_MAX];

    if (!text)
        return 2;
    if (user_options_parse(&options, text, error) < 0)
        companion_fail(-EINVAL, "%s", error);
    check_folder(options.tftp);
    stream_init(&stream, COMPANION_FRAMES_FD);
    stack_open(&stack, &options, &stream);
    leases_open(&leases, stack.slirp, COMPANION_MEMORY_FD);
    enter_sandbox(&options);
    companion_is_up();
    run(&stack, &leases);
}
