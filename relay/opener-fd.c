/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Descriptors that are there already: inherited, handed over by a client, or standard input and
 * output. Their one port ends with them. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "common/scope.h"
#include "net/tap.h"
#include "relay/attachment.h"
#include "relay/keeper.h"

static int get_option(int fd, int option)
{
    int value = -1;
    socklen_t len = sizeof(value);

    return getsockopt(fd, SOL_SOCKET, option, &value, &len) < 0 ? -1 : value;
}

static bool is_connected(int fd)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);

    return getpeername(fd, (struct sockaddr *)&address, &len) == 0;
}

/* What kind of port a descriptor can be, or negative errno. */
static int kind_of(int fd, char ifname[TAP_NAME_MAX])
{
    int domain = get_option(fd, SO_DOMAIN), on = 1, flags;

    if (tap_name(fd, ifname) == 0) {
        flags = fcntl(fd, F_GETFL);
        return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : PORT_TAP;
    }
    ifname[0] = '\0';
    if (get_option(fd, SO_TYPE) != SOCK_STREAM || !is_connected(fd))
        return -EINVAL;
    if ((domain != AF_INET && domain != AF_INET6) || get_option(fd, SO_PROTOCOL) != IPPROTO_TCP)
        return domain == AF_UNIX ? PORT_UNIX : PORT_PIPE;
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)) < 0)
        return -errno;
    return PORT_TCP;
}

static int fd_start(struct attachment *a, int passed_fd, char error[ATTACHMENT_TEXT_MAX])
{
    _cleanup_(closep) int fd = -1;
    int kind, r;

    if (passed_fd < 0 && a->by_hand) /* a number of a client's would say nothing here */
        fd = fcntl(a->endpoint.fd, F_DUPFD_CLOEXEC, 3);
    if (passed_fd < 0 && fd < 0) {
        snprintf(error, ATTACHMENT_TEXT_MAX, "%s: there is no such descriptor", a->text);
        return -EINVAL;
    }
    kind = kind_of(fd >= 0 ? fd : passed_fd, a->ifname);
    if (kind < 0) {
        snprintf(error, ATTACHMENT_TEXT_MAX, "%s is neither a connected stream socket nor a TAP",
                 a->text);
        return -EINVAL;
    }
    r = keeper_hold(a->keeper, a, (enum port_kind)kind, fd >= 0 ? fd : passed_fd,
                    fd >= 0 ? fd : passed_fd, a->ifname);
    if (r < 0) {
        snprintf(error, ATTACHMENT_TEXT_MAX, "%s: %s", a->text, strerror(-r));
        return r;
    }
    if (fd >= 0) { /* only our own copy counts from here on */
        close(a->endpoint.fd);
        steal_fd(&fd);
    }
    attachment_set_state(a, CTL_ENDPOINT_UP, a->ifname);
    return 0;
}

/*
 * A description of our own, so that its being non-blocking is not everybody's; what cannot be
 * opened anew (a socket) is used as it is, without changing it. In its place comes /dev/null: when
 * the port ends, who is behind it must notice.
 */
static int take_standard(int fd, int flags)
{
    _cleanup_(closep) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    char path[32];
    int own;

    if (null < 0)
        return -errno;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    own = open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (own < 0)
        own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (own < 0)
        return -errno;
    if (dup2(null, fd) < 0) {
        close(own);
        return -errno;
    }
    return own;
}

static int stdio_start(struct attachment *a, int passed_fd, char error[ATTACHMENT_TEXT_MAX])
{
    _cleanup_(closep) int in = -1;
    _cleanup_(closep) int out = -1;
    int r;

    if (!a->by_hand) {
        snprintf(error, ATTACHMENT_TEXT_MAX,
                 "standard input and output can only be given on the command line");
        return -EINVAL;
    }
    in = take_standard(STDIN_FILENO, O_RDONLY);
    out = in < 0 ? -1 : take_standard(STDOUT_FILENO, O_WRONLY | O_APPEND);
    r = in < 0 ? in : out < 0 ? out : keeper_hold(a->keeper, a, PORT_PIPE, in, out, "");
    if (r < 0) {
        snprintf(error, ATTACHMENT_TEXT_MAX, "standard input and output: %s", strerror(-r));
        return r;
    }
    steal_fd(&in);
    steal_fd(&out);
    attachment_set_state(a, CTL_ENDPOINT_UP, "");
    return 0;
}

static void fd_stop(struct attachment *a)
{
    /* the descriptors are a port's */
}

static void fd_port_gone(struct attachment *a)
{
    attachment_set_state(a, CTL_ENDPOINT_ENDED, "");
}

const struct attachment_ops fd_ops = {
    .takes_fd = true,
    .start = fd_start,
    .stop = fd_stop,
    .port_gone = fd_port_gone,
};

const struct attachment_ops stdio_ops = {
    .start = stdio_start,
    .stop = fd_stop,
    .port_gone = fd_port_gone,
};
