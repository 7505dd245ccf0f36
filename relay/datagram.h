/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whom a datagram socket hears. The kernel decides it before anything is queued, by a filter on the
 * socket, so what is not for us wakes nobody; what a filter throws away is counted as dropped.
 */
#ifndef NR_RELAY_DATAGRAM_H
#define NR_RELAY_DATAGRAM_H

#include <stdint.h>
#include "relay/inet.h"

/* Nobody, from the next datagram on. These return 0 or negative errno. */
int datagram_deafen(int fd);
/* UDP: only what is long enough to be a frame. */
int datagram_hear_frames(int fd);
/* UDP: everybody but who sends from this address. */
int datagram_hear_others(int fd, const struct inet_address *address);
/* Everybody that the socket itself lets in. What came in while it was deaf is let go. */
int datagram_hear_all(int fd);
/* A large buffer for what comes in, or as large as it may be; and one for what goes out. */
void datagram_buffer(int fd);
void datagram_buffers(int fd);
/* How many datagrams it has not taken, since it was made; the count starts anew after 2^32. */
int datagram_dropped(int fd, uint32_t *ret);

#endif
