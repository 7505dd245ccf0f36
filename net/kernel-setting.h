/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kinds of host_change that are a setting of a device below /proc/sys; for kernel-change.c
 * only, whose header says what the three do. A state begins with the setting's value, and is ""
 * where there is no such device; what is behind the value depends on the kind.
 */
#ifndef NR_NET_KERNEL_SETTING_H
#define NR_NET_KERNEL_SETTING_H

#include "net/kernel-change.h"

int setting_look(const struct host_change *change, char ret[KERNEL_STATE_MAX]);
int setting_aim(const struct host_change *change, const char *before, char ret[KERNEL_STATE_MAX]);
int setting_put(const struct host_change *change, const char *state);

#endif
