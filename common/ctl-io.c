/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/ctl-io.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include "common/scope.h"

/* Room for two descriptors, because alignment gives it anyway; a second one is refused. */
union control {
    struct cmsghdr header;
    char room[CMSG_SPACE(2 * sizeof(int))];
};

static int io_error(void)
{
    return errno == ECONNRESET ? -EPIPE : -errno;
}

int ctl_io_send(int sock, const struct ctl_msg *msg, int pass_fd)
{
    union control control = { 0 };
    struct iovec iov = { .iov_base = (void *)msg->buf, .iov_len = msg->len };
    struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };
    ssize_t n;

    if (msg->len > CTL_MSG_MAX)
        return -EMSGSIZE;
    if (pass_fd >= 0) {
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.header), &pass_fd, sizeof(int));
        header.msg_control = &control;
        header.msg_controllen = CMSG_SPACE(sizeof(int));
    }
    do {
        n = sendmsg(sock, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? io_error() : 0; /* a packet goes whole or not at all */
}

/* The one descriptor that came, or -1. With more than one all are closed: -EPROTO. */
static int take_fd(struct msghdr *header, int *ret_fd)
{
    _cleanup_(closep) int taken = -1;
    bool several = false;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t at = CMSG_LEN(0); at + sizeof(int) <= c->cmsg_len; at += sizeof(int)) {
            several = several || taken >= 0;
            closep(&taken);
            memcpy(&taken, (char *)c + at, sizeof(int));
        }
    }
    if (several)
        return -EPROTO;
    *ret_fd = steal_fd(&taken);
    return 0;
}

int ctl_io_recv(int sock, struct ctl_msg *msg, int *ret_fd)
{
    _cleanup_(closep) int fd = -1;
    union control control;
    struct iovec iov = { .iov_base = msg->buf, .iov_len = sizeof(msg->buf) };
    struct msghdr header = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof(control),
    };
    ssize_t n;
    int r;

    *ret_fd = -1;
    msg->len = 0;
    do {
        n = recvmsg(sock, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return io_error();

    r = take_fd(&header, &fd);
    if (r < 0)
        return r;
    if (n == 0) /* the end; an empty packet looks the same, and who sends one is cut off */
        return -EPIPE;
    if (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
        return -EPROTO;
    msg->len = (size_t)n;
    r = ctl_msg_check(msg);
    if (r < 0)
        return r;
    *ret_fd = steal_fd(&fd);
    return 0;
}
