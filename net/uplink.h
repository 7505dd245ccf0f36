/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Moves a device's addresses and routes to a bridge, of which it becomes a member, and back, over
 * rtnetlink and /proc/sys. Both may die at any moment: the record says what is still to be taken
 * back. The caller holds the lock. All return 0 or a negative errno.
 */
#ifndef NR_NET_UPLINK_H
#define NR_NET_UPLINK_H

#include "net/uplink-record.h"

/* Records how it is, and moves. On a failure the record stays, and uplink_back() is to follow.
 * until: as in the record. */
int uplink_there(int dir_fd, const char *network, const char *device, const char *bridge,
                 long long until);
/* By the record; 0 where there is none. What cannot be had back is left out, and the record stays
 * for another try. */
int uplink_back(int dir_fd, const char *device);
/* What the device has; the caller's, free(). */
int uplink_look(const char *device, struct uplink **ret);

#endif
