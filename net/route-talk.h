/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rtnetlink by whole messages, as they are dumped and as they are sent back: what a library has no
 * name for is kept, too. The kernel answers within the call. Negative errno on failure.
 */
#ifndef NR_NET_ROUTE_TALK_H
#define NR_NET_ROUTE_TALK_H

#include <linux/netlink.h>

/* Descriptor. */
int route_talk_open(void);
/* One request with an acknowledgement; its errno is the kernel's own. message: its sequence number
 * and NLM_F_ACK are set. */
int route_talk_ask(int fd, struct nlmsghdr *message);
/* All objects of RTM_GETADDR, RTM_GETROUTE ... and a family; take() gets each. -EAGAIN: they
 * changed meanwhile, ask again. */
int route_talk_dump(int fd, int type, int family,
                    int (*take)(const struct nlmsghdr *message, void *data), void *data);

#endif
