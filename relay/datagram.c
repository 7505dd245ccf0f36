/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/datagram.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include "relay/frame.h"
#include "relay/log.h"

#define IPV4_SOURCE    12 /* in the header */
#define IPV6_SOURCE    8
#define UDP_HEADER     8
#define DRAIN_MAX      64
#define RECEIVE_BUFFER (4 * 1024 * 1024)
#define SEND_BUFFER    (1024 * 1024)

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

static void drain(int fd)
{
    /* One that was on its way in when the filter was already behind it. */
    for (int i = 0; i < DRAIN_MAX; ++i)
        if (recv(fd, NULL, 0, MSG_DONTWAIT | MSG_TRUNC) < 0)
            break;
}

/* Adds: if the word at offset of the IP header is another one than value, skip the next so many. */
static size_t add_word(struct sock_filter *code, unsigned offset, uint32_t value, unsigned skip)
{
    code[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_NET_OFF + offset);
    code[1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip);
    return 2;
}

int datagram_hear_others(int fd, const struct inet_address *address)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address->storage;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->storage;
    bool is_v6 = address->storage.ss_family == AF_INET6;
    const uint32_t *words = is_v6 ? v6->sin6_addr.s6_addr32 : &v4->sin_addr.s_addr;
    unsigned n_words = is_v6 ? 4 : 1, first = is_v6 ? IPV6_SOURCE : IPV4_SOURCE;
    uint16_t l4_port = ntohs(is_v6 ? v6->sin6_port : v4->sin_port);
    struct sock_filter code[2 + 2 * 4 + 2];
    size_t n = 0;
    int r;

    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0); /* the source port */
    code[n++] =
        (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, l4_port, 0, 2 * n_words + 1);
    for (unsigned i = 0; i < n_words; ++i)
        n += add_word(code + n, first + 4 * i, ntohl(words[i]), 2 * (n_words - 1 - i) + 1);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
    r = attach(fd, code, (unsigned short)n);
    drain(fd);
    return r;
}

int datagram_hear_all(int fd)
{
    int unused = 0;

    if (setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof(unused)) < 0)
        return -errno;
    drain(fd);
    return 0;
}

static void set_buffer(int fd, int option, int forced, int bytes)
{
    /* The first is for the privileged, beyond what net.core allows. */
    if (setsockopt(fd, SOL_SOCKET, forced, &bytes, sizeof(bytes)) < 0 &&
        setsockopt(fd, SOL_SOCKET, option, &bytes, sizeof(bytes)) < 0)
        log_debug("descriptor %d has a small buffer", fd);
}

void datagram_buffer(int fd)
{
    set_buffer(fd, SO_RCVBUF, SO_RCVBUFFORCE, RECEIVE_BUFFER);
}

void datagram_buffers(int fd)
{
    datagram_buffer(fd);
    set_buffer(fd, SO_SNDBUF, SO_SNDBUFFORCE, SEND_BUFFER);
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
