/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/route-talk.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "common/scope.h"

#define ANSWER_MAX (64 * 1024) /* the kernel fills at most half of it at a time */
#define TIMEOUT_S  5           /* the kernel is never that slow; a bound all the same */

static unsigned next_sequence;

int route_talk_open(void)
{
    _cleanup_(closep) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
    struct timeval timeout = { .tv_sec = TIMEOUT_S };

    if (fd < 0 || connect(fd, (struct sockaddr *)&kernel, sizeof(kernel)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0)
        return -errno;
    return steal_fd(&fd);
}

static int ask(int fd, struct nlmsghdr *message)
{
    message->nlmsg_flags |= NLM_F_REQUEST;
    message->nlmsg_seq = ++next_sequence;
    return send(fd, message, message->nlmsg_len, 0) < 0 ? -errno : 0;
}

/* 0: more is to come; 1: that was the last one; negative errno. */
static int hear(const struct nlmsghdr *message,
                int (*take)(const struct nlmsghdr *message, void *data), void *data)
{
    const struct nlmsgerr *error = NLMSG_DATA(message);

    if (message->nlmsg_seq != next_sequence)
        return 0;
    if (message->nlmsg_flags & NLM_F_DUMP_INTR)
        return -EAGAIN;
    if (message->nlmsg_type == NLMSG_DONE)
        return 1;
    if (message->nlmsg_type == NLMSG_ERROR) {
        if (message->nlmsg_len < NLMSG_LENGTH(sizeof(*error)))
            return -EBADMSG;
        return error->error == 0 ? 1 : error->error;
    }
    return take ? take(message, data) : 0;
}

static int hear_all(int fd, int (*take)(const struct nlmsghdr *message, void *data), void *data)
{
    _cleanup_(freep) char *buf = malloc(ANSWER_MAX);
    int r = 0;

    if (!buf)
        return -ENOMEM;
    while (r == 0) {
        ssize_t n = recv(fd, buf, ANSWER_MAX, 0);
        size_t left = n < 0 ? 0 : (size_t)n;

        if (n < 0 && errno != EINTR)
            return -errno;
        for (struct nlmsghdr *m = (struct nlmsghdr *)buf; r == 0 && NLMSG_OK(m, left);
             m = NLMSG_NEXT(m, left))
            r = hear(m, take, data);
    }
    return r < 0 ? r : 0;
}

int route_talk_ask(int fd, struct nlmsghdr *message)
{
    int r;

    message->nlmsg_flags |= NLM_F_ACK;
    r = ask(fd, message);
    return r < 0 ? r : hear_all(fd, NULL, NULL);
}

int route_talk_dump(int fd, int type, int family,
                    int (*take)(const struct nlmsghdr *message, void *data), void *data)
{
    struct {
        struct nlmsghdr header;
        struct rtgenmsg family;
    } request = { .header = { .nlmsg_len = sizeof(request),
                              .nlmsg_type = (uint16_t)type,
                              .nlmsg_flags = NLM_F_DUMP },
                  .family = { .rtgen_family = (uint8_t)family } };
    int r = ask(fd, &request.header);

    return r < 0 ? r : hear_all(fd, take, data);
}
