/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a host_change is to the kernel. Each is in a state, which is a text to compare by, and ""
 * where there is nothing; a change leads from one state to another, and back. Over rtnetlink and
 * /proc/sys: short, local calls. All return 0 or a negative errno.
 */
#ifndef NR_NET_KERNEL_CHANGE_H
#define NR_NET_KERNEL_CHANGE_H

#include "common/host-change.h"

#define KERNEL_STATE_MAX 128

/* The state now. -ENOTSUP: the device's name is that of something else. */
int kernel_look(const struct host_change *change, char ret[KERNEL_STATE_MAX]);
/* The state to bring about; what is there already, and will do, is left as it is. -ENODEV: there is
 * no such device to change. */
int kernel_aim(const struct host_change *change, const char *before, char ret[KERNEL_STATE_MAX]);
/* Brings it about; once more is no fault. -EEXIST: something else is in the way; -EADDRINUSE:
 * another device is in the address's subnet; -EBUSY: others use what is to go. */
int kernel_put(const struct host_change *change, const char *state);

#endif
