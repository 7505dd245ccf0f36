/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/strangers.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "common/scope.h"
#include "relay/datagram.h"
#include "relay/keeper.h"

/* The kernel's count is of 32 bits: it has to be read before it can have gone round. */
#define LOOK_MS (10 * 60 * 1000)

#define container(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

struct strangers {
    struct strangers *next; /* keeper.strangers */
    struct keeper *keeper;
    struct inet_address local;
    unsigned n_members;
    const struct attachment *told; /* to whom they are told; NULL: to the next one that asks */
    int fd;
    uint32_t seen; /* of the kernel's count */
    uint64_t untold;
    struct loop_timer timer;
};

static void look(struct strangers *strangers)
{
    uint32_t now;

    if (datagram_dropped(strangers->fd, &now) < 0)
        return;
    strangers->untold += now - strangers->seen;
    strangers->seen = now;
}

static void on_timer(struct loop_timer *timer)
{
    struct strangers *strangers = container(timer, struct strangers, timer);

    look(strangers);
    loop_timer_in(&strangers->keeper->loop, timer, LOOK_MS);
}

static struct strangers *find(const struct keeper *keeper, const struct inet_address *local)
{
    struct strangers *s = keeper->strangers;

    while (s &&
           (s->local.len != local->len || memcmp(&s->local.storage, &local->storage, local->len)))
        s = s->next;
    return s;
}

static bool is_any(const struct inet_address *address)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address->storage;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->storage;

    return address->storage.ss_family == AF_INET6 ? IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr)
                                                  : v4->sin_addr.s_addr == htonl(INADDR_ANY);
}

static in_port_t l4_port_of(const struct inet_address *address)
{
    return address->storage.ss_family == AF_INET6
               ? ((const struct sockaddr_in6 *)&address->storage)->sin6_port
               : ((const struct sockaddr_in *)&address->storage)->sin_port;
}

bool strangers_know(const struct keeper *keeper, const struct inet_address *local)
{
    if (!is_any(local))
        return find(keeper, local);
    for (const struct strangers *s = keeper->strangers; s; s = s->next)
        if (s->local.storage.ss_family == local->storage.ss_family &&
            l4_port_of(&s->local) == l4_port_of(local))
            return true;
    return false;
}

static int deaf_socket(const struct inet_address *local)
{
    _cleanup_(closep) int fd =
        socket(local->storage.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1, r;

    if (fd < 0)
        return -errno;
    r = datagram_deafen(fd);
    if (r < 0)
        return r;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0 ||
        bind(fd, (const struct sockaddr *)&local->storage, local->len) < 0)
        return -errno;
    return steal_fd(&fd);
}

static int strangers_new(struct strangers **ret, struct keeper *keeper,
                         const struct inet_address *local)
{
    _cleanup_(closep) int fd = deaf_socket(local);
    struct strangers *strangers;

    if (fd < 0)
        return fd;
    strangers = calloc(1, sizeof(*strangers));
    if (!strangers)
        return -ENOMEM;
    *strangers = (struct strangers){
        .next = keeper->strangers,
        .keeper = keeper,
        .local = *local,
        .fd = steal_fd(&fd),
        .timer.on_timer = on_timer,
    };
    keeper->strangers = strangers;
    loop_timer_in(&keeper->loop, &strangers->timer, LOOK_MS);
    *ret = strangers;
    return 0;
}

int strangers_join(struct attachment *attachment, const struct inet_address *local)
{
    struct strangers *strangers;
    int r;

    if (attachment->strangers)
        return 0;
    strangers = find(attachment->keeper, local);
    if (!strangers) {
        r = strangers_new(&strangers, attachment->keeper, local);
        if (r < 0)
            return r;
    }
    ++strangers->n_members;
    attachment->strangers = strangers;
    return 0;
}

void strangers_leave(struct attachment *attachment)
{
    struct strangers *strangers = attachment->strangers;
    struct strangers **at = &attachment->keeper->strangers;

    if (!strangers)
        return;
    attachment->strangers = NULL;
    if (strangers->told == attachment)
        strangers->told = NULL;
    if (--strangers->n_members)
        return;
    while (*at != strangers)
        at = &(*at)->next;
    *at = strangers->next;
    loop_timer_stop(&strangers->keeper->loop, &strangers->timer);
    close(strangers->fd);
    free(strangers);
}

uint64_t strangers_take(struct attachment *attachment)
{
    struct strangers *strangers = attachment->strangers;
    uint64_t count;

    if (!strangers)
        return 0;
    if (!strangers->told || !strangers->told->n_ports)
        strangers->told = attachment;
    if (strangers->told != attachment)
        return 0;
    look(strangers);
    count = strangers->untold;
    strangers->untold = 0;
    return count;
}
