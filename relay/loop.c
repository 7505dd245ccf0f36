/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/loop.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

static void take_time(struct loop *loop)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    loop->now_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    loop->now_ms = loop->now_ns / 1000000;
}

int loop_init(struct loop *loop)
{
    *loop = (struct loop){ .epoll = epoll_create1(EPOLL_CLOEXEC) };
    if (loop->epoll < 0)
        return -errno;
    take_time(loop);
    return 0;
}

void loop_done(struct loop *loop)
{
    if (loop->epoll >= 0)
        close(loop->epoll);
    loop->epoll = -1;
}

static void always_remove(struct loop *loop, struct loop_io *io)
{
    struct loop_io **at = &loop->always;

    while (*at && *at != io)
        at = &(*at)->next;
    if (*at)
        *at = io->next;
    io->always = false;
}

/* epoll tells of a hang-up even where nothing was asked for, again and again; so an io that asks
 * for nothing is taken out. */
static int epoll_change(struct loop *loop, struct loop_io *io, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = io };
    int op = !events ? EPOLL_CTL_DEL : io->polled ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

    if (!events && !io->polled)
        return 0;
    if (epoll_ctl(loop->epoll, op, io->fd, &event) < 0) {
        if (errno != EPERM)
            return -errno;
        io->always = true;
        io->next = loop->always;
        loop->always = io;
        return 0;
    }
    io->polled = events != 0;
    return 0;
}

int loop_add(struct loop *loop, struct loop_io *io, int fd, uint32_t events)
{
    int r;

    io->fd = fd;
    io->polled = false;
    io->always = false;
    io->events = 0;
    r = epoll_change(loop, io, events);
    if (r == 0)
        io->events = events;
    return r;
}

int loop_set(struct loop *loop, struct loop_io *io, uint32_t events)
{
    int r;

    if (io->events == events)
        return 0;
    if (!io->always) {
        r = epoll_change(loop, io, events);
        if (r < 0)
            return r;
    }
    io->events = events;
    return 0;
}

void loop_del(struct loop *loop, struct loop_io *io)
{
    if (io->always)
        always_remove(loop, io);
    else
        epoll_change(loop, io, 0);
    io->events = 0;
    for (int i = 0; i < loop->n_events; ++i)
        if (loop->events[i].data.ptr == io)
            loop->events[i].data.ptr = NULL;
}

void loop_timer_stop(struct loop *loop, struct loop_timer *timer)
{
    struct loop_timer **at = &loop->timers;

    if (!timer->armed)
        return;
    while (*at && *at != timer)
        at = &(*at)->next;
    if (*at)
        *at = timer->next;
    timer->armed = false;
}

void loop_timer_in(struct loop *loop, struct loop_timer *timer, uint64_t delay_ms)
{
    struct loop_timer **at = &loop->timers;

    loop_timer_stop(loop, timer);
    timer->at_ms = loop->now_ms + delay_ms;
    while (*at && (*at)->at_ms <= timer->at_ms)
        at = &(*at)->next;
    timer->next = *at;
    *at = timer;
    timer->armed = true;
}

/* The round may have taken long: the time is taken anew. */
static int wait_ms(struct loop *loop)
{
    uint64_t now;

    for (const struct loop_io *io = loop->always; io; io = io->next)
        if (io->events)
            return 0;
    if (!loop->timers)
        return -1;
    take_time(loop);
    now = loop->now_ms;
    if (loop->timers->at_ms <= now)
        return 0;
    return loop->timers->at_ms - now > 60000 ? 60000 : (int)(loop->timers->at_ms - now);
}

/* A callback may delete any io, so each is looked for in the list again before it is called. */
static void run_always(struct loop *loop)
{
    struct loop_io *ready[16];
    int n = 0;

    for (struct loop_io *io = loop->always; io && n < 16; io = io->next)
        if (io->events)
            ready[n++] = io;
    for (int i = 0; i < n; ++i) {
        struct loop_io *io = loop->always;

        while (io && io != ready[i])
            io = io->next;
        if (io && io->events)
            io->on_io(io, io->events);
    }
}

static void run_timers(struct loop *loop)
{
    for (int n = 0; n < 4096 && loop->timers && loop->timers->at_ms <= loop->now_ms; ++n) {
        struct loop_timer *timer = loop->timers;

        loop->timers = timer->next;
        timer->armed = false;
        timer->on_timer(timer);
    }
}

int loop_round(struct loop *loop)
{
    int n = epoll_wait(loop->epoll, loop->events, LOOP_EVENTS, wait_ms(loop));

    if (n < 0 && errno != EINTR)
        return -errno;
    loop->n_events = n > 0 ? n : 0;
    take_time(loop);
    for (int i = 0; i < loop->n_events; ++i) {
        struct loop_io *io = loop->events[i].data.ptr;

        if (io)
            io->on_io(io, loop->events[i].events);
    }
    loop->n_events = 0;
    run_always(loop);
    run_timers(loop);
    return 0;
}

void loop_rest(struct loop *loop, uint32_t ns)
{
    uint64_t end = loop->now_ns + ns;
    struct timespec timeout = { 0 };

    if (ns > 0)
        take_time(loop);
    if (loop->now_ns >= end)
        return;
    timeout.tv_nsec = (long)(end - loop->now_ns);
    ppoll(NULL, 0, &timeout, NULL);
}
