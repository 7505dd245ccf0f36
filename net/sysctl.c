/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "common/scope.h"

static int sysctl_open(const char *path, int flags)
{
    char whole[PATH_MAX];
    int fd;

    if ((size_t)snprintf(whole, sizeof(whole), "/proc/sys/%s", path) >= sizeof(whole))
        return -ENAMETOOLONG;
    fd = open(whole, flags | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int sysctl_read(const char *path, char *ret, size_t size)
{
    _cleanup_(closep) int fd = sysctl_open(path, O_RDONLY);
    ssize_t n;

    if (fd < 0)
        return fd;
    n = read(fd, ret, size);
    if (n < 0)
        return -errno;
    if ((size_t)n >= size)
        return -ENOBUFS;
    ret[n] = '\0';
    ret[strcspn(ret, "\n")] = '\0';
    return 0;
}

int sysctl_write(const char *path, const char *value)
{
    _cleanup_(closep) int fd = sysctl_open(path, O_WRONLY);
    size_t length = strlen(value);

    if (fd < 0)
        return fd;
    return write(fd, value, length) == (ssize_t)length ? 0 : -errno;
}
