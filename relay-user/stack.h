/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libslirp, as one network for any number of guests: what it calls, and its timers. */
#ifndef NR_RELAY_USER_STACK_H
#define NR_RELAY_USER_STACK_H

#include <poll.h>
#include <slirp/libslirp.h>
#include "companion/stream.h"
#include "relay-user/options.h"

#define STACK_FDS_MAX   1024 /* a guest that opens connections without end gets no further */
#define STACK_FRAME_MAX 9234 /* no guest behind this network has a larger MTU */

struct stack_timer {
    SlirpTimerCb run;
    void *opaque;
    int64_t at_ms; /* -1: not set */
    struct stack_timer *next;
};

struct stack {
    Slirp *slirp;
    struct stream *stream;
    struct stack_timer *timers;
    struct pollfd *polled; /* slirp's come after the first ones, which are the program's own */
    unsigned n_polled;
};

/* Makes the network and its forwarded ports; ends the process, saying why, where it cannot. */
void stack_open(struct stack *stack, const struct user_options *options, struct stream *stream);
/* A frame of a guest's. */
void stack_input(struct stack *stack, struct frame frame);
/* Adds what slirp waits for to polled, from n_own on; returns for how long, in ms, or -1. */
int stack_prepare(struct stack *stack, struct pollfd *polled, unsigned n_own);
/* After poll(), which returned this. */
void stack_proceed(struct stack *stack, int poll_result);

#endif
