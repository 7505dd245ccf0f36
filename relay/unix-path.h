/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * UNIX sockets that have a place in the file system. Ours are made so that only root and the user
 * we run as may connect; one that nobody has open any more, as of a relay that was killed, makes
 * room, and one that is somebody's does not.
 */
#ifndef NR_RELAY_UNIX_PATH_H
#define NR_RELAY_UNIX_PATH_H

#include <sys/types.h>
#include "relay/inet.h"

/* What was made at a path: nothing else is ever removed. inode 0: nothing. */
struct unix_path {
    dev_t device;
    ino_t inode;
};

/* -ENAMETOOLONG. */
int unix_address(struct inet_address *ret, const char *path);
/* 0; -EADDRINUSE: it is somebody's; -EEXIST: no socket lies there; or another negative errno. */
int unix_bind(int fd, const struct inet_address *address, struct unix_path *ret);
void unix_unlink(const struct inet_address *address, struct unix_path *made);
/* Why it could not be bound: "/run/x is in use by qemu (pid 4242)", as far as it can be seen. */
void unix_refused(const struct inet_address *address, int r, char *buf, size_t size);

#endif
