/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Datagrams that came to an address of ours from nobody we know. The address's ports are connected
 * sockets, so the kernel gives the rest to one more socket there which is not: it hears nothing and
 * is never read; that the kernel counts what it threw away is all it is for.
 *
 * Ports that share an address share its strangers. They are told to one of them at a time, the
 * first that asks, and to another when that one is gone: the ports' sum is what came.
 */
#ifndef NR_RELAY_STRANGERS_H
#define NR_RELAY_STRANGERS_H

#include <stdint.h>
#include "relay/attachment.h"

/* From here on they are counted at this address, which is one and not any of ours: else nobody
 * could have this port on another one. Joining twice is joining once. 0 or negative errno: then
 * they are not counted, and all else is as ever. */
/* Does a UDP port of this relay have this address, or, where it is any address, its port number? */
bool strangers_know(const struct keeper *keeper, const struct inet_address *local);
int strangers_join(struct attachment *attachment, const struct inet_address *local);
void strangers_leave(struct attachment *attachment);
/* How many came since this was asked last, as far as they are to be told to this one. */
uint64_t strangers_take(struct attachment *attachment);

#endif
