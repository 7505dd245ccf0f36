/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host names, without waiting: getaddrinfo() blocks, so a short-lived child (this program again)
 * asks, and its answer is an event.
 */
#ifndef NR_RELAY_RESOLVER_H
#define NR_RELAY_RESOLVER_H

#include "relay/inet.h"
#include "relay/loop.h"

#define RESOLVER_ADDRESSES_MAX 8
#define RESOLVER_TIMEOUT_S     10

struct resolver {
    struct loop *loop;
    struct loop_io io; /* fd -1: not asking */
    struct inet_address address[RESOLVER_ADDRESSES_MAX];
    unsigned n; /* 0 after a failure */
    char error[128];
    void (*on_resolved)(struct resolver *resolver);
};

void resolver_init(struct resolver *resolver, struct loop *loop);
/* One question at a time. 0: on_resolved() will be called; or negative errno. */
int resolver_ask(struct resolver *resolver, const struct endpoint_address *address);
void resolver_cancel(struct resolver *resolver);
/* The child's program: answers on its descriptor 3. Returns an exit status. */
int resolver_main(const char *host, const char *l4_port);

#endif
