/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An event loop: descriptors, timers, callbacks; it knows nothing of frames. It owns neither the
 * descriptors nor the structs that are embedded elsewhere. A callback may delete any io or timer,
 * its own too. What epoll refuses because it never waits (/dev/null, a plain file) counts as
 * always ready.
 */
#ifndef NR_RELAY_LOOP_H
#define NR_RELAY_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#define LOOP_EVENTS 128 /* a round */

struct loop_io {
    int fd;
    uint32_t events; /* EPOLLIN, EPOLLOUT; 0: nothing is told, not even a hang-up */
    void (*on_io)(struct loop_io *io, uint32_t revents);
    bool polled;          /* known to epoll */
    bool always;          /* epoll refused it */
    struct loop_io *next; /* loop.always */
};

struct loop_timer {
    uint64_t at_ms;
    void (*on_timer)(struct loop_timer *timer);
    bool armed;
    struct loop_timer *next; /* loop.timers, ascending */
};

struct loop {
    int epoll;
    uint64_t now_ns; /* CLOCK_BOOTTIME, taken once a round */
    uint64_t now_ms;
    struct epoll_event events[LOOP_EVENTS];
    int n_events;
    struct loop_io *always;
    struct loop_timer *timers;
};

int loop_init(struct loop *loop);
void loop_done(struct loop *loop);
int loop_add(struct loop *loop, struct loop_io *io, int fd, uint32_t events);
int loop_set(struct loop *loop, struct loop_io *io, uint32_t events);
void loop_del(struct loop *loop, struct loop_io *io);
/* Sets or moves it: in delay_ms from this round's time. */
void loop_timer_in(struct loop *loop, struct loop_timer *timer, uint64_t delay_ms);
void loop_timer_stop(struct loop *loop, struct loop_timer *timer);
/* Waits for something and calls whom it concerns. 0 or negative errno. */
int loop_round(struct loop *loop);
/* Sleeps, whatever may come, until so long after the round began: less than a second. */
void loop_rest(struct loop *loop, uint32_t ns);

#endif
