/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/read-all.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>
#include "common/scope.h"

/* 1 when there is something to read, 0 when the time is up, or -errno. */
static int wait_readable(int fd, gint64 deadline)
{
    struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

    for (;;) {
        gint64 left = deadline < 0 ? -1 : MAX(0, (deadline - g_get_monotonic_time()) / 1000);
        int r = poll(&poll_fd, 1, (int)left);

        if (r >= 0 || errno != EINTR)
            return r < 0 ? -errno : r;
    }
}

int nr_read_all(int fd, gsize limit, int timeout_ms, GByteArray **ret)
{
    gint64 deadline = timeout_ms < 0 ? -1 : g_get_monotonic_time() + timeout_ms * 1000LL;
    g_autoptr(GByteArray) all = g_byte_array_new();
    gboolean excess = FALSE;
    guint8 chunk[65536];

    for (;;) {
        ssize_t n;
        int r = wait_readable(fd, deadline);

        if (r <= 0)
            return r < 0 ? r : -ETIMEDOUT;
        n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0)
            break;
        excess = excess || (n > 0 && all->len + (gsize)n > limit);
        if (n > 0 && !excess)
            g_byte_array_append(all, chunk, (guint)n);
    }
    if (excess)
        return -EFBIG;
    *ret = g_steal_pointer(&all);
    return 0;
}

int nr_read_named(const char *file, gsize limit, GByteArray **ret)
{
    _cleanup_(closep) int fd = g_str_equal(file, "-") ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                                                      : open(file, O_RDONLY | O_CLOEXEC);

    return fd < 0 ? -errno : nr_read_all(fd, limit, -1, ret);
}
