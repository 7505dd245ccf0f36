/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may ask the manager: root, its own user, and the members of one group, if there is one. Who
 * is a member is what the kernel says of the process that connected, supplementary groups and all,
 * and not what a database says of its user.
 */
#ifndef NR_DAEMON_CALLERS_H
#define NR_DAEMON_CALLERS_H

#include <glib.h>
#include <sys/types.h>

#define NR_NO_GROUP ((gid_t)-1)

/* The group that was named; "" or NULL is none. One that does not exist is none, and said. */
gid_t nr_callers_group(const char *name, const char *config);
/* Lets its owner use the socket dir_fd/name, and the group. 0 or -errno: then only its owner. */
int nr_callers_let(int dir_fd, const char *name, gid_t group);
/* May who connected this socket ask? ret_uid, unless NULL: whose process that is. */
gboolean nr_callers_may(int sock, gid_t group, uid_t *ret_uid);

#endif
