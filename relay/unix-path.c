/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/unix-path.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "net/sockdiag.h"
#include "relay/log.h"

static const char *path_of(const struct inet_address *address)
{
    return ((const struct sockaddr_un *)&address->storage)->sun_path;
}

int unix_address(struct inet_address *ret, const char *path)
{
    struct sockaddr_un *address = (struct sockaddr_un *)&ret->storage;

    *ret = (struct inet_address){ .len = sizeof(*address) };
    if (strlen(path) >= sizeof(address->sun_path))
        return -ENAMETOOLONG;
    address->sun_family = AF_UNIX;
    strcpy(address->sun_path, path);
    return 0;
}

static int bind_owned(int fd, const struct inet_address *address)
{
    mode_t mask = umask(0177); /* from the first moment */
    int r = bind(fd, (const struct sockaddr *)&address->storage, address->len) < 0 ? -errno : 0;

    umask(mask);
    return r;
}

/* connect() refuses a plain file with the same words as a socket that nobody has. */
static int remove_stale(int fd, const struct inet_address *address)
{
    struct stat st;

    if (lstat(path_of(address), &st) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(st.st_mode))
        return -EEXIST;
    if (connect(fd, (const struct sockaddr *)&address->storage, address->len) == 0 ||
        errno != ECONNREFUSED)
        return -EADDRINUSE;
    return unlink(path_of(address)) < 0 ? -errno : 0;
}

int unix_bind(int fd, const struct inet_address *address, struct unix_path *ret)
{
    struct stat st;
    int r = bind_owned(fd, address);

    if (r == -EADDRINUSE) {
        r = remove_stale(fd, address);
        if (r == 0)
            r = bind_owned(fd, address);
    }
    if (r == 0 && lstat(path_of(address), &st) == 0)
        *ret = (struct unix_path){ .device = st.st_dev, .inode = st.st_ino };
    return r;
}

/* What somebody else put there stays. */
static int remove_made(const char *path, const struct unix_path *made)
{
    struct stat st;

    if (lstat(path, &st) < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
    if (st.st_dev != made->device || st.st_ino != made->inode)
        return 0;
    return unlink(path) < 0 ? -errno : 0;
}

void unix_unlink(const struct inet_address *address, struct unix_path *made)
{
    char shown[INET_TEXT_MAX];
    int r = made->inode ? remove_made(path_of(address), made) : 0;

    made->inode = 0;
    if (r < 0)
        log_warning("%s cannot be removed, and stays behind: %s",
                    log_printable(path_of(address), shown, sizeof(shown)), strerror(-r));
}

void unix_refused(const struct inet_address *address, int r, char *buf, size_t size)
{
    char shown[INET_TEXT_MAX], name[16];
    uint64_t inode;
    pid_t pid;

    log_printable(path_of(address), shown, sizeof(shown));
    if (r == -EEXIST)
        snprintf(buf, size, "%s is there and is no socket", shown);
    else if (r != -EADDRINUSE)
        snprintf(buf, size, "no socket can be made at %s: %s", shown, strerror(-r));
    else if (sockdiag_unix(path_of(address), &inode) == 0 &&
             sockdiag_process(inode, &pid, name) == 0)
        snprintf(buf, size, "%s is in use by %s (pid %d); end it or choose another path", shown,
                 name, (int)pid);
    else
        snprintf(buf, size, "%s is in use; choose another path", shown);
}
