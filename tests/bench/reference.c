/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench-reference KIND NUMBER FD...: one of the relays that a benchmark compares with, on
 * descriptors that it inherits, the ends of a pair side by side. Ends with its first connection.
 */
#include "reference.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

static const struct {
    const char *name;
    int (*run)(struct ends *ends);
    const char *what;
} references[] = {
    { "copy", reference_copy, "bytes of each pair, 256 KiB at a time" },
    { "awake", reference_awake, "copy that never sleeps, and looks every NUMBER us" },
    { "fanout", reference_fanout, "bytes of the first to all others" },
    { "per-frame", reference_per_frame, "wakes for every frame of NUMBER bytes" },
    { "udp", reference_udp, "recvfrom and sendto" },
    { "udp-gso", reference_udp_gso, "streams and UDP, cut and joined by the kernel" },
    { "tap", reference_tap, "a stream and a TAP, frame by frame" },
    { "tso", reference_tso, "TAPs with vnet headers, segments as large as they come" },
    { "slow", reference_slow, "copy that is busy for NUMBER us after each read" },
    { "drops", reference_drops, "copy without every NUMBERth frame" },
    { "repeats", reference_repeats, "copy with every NUMBERth frame twice" },
    { "changes", reference_changes, "copy with a byte changed in every NUMBERth frame" },
    { "swaps", reference_swaps, "copy with every NUMBERth frame after the next one" },
    { "strays", reference_strays, "copy with every NUMBERth frame to the next pair" },
};

void send_all(int fd, const uint8_t *data, size_t len)
{
    while (len) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

        if (n < 0)
            exit(0);
        data += n;
        len -= (size_t)n;
    }
}

size_t receive(int fd, uint8_t *data, size_t len)
{
    ssize_t n = recv(fd, data, len, MSG_DONTWAIT);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != ECONNREFUSED))
        exit(0);
    return n > 0 ? (size_t)n : 0;
}

size_t frame_len(const uint8_t *p)
{
    return (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
}

void write_header(uint8_t *p, size_t len)
{
    p[0] = (uint8_t)(len >> 24);
    p[1] = (uint8_t)(len >> 16);
    p[2] = (uint8_t)(len >> 8);
    p[3] = (uint8_t)len;
}

int for_each_readable(struct ends *ends, carry_fn carry)
{
    struct epoll_event events[64];
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    for (unsigned i = 0; i < ends->count; i++) {
        struct epoll_event event = { .events = EPOLLIN, .data.u32 = i };

        if (epoll_ctl(epoll, EPOLL_CTL_ADD, ends->fd[i], &event) < 0)
            return -errno;
    }
    for (;;) {
        int n = epoll_wait(epoll, events, 64, -1);

        if (n < 0 && errno != EINTR)
            return -errno;
        for (int i = 0; i < n; i++)
            carry(ends, events[i].data.u32, events[i].data.u32 ^ 1);
    }
}

static int print_usage(void)
{
    fprintf(stderr, "usage: bench-reference KIND NUMBER FD...\n");
    for (size_t i = 0; i < sizeof(references) / sizeof(references[0]); i++)
        fprintf(stderr, "  %-10s %s\n", references[i].name, references[i].what);
    return 2;
}

int main(int argc, char **argv)
{
    static struct ends ends;
    int r = -EINVAL;

    if (argc < 5 || argc - 3 > ENDS_MAX)
        return print_usage();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    ends.number = (unsigned)atoi(argv[2]);
    for (int i = 3; i < argc; i++) {
        ends.fd[ends.count] = atoi(argv[i]);
        fcntl(ends.fd[ends.count++], F_SETFL, 0); /* sends wait; what must not says so */
    }
    for (size_t i = 0; i < sizeof(references) / sizeof(references[0]); i++)
        if (strcmp(argv[1], references[i].name) == 0)
            r = references[i].run(&ends);
    if (r == -EINVAL)
        return print_usage();
    fprintf(stderr, "bench-reference %s: %s\n", argv[1], strerror(-r));
    return 1;
}
