/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/resolver.h"

#include <errno.h>
#include <netdb.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <signal.h>
#include <unistd.h>
#include "common/scope.h"
#include "relay/spawn-self.h"

#define ANSWER_FD 3

struct answer {
    uint32_t n;
    char error[128];
    struct inet_address address[RESOLVER_ADDRESSES_MAX];
};

static void collect(struct answer *answer, const struct addrinfo *list)
{
    for (; list && answer->n < RESOLVER_ADDRESSES_MAX; list = list->ai_next) {
        struct inet_address *to = &answer->address[answer->n];

        if (list->ai_addrlen > sizeof(to->storage))
            continue;
        memcpy(&to->storage, list->ai_addr, list->ai_addrlen);
        to->len = list->ai_addrlen;
        ++answer->n;
    }
}

int resolver_main(const char *host, const char *l4_port)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
    struct answer answer = { 0 };
    struct addrinfo *list = NULL;
    int r;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(RESOLVER_TIMEOUT_S);
    r = getaddrinfo(host, l4_port, &hints, &list);
    if (r == 0) {
        collect(&answer, list);
        freeaddrinfo(list);
    }
    if (!answer.n)
        snprintf(answer.error, sizeof(answer.error), "%s",
                 r ? gai_strerror(r) : "it has no address");
    return send(ANSWER_FD, &answer, sizeof(answer), MSG_NOSIGNAL) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

void resolver_init(struct resolver *resolver, struct loop *loop)
{
    *resolver = (struct resolver){ .loop = loop, .io.fd = -1 };
}

void resolver_cancel(struct resolver *resolver)
{
    if (resolver->io.fd < 0)
        return;
    loop_del(resolver->loop, &resolver->io);
    close(resolver->io.fd); /* the child has its own end in time, and an alarm */
    resolver->io.fd = -1;
}

static void on_answer(struct loop_io *io, uint32_t revents)
{
    struct resolver *resolver = (struct resolver *)((char *)io - offsetof(struct resolver, io));
    struct answer answer;
    ssize_t n = recv(io->fd, &answer, sizeof(answer), MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    resolver_cancel(resolver);
    resolver->n = 0;
    if (n == sizeof(answer) && answer.n <= RESOLVER_ADDRESSES_MAX) {
        resolver->n = answer.n;
        memcpy(resolver->address, answer.address, sizeof(resolver->address));
        snprintf(resolver->error, sizeof(resolver->error), "%.*s", (int)sizeof(answer.error) - 1,
                 answer.error);
    } else {
        snprintf(resolver->error, sizeof(resolver->error), "nobody answered");
    }
    resolver->on_resolved(resolver);
}

int resolver_ask(struct resolver *resolver, const struct endpoint_address *address)
{
    _cleanup_(closep) int theirs = -1;
    _cleanup_(closep) int ours = -1;
    char l4_port[8];
    int pair[2], r;
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        return -errno;
    ours = pair[0];
    theirs = pair[1];
    snprintf(l4_port, sizeof(l4_port), "%u", address->l4_port);
    pid = spawn_self((const char *[]){ "--resolve", address->host, l4_port, NULL }, &theirs, 1);
    if (pid < 0)
        return (int)pid;
    resolver->io.on_io = on_answer;
    r = loop_add(resolver->loop, &resolver->io, ours, EPOLLIN);
    if (r < 0) {
        resolver->io.fd = -1;
        return r;
    }
    steal_fd(&ours);
    return 0;
}
