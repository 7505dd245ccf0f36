/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many frames for a TAP with one call: io_uring, where the kernel has it for us. What it is given
 * is written within that call, in order, and nothing is under way afterwards: a TAP that does not
 * wait never leaves a write to others. The kernel is told before the sandbox that this ring writes
 * and does nothing else, so it can do no more than write() could.
 */
#ifndef NR_RELAY_TAP_RING_H
#define NR_RELAY_TAP_RING_H

#include <liburing.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAP_RING_WRITES 32 /* 64 gain nothing more */

struct tap_ring {
    struct io_uring uring;
    bool is_there;
};

struct tap_write {
    const uint8_t *bytes;
    size_t len;
    int result; /* 0 or negative errno */
};

/* Where there is none (before Linux 6.1, kernel.io_uring_disabled) it is a call for each write. */
void tap_ring_open(struct tap_ring *ring);
/* Does n writes, up to TAP_RING_WRITES, to a descriptor that does not wait. */
void tap_ring_write(struct tap_ring *ring, int fd, struct tap_write *writes, unsigned n);

#endif
