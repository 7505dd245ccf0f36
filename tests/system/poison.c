/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preloaded: whoever receives a long run of the byte POISON crashes, as on a frame that meets a
 * fault in the code. Only for programs under test.
 */
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define POISON 0xee
#define RUN    400

static void look(const struct msghdr *message, ssize_t received)
{
    size_t run = 0;

    for (size_t i = 0; i < message->msg_iovlen && received > 0; i++) {
        const uint8_t *bytes = message->msg_iov[i].iov_base;
        size_t n = message->msg_iov[i].iov_len;

        for (size_t at = 0; at < n && received > 0; at++, received--) {
            run = bytes[at] == POISON ? run + 1 : 0;
            if (run == RUN)
                abort();
        }
    }
}

ssize_t recvmsg(int sock, struct msghdr *message, int flags)
{
    ssize_t n = syscall(SYS_recvmsg, sock, message, flags);

    look(message, n);
    return n;
}

ssize_t recv(int sock, void *buffer, size_t length, int flags)
{
    ssize_t n = syscall(SYS_recvfrom, sock, buffer, length, flags, NULL, NULL);
    struct iovec iov = { .iov_base = buffer, .iov_len = length };

    if (buffer) /* else it was only let go */
        look(&(struct msghdr){ .msg_iov = &iov, .msg_iovlen = 1 }, n);
    return n;
}
