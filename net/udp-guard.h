/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A QEMU with a NIC of type udp hears whoever sends to its port. The table `inet netrelay_guard`
 * drops what users of this host send there who are not to: by the user of the sending socket, on
 * the loopback device, by which everything goes that stays on the host. IPv4, as QEMU has it.
 */
#ifndef NR_NET_UDP_GUARD_H
#define NR_NET_UDP_GUARD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct udp_guarded {
    struct in_addr addr; /* INADDR_ANY: at every address of this host */
    uint16_t l4_port;    /* host byte order */
};

/* All return 0 or a negative errno; see net/nft.h. */
int udp_guard_is_set(bool *ret);
/* The table, which keeps nothing from anybody yet. */
int udp_guard_add(void);
/* Also where it is gone already. */
int udp_guard_remove(void);
/* In one step: what is guarded, in place of what was, and who may send. more: beside what was.
 * -ENOENT: there is no such table. */
int udp_guard_fill(const struct udp_guarded *guarded, size_t n, const uid_t *senders,
                   size_t n_senders, bool more);

#endif
