/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which guest has which address, beyond the life of this process: libslirp's own note of it, in
 * the memory that the relay keeps for the next companion. Without it a new guest could be given an
 * address that another one still uses.
 */
#ifndef NR_RELAY_USER_LEASES_H
#define NR_RELAY_USER_LEASES_H

#include <slirp/libslirp.h>
#include "relay/frame.h"

struct leases {
    struct leases_memory *memory; /* mapped; NULL: they are not kept */
    Slirp *slirp;
};

/* Takes what a predecessor noted. */
void leases_open(struct leases *leases, Slirp *slirp, int memory_fd);
/* After a frame of a guest's: notes what it may have changed. */
void leases_follow(struct leases *leases, struct frame frame);

#endif
