/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/route-socket.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include "common/scope.h"

void nl_socket_freep(struct nl_sock **sock)
{
    nl_socket_free(*sock); /* copes with NULL */
}

/* libnl has numbers of its own; only those that a person's mistake can cause are told apart. */
int route_errno(int nl_error)
{
    static const int ours[] = {
        [NLE_NODEV] = ENODEV,         [NLE_OBJ_NOTFOUND] = ENODEV, [NLE_PERM] = EPERM,
        [NLE_NOACCESS] = EACCES,      [NLE_NOMEM] = ENOMEM,        [NLE_BUSY] = EBUSY,
        [NLE_EXIST] = EEXIST,         [NLE_INVAL] = EINVAL,        [NLE_RANGE] = ERANGE,
        [NLE_OPNOTSUPP] = EOPNOTSUPP,
    };
    size_t i = (size_t)-nl_error;

    return i < sizeof(ours) / sizeof(ours[0]) && ours[i] ? -ours[i] : -EIO;
}

int route_open(struct nl_sock **ret)
{
    _cleanup_(nl_socket_freep) struct nl_sock *sock = nl_socket_alloc();
    int r;

    if (!sock)
        return -ENOMEM;
    r = nl_connect(sock, NETLINK_ROUTE); /* close-on-exec */
    if (r < 0)
        return route_errno(r);
    *ret = steal_ptr(&sock);
    return 0;
}
