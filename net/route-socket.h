/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A socket for rtnetlink, and its errors as errno; for net/ only. */
#ifndef NR_NET_ROUTE_SOCKET_H
#define NR_NET_ROUTE_SOCKET_H

struct nl_sock;

/* *ret is the caller's. 0 or negative errno. */
int route_open(struct nl_sock **ret);
void nl_socket_freep(struct nl_sock **sock);
/* A negative errno for a negative number of libnl's. */
int route_errno(int nl_error);

#endif
