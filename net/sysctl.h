/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Settings of the kernel, by their path below /proc/sys: "net/ipv6/conf/br0/accept_ra". */
#ifndef NR_NET_SYSCTL_H
#define NR_NET_SYSCTL_H

#include <stddef.h>

/* Without its newline. 0 or negative errno; -ENOENT: this kernel has no such setting. */
int sysctl_read(const char *path, char *ret, size_t size);
int sysctl_write(const char *path, const char *value);

#endif
