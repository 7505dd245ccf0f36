/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/handover.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
    struct cmsghdr header;
    char room[CMSG_SPACE(HANDOVER_FDS_MAX * sizeof(int))];
};

int handover_send(int sock, const struct handover *message, const int *fds, unsigned n_fds)
{
    union control control = { 0 };
    struct iovec iov = { .iov_base = (void *)message, .iov_len = sizeof(*message) };
    struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (n_fds > 0) {
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(n_fds * sizeof(int));
        memcpy(CMSG_DATA(&control.header), fds, n_fds * sizeof(int));
        header.msg_control = &control;
        header.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
    }
    if (sendmsg(sock, &header, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
        return 0;
    /* ETOOMANYREFS: more descriptors in flight than allowed; they will be taken off soon. */
    return errno == ETOOMANYREFS || errno == EINTR ? -EAGAIN : -errno;
}

static void take_fds(struct msghdr *header, int fds[HANDOVER_FDS_MAX])
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        unsigned n = 0;

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t at = CMSG_LEN(0); at + sizeof(int) <= c->cmsg_len; at += sizeof(int)) {
            int fd;

            memcpy(&fd, (char *)c + at, sizeof(fd));
            if (n < HANDOVER_FDS_MAX)
                fds[n++] = fd;
            else
                close(fd);
        }
    }
}

int handover_recv(int sock, struct handover *message, int fds[HANDOVER_FDS_MAX])
{
    union control control;
    struct iovec iov = { .iov_base = message, .iov_len = sizeof(*message) };
    struct msghdr header = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof(control),
    };
    ssize_t n;

    fds[0] = fds[1] = -1;
    n = recvmsg(sock, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0)
        return errno == ECONNRESET ? -EPIPE : errno == EINTR ? -EAGAIN : -errno;
    if (n == 0)
        return -EPIPE;
    take_fds(&header, fds);
    if (n != sizeof(*message)) {
        for (int i = 0; i < HANDOVER_FDS_MAX; ++i)
            if (fds[i] >= 0)
                close(fds[i]);
        fds[0] = fds[1] = -1;
        return -EPROTO;
    }
    return 0;
}
