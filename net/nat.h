/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Masquerading: what guests of a subnet send out of this host leaves with the host's own address.
 * Each subnet is a rule in the chain `postrouting` of the table `inet netrelay`, which is there as
 * long as it has rules. A rule is known as ours by its comment, "virbr9 192.168.9.1/24".
 */
#ifndef NR_NET_NAT_H
#define NR_NET_NAT_H

#include <stdbool.h>

#define NAT_COMMANDS_MAX 512

/*
 * device: the bridge of the guests. value: "192.168.9.1/24" or, with the only way out at which it
 * is done, "192.168.9.1/24,eth0". -EINVAL: it is none, or a device has a name that nft(8) would
 * read as something else. What else may fail is in net/nft.h.
 */
int nat_is_set(const char *device, const char *value, bool *ret);
int nat_add(const char *device, const char *value);
/* Also where it is gone already; with the last rule goes the table, unless others use it. */
int nat_remove(const char *device, const char *value);

/* The commands by which nft(8) would do what nat_add() does. 0 or -EINVAL. */
int nat_commands(const char *device, const char *value, char ret[NAT_COMMANDS_MAX]);

#endif
