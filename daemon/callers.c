/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/callers.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "daemon/log.h"

gid_t nr_callers_group(const char *name, const char *config)
{
    const struct group *group = name && *name ? getgrnam(name) : NULL;

    if (name && *name && !group)
        nr_log(NR_LOG_WARNING,
               "there is no group %s: only root may ask the manager; make it, or name another as "
               "group= under [control] in %s",
               name, config);
    return group ? group->gr_gid : NR_NO_GROUP;
}

/* For a moment a member itself, and this thread only: so it takes CAP_SETGID, which the manager has
 * for its relays, and not CAP_CHOWN as well. */
static int give_to(int dir_fd, const char *name, gid_t group)
{
    gid_t before = (gid_t)setfsgid(group);
    int r = fchownat(dir_fd, name, (uid_t)-1, group, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;

    setfsgid(before);
    return r;
}

/* The directory is ours, so the name leads to what we made. The owner's alone in between: neither
 * the old group nor the new one has a right that the other's mode gave. */
int nr_callers_let(int dir_fd, const char *name, gid_t group)
{
    int r = fchmodat(dir_fd, name, S_IRUSR | S_IWUSR, 0) < 0 ? -errno : 0;

    if (r == 0)
        r = give_to(dir_fd, name, group == NR_NO_GROUP ? getegid() : group);
    if (r < 0)
        return r;
    if (group != NR_NO_GROUP &&
        fchmodat(dir_fd, name, S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP, 0) < 0)
        return -errno;
    return 0;
}

static gboolean has_group(int sock, gid_t group)
{
    g_autofree gid_t *groups = NULL;
    socklen_t size = 0;

    /* Of a process without any it succeeds, and there is nothing to look at. */
    if (getsockopt(sock, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) == 0 || errno != ERANGE)
        return FALSE;
    groups = g_malloc(size);
    if (getsockopt(sock, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
        return FALSE;
    for (gsize i = 0; i < size / sizeof(*groups); i++)
        if (groups[i] == group)
            return TRUE;
    return FALSE;
}

gboolean nr_callers_may(int sock, gid_t group, uid_t *ret_uid)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return FALSE;
    if (ret_uid)
        *ret_uid = peer.uid;
    if (peer.uid == 0 || peer.uid == geteuid())
        return TRUE;
    return group != NR_NO_GROUP && (peer.gid == group || has_group(sock, group));
}
