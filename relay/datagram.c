/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/datagram.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/sock_diag.h>
#include <stddef.h>
#include <sys/socket.h>
#include "relay/frame.h"
#include "relay/log.h"

#define UDP_HEADER     8
#define DRAIN_MAX      64
#define RECEIVE_BUFFER (4 * 1024 * 1024)

static int attach(int fd, struct sock_filter *code, unsigned short len)
{
    struct sock_fprog program = { .len = len, .filter = code };

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno : 0;
}

int datagram_deafen(int fd)
{
    struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);

    return attach(fd, &nothing, 1);
}

int datagram_hear_frames(int fd)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, UDP_HEADER + FRAME_MIN, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };

    return attach(fd, code, sizeof(code) / sizeof(code[0]));
}

int datagram_hear_all(int fd)
{
    int unused = 0;

    if (setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof(unused)) < 0)
        return -errno;
    /* One that was on its way in when the filter was already behind it. */
    for (int i = 0; i < DRAIN_MAX; ++i)
        if (recv(fd, NULL, 0, MSG_DONTWAIT | MSG_TRUNC) < 0)
            break;
    return 0;
}

void datagram_buffer(int fd)
{
    int bytes = RECEIVE_BUFFER;

    /* The first is for the privileged, beyond what net.core.rmem_max allows. */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0 &&
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)) < 0)
        log_debug("descriptor %d has a small receive buffer", fd);
}

int datagram_dropped(int fd, uint32_t *ret)
{
    uint32_t memory[SK_MEMINFO_VARS] = { 0 };
    socklen_t len = sizeof(memory);

    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &len) < 0)
        return -errno;
    *ret = memory[SK_MEMINFO_DROPS];
    return 0;
}
