/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many clients at once: from the first connect() until the last of them has heard a broadcast. It
 * is sent again each millisecond, since nobody but the relay knows who is on it already.
 */
#include "modes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "watch.h"

#define MS       1000000ull
#define DEADLINE (20000 * MS)
#define SETTLE   (100 * MS)

static int dial(uint16_t l4_port)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(l4_port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS) {
        int r = -errno;

        close(fd);
        return r;
    }
    return fd;
}

static int dial_all(const struct mode_options *o, int epoll)
{
    for (unsigned i = 0; i < o->clients; i++) {
        struct epoll_event event = { .events = EPOLLIN, .data.fd = dial(o->l4_port) };

        if (event.data.fd < 0)
            return event.data.fd;
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event) < 0)
            return -errno;
    }
    return 0;
}

/* Who has heard anything at all has heard a broadcast: nobody sends anything else. */
static unsigned hear(int epoll)
{
    struct epoll_event events[64];
    int n = epoll_wait(epoll, events, 64, 1);

    for (int i = 0; i < n; i++)
        epoll_ctl(epoll, EPOLL_CTL_DEL, events[i].data.fd, NULL);
    return n > 0 ? (unsigned)n : 0;
}

static int wait_for_all(const struct mode_options *o, int epoll, struct batch *broadcast)
{
    uint64_t began = now_ns(), sent = 0, now;
    unsigned heard = 0;

    while (heard < o->clients) {
        now = now_ns();
        if (now - began > DEADLINE)
            return -ETIME;
        if (now - sent > MS) {
            station_send(flows_station(0), broadcast, 0, 0, 1);
            sent = now;
        }
        heard += hear(epoll);
    }
    return 0;
}

int mode_burst(const struct mode_options *o)
{
    long before = watch_memory_kib();
    uint64_t began, took, cpu = watch_cpu_ns();
    int epoll = epoll_create1(EPOLL_CLOEXEC), r;
    struct batch broadcast;

    r = batch_init(&broadcast, "64", 64, true, CONTENT_DATA, 0, TO_ALL);
    if (r < 0 || epoll < 0 || !flows_station(0))
        return r < 0 ? r : -EINVAL;
    began = now_ns();
    r = dial_all(o, epoll);
    if (r == 0)
        r = wait_for_all(o, epoll, &broadcast);
    if (r < 0)
        return r;
    took = now_ns() - began;
    usleep(SETTLE / 1000);
    printf("{\"all_heard_ms\": %.2f, \"cpu_ns\": %llu, \"empty_kib\": %ld, "
           "\"kib_per_port\": %.2f, \"closed\": 0}\n",
           (double)took / 1e6, (unsigned long long)(watch_cpu_ns() - cpu), before,
           (double)(watch_memory_kib() - before) / o->clients);
    return 0;
}
