/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/service.h"

#include <fcntl.h>
#include <glib.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "common/scope.h"

#define LISTEN_FDS_START 3
#define WATCHDOG_PINGS   3 /* in each period: one may be late */

void nr_service_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    _cleanup_(closep) int sock = -1;
    size_t length;

    if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(address.sun_path))
        return;
    length = strlen(path);
    memcpy(address.sun_path, path, length);
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (sock >= 0)
        (void)!sendto(sock, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
                      (struct sockaddr *)&address,
                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
}

void nr_service_raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static gboolean on_ping_due(gpointer data)
{
    nr_service_notify("WATCHDOG=1");
    return G_SOURCE_CONTINUE;
}

void nr_service_watchdog(void)
{
    const char *pid = getenv("WATCHDOG_PID"), *period = getenv("WATCHDOG_USEC");
    guint64 period_us = 0;

    if (period && (!pid || atol(pid) == (long)getpid()))
        period_us = g_ascii_strtoull(period, NULL, 10);
    g_unsetenv("WATCHDOG_PID");
    g_unsetenv("WATCHDOG_USEC");
    if (period_us > 0)
        g_timeout_add((guint)CLAMP(period_us / 1000 / WATCHDOG_PINGS, 1, G_MAXINT), on_ping_due,
                      NULL);
}

static gboolean is_hook_socket(int fd)
{
    int type = 0, listening = 0;
    socklen_t size = sizeof(int);

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening;
}

int nr_service_hook_socket(void)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    int found = -1;

    if (pid && count && atol(pid) == (long)getpid()) {
        for (int fd = LISTEN_FDS_START; fd < LISTEN_FDS_START + atoi(count); fd++) {
            (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
            if (found < 0 && is_hook_socket(fd))
                found = fd;
        }
    }
    g_unsetenv("LISTEN_PID");
    g_unsetenv("LISTEN_FDS");
    g_unsetenv("LISTEN_FDNAMES");
    return found;
}
