/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/service.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "common/scope.h"
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

#define LISTEN_FDS_START 3
#define STORED_PREFIX    "relay-"
#define WATCHDOG_PINGS   3 /* in each period: one may be late */

typedef struct {
    char *text;
    int fd; /* -1: none */
} Notice;

/* What systemd is told goes in order, and what it does not take yet waits: it has room for few
 * messages at a time, and there may be one for each guest. */
static struct {
    int sock; /* 0: not yet */
    GQueue waiting;
    guint watch;
} notifier;

/* Connected to whoever is to be told, or -1. */
static int notify_socket(void)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    _cleanup_(closep) int sock = -1;
    size_t length;

    if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(address.sun_path))
        return -1;
    length = strlen(path);
    memcpy(address.sun_path, path, length);
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (sock < 0 || connect(sock, (struct sockaddr *)&address,
                            (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0)
        return -1;
    return steal_fd(&sock);
}

static void notice_free(gpointer data)
{
    Notice *notice = data;

    closep(&notice->fd);
    g_free(notice->text);
    g_free(notice);
}

/* FALSE: it has to wait. What cannot be said at all is dropped. */
static gboolean notice_send(const Notice *notice)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    struct iovec iov = { .iov_base = notice->text, .iov_len = strlen(notice->text) };
    struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (notice->fd >= 0) {
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.header), &notice->fd, sizeof(int));
        header.msg_control = &control;
        header.msg_controllen = sizeof(control.room);
    }
    return sendmsg(notifier.sock, &header, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0 ||
           (errno != EAGAIN && errno != ENOBUFS && errno != ETOOMANYREFS);
}

static gboolean on_notify_writable(gint fd, GIOCondition condition, gpointer data)
{
    Notice *notice;

    while ((notice = g_queue_peek_head(&notifier.waiting))) {
        if (!notice_send(notice))
            return G_SOURCE_CONTINUE;
        notice_free(g_queue_pop_head(&notifier.waiting));
    }
    notifier.watch = 0;
    return G_SOURCE_REMOVE;
}

/* fd stays the caller's. */
static void notify(const char *text, int fd)
{
    Notice notice = { (char *)text, fd }, *copy;

    if (notifier.sock == 0)
        notifier.sock = notify_socket();
    if (notifier.sock < 0 || (g_queue_is_empty(&notifier.waiting) && notice_send(&notice)))
        return;
    copy = g_new(Notice, 1);
    *copy = (Notice){ g_strdup(text), fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3) };
    g_queue_push_tail(&notifier.waiting, copy);
    if (!notifier.watch)
        notifier.watch = g_unix_fd_add(notifier.sock, G_IO_OUT, on_notify_writable, NULL);
}

void nr_service_notify(const char *state)
{
    notify(state, -1);
}

/* Without systemd's own watch on it: what it took away by itself nobody would tell us of. */
static char *store_text(const char *name)
{
    return g_strdup_printf("FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name);
}

void nr_service_store(const char *name, int fd)
{
    g_autofree char *text = store_text(name);

    notify(text, fd);
}

static gint compare_text(gconstpointer notice, gconstpointer text)
{
    return strcmp(((const Notice *)notice)->text, text);
}

/* What is still on its way is not sent at all: so as little waits as there is to be held. */
void nr_service_unstore(const char *name)
{
    g_autofree char *store = store_text(name);
    g_autofree char *text = g_strdup_printf("FDSTOREREMOVE=1\nFDNAME=%s", name);
    GList *waiting = g_queue_find_custom(&notifier.waiting, store, compare_text);

    if (waiting) {
        notice_free(waiting->data);
        g_queue_delete_link(&notifier.waiting, waiting);
    } else {
        notify(text, -1);
    }
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

int nr_service_take_descriptors(void (*stored)(const char *name, int fd, gpointer data),
                                gpointer data)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    const char *all_names = getenv("LISTEN_FDNAMES");
    g_auto(GStrv) names = g_strsplit(all_names ? all_names : "", ":", -1);
    int n = pid && count && atol(pid) == (long)getpid() ? atoi(count) : 0;
    int n_names = (int)g_strv_length(names), found = -1;

    for (int i = 0; i < n; i++) {
        int fd = LISTEN_FDS_START + i;

        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
        if (found < 0 && is_hook_socket(fd))
            found = fd;
        else if (i < n_names && g_str_has_prefix(names[i], STORED_PREFIX))
            stored(names[i], fd, data);
    }
    g_unsetenv("LISTEN_PID");
    g_unsetenv("LISTEN_FDS");
    g_unsetenv("LISTEN_FDNAMES");
    return found;
}

void nr_service_exit(int status)
{
#ifdef __SANITIZE_ADDRESS__
    __lsan_do_leak_check(); /* as exit() would */
#endif
    fflush(NULL);
    _exit(status);
}
