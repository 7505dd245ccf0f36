/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kinds of host_change that say where an address is: a route to it, and an answer for it; for
 * kernel-change.c only, whose header says what look and put do. A state is "set", or "".
 */
#ifndef NR_NET_KERNEL_ROUTE_H
#define NR_NET_KERNEL_ROUTE_H

#include "net/kernel-change.h"

int host_route_look(const struct host_change *change, char ret[KERNEL_STATE_MAX]);
int host_route_put(const struct host_change *change, const char *state);

int proxy_look(const struct host_change *change, char ret[KERNEL_STATE_MAX]);
int proxy_put(const struct host_change *change, const char *state);

#endif
