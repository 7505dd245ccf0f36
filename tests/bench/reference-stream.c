/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reference.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static uint8_t buffer[BUFFER + 2 * (HEADER + FRAME_MAX)];

static void copy(struct ends *ends, unsigned from, unsigned to)
{
    size_t n = receive(ends->fd[from], buffer, BUFFER);

    if (n)
        send_all(ends->fd[to], buffer, n);
}

int reference_copy(struct ends *ends)
{
    return for_each_readable(ends, copy);
}

static void copy_to_all(struct ends *ends, unsigned from, unsigned to)
{
    size_t n = receive(ends->fd[from], buffer, BUFFER);

    for (unsigned i = 0; n && i < ends->count; i++)
        if (i != from)
            send_all(ends->fd[i], buffer, n);
}

int reference_fanout(struct ends *ends)
{
    return for_each_readable(ends, copy_to_all);
}

/* A receive can be short only where the sender's write was. */
static void copy_frame(struct ends *ends, unsigned from, unsigned to)
{
    size_t n = receive(ends->fd[from], buffer, HEADER + ends->number);

    if (n)
        send_all(ends->fd[to], buffer, n);
}

int reference_per_frame(struct ends *ends)
{
    return for_each_readable(ends, copy_frame);
}

static void stay_busy(unsigned us)
{
    struct timespec began, now;

    clock_gettime(CLOCK_MONOTONIC, &began);
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - began.tv_sec) * 1000000 + (now.tv_nsec - began.tv_nsec) / 1000 < us);
}

/* Never asleep, so that no sender has to wake it; frames gather while it looks away. */
int reference_awake(struct ends *ends)
{
    for (;;) {
        for (unsigned i = 0; i < ends->count; i++)
            copy(ends, i, i ^ 1);
        stay_busy(ends->number);
    }
}

static void copy_slowly(struct ends *ends, unsigned from, unsigned to)
{
    copy(ends, from, to);
    stay_busy(ends->number);
}

int reference_slow(struct ends *ends)
{
    return for_each_readable(ends, copy_slowly);
}

/* Faults: whole frames are read, and most of them are passed on as they are. */

#define FAULTY_MAX 64 /* ends */

static struct partial {
    uint8_t data[HEADER + FRAME_MAX];
    size_t len;
} partials[FAULTY_MAX];

typedef void (*fault_fn)(struct ends *ends, unsigned to, uint8_t *frame, size_t len);

static fault_fn fault;
static unsigned passed;

/* Announcements pass: it is the data that goes wrong. */
static int is_data(const uint8_t *frame)
{
    return frame[HEADER] != 0xff;
}

static void pass_with_fault(struct ends *ends, unsigned from, unsigned to)
{
    struct partial *p = &partials[from];
    size_t have, at = 0, whole;

    memcpy(buffer, p->data, p->len);
    have = p->len + receive(ends->fd[from], buffer + p->len, BUFFER);
    while (have - at >= HEADER && have - at >= HEADER + frame_len(buffer + at)) {
        whole = HEADER + frame_len(buffer + at);
        if (is_data(buffer + at) && ++passed % ends->number == 0)
            fault(ends, to, buffer + at, whole);
        else
            send_all(ends->fd[to], buffer + at, whole);
        at += whole;
    }
    p->len = have - at;
    memcpy(p->data, buffer + at, p->len);
}

static int run_with(struct ends *ends, fault_fn wrong)
{
    if (ends->count > FAULTY_MAX || ends->number == 0)
        return -EINVAL;
    fault = wrong;
    return for_each_readable(ends, pass_with_fault);
}

static void drop(struct ends *ends, unsigned to, uint8_t *frame, size_t len)
{
}

int reference_drops(struct ends *ends)
{
    return run_with(ends, drop);
}

static void repeat(struct ends *ends, unsigned to, uint8_t *frame, size_t len)
{
    send_all(ends->fd[to], frame, len);
    send_all(ends->fd[to], frame, len);
}

int reference_repeats(struct ends *ends)
{
    return run_with(ends, repeat);
}

static void change(struct ends *ends, unsigned to, uint8_t *frame, size_t len)
{
    frame[len - 1] ^= 1;
    send_all(ends->fd[to], frame, len);
}

int reference_changes(struct ends *ends)
{
    return run_with(ends, change);
}

static void swap(struct ends *ends, unsigned to, uint8_t *frame, size_t len)
{
    static struct partial late;

    if (late.len)
        send_all(ends->fd[to], late.data, late.len);
    memcpy(late.data, frame, len);
    late.len = len;
}

int reference_swaps(struct ends *ends)
{
    return run_with(ends, swap);
}

static void stray(struct ends *ends, unsigned to, uint8_t *frame, size_t len)
{
    send_all(ends->fd[(to + 2) % ends->count], frame, len);
}

int reference_strays(struct ends *ends)
{
    return run_with(ends, stray);
}
