/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A port by dialling: again and again, farther and farther between, for ever. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "common/scope.h"
#include "relay/attachment.h"
#include "relay/keeper.h"

#define ATTEMPT_MS 2000 /* a filtered address says nothing; ask anew rather than wait longer */

/* A far end that vanished without a word is noticed within this: by keepalive while the line is
 * idle, and by a look of ours while something of ours is not acknowledged. */
#define KEEPALIVE_IDLE_S     15
#define KEEPALIVE_INTERVAL_S 5
#define KEEPALIVE_PROBES     3
#define SILENCE_MAX_MS       30000
#define LOOK_MS              5000
#define WINDOW_PROBES        3 /* without an answer */

#define container(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

static void dial_next(struct attachment *a);

static void set_option(int fd, int level, int option, int value)
{
    if (setsockopt(fd, level, option, &value, sizeof(value)) < 0)
        log_debug("socket option %d of level %d: %s", option, level, strerror(errno));
}

static bool is_unix(const struct attachment *a)
{
    return a->remote.storage.ss_family == AF_UNIX;
}

static void hang_up(struct attachment *a)
{
    if (a->io.fd < 0)
        return;
    loop_del(&a->keeper->loop, &a->io);
    close(a->io.fd);
    a->io.fd = -1;
}

static void wait_for(struct attachment *a, int error)
{
    char why[128];

    if (is_unix(a) && error == EACCES)
        snprintf(why, sizeof(why), "user %u may not use it%s", (unsigned)geteuid(),
                 geteuid() ? "" : "; a relay of root has no rights to files of other users");
    else
        snprintf(why, sizeof(why), "%s", strerror(error));
    attachment_retry_later(a, why);
}

/* This address is no good: the next one, or after a while from the start. */
static void dial_failed(struct attachment *a, int error)
{
    hang_up(a);
    if (++a->address_index < a->resolver.n)
        dial_next(a);
    else
        wait_for(a, error);
}

struct ends {
    struct inet_address ours, theirs;
};

static bool ends_of(int fd, struct ends *ret)
{
    ret->ours.len = ret->theirs.len = sizeof(ret->ours.storage);
    return getsockname(fd, (struct sockaddr *)&ret->ours.storage, &ret->ours.len) == 0 &&
           getpeername(fd, (struct sockaddr *)&ret->theirs.storage, &ret->theirs.len) == 0;
}

/* A dialled free port of this very host can be given to the dialling socket itself. */
static bool is_own_echo(const struct ends *ends)
{
    char a[INET_TEXT_MAX], b[INET_TEXT_MAX];

    return strcmp(inet_format(&ends->ours, a), inet_format(&ends->theirs, b)) == 0;
}

/* It has its port. */
static void begin_up(struct attachment *a)
{
    a->up_ms = a->keeper->loop.now_ms;
    attachment_connected(a);
    if (!is_unix(a)) /* which are closed by whoever vanishes */
        loop_timer_in(&a->keeper->loop, &a->timer, LOOK_MS);
}

static void dial_done(struct attachment *a)
{
    _cleanup_(closep) int fd = -1;
    struct ends ends;
    bool known = ends_of(a->io.fd, &ends);
    int r;

    if (known && is_own_echo(&ends)) {
        dial_failed(a, ECONNREFUSED);
        return;
    }
    a->here = known && inet_same_host(&ends.ours, &ends.theirs);
    loop_timer_stop(&a->keeper->loop, &a->timer);
    loop_del(&a->keeper->loop, &a->io);
    fd = steal_fd(&a->io.fd);
    r = keeper_hold(a->keeper, a, is_unix(a) ? PORT_UNIX : PORT_TCP, fd, fd, "");
    if (r < 0) {
        attachment_retry_later(a, strerror(-r));
        return;
    }
    steal_fd(&fd);
    begin_up(a);
}

static void on_connect(struct loop_io *io, uint32_t revents)
{
    struct attachment *a = container(io, struct attachment, io);
    int error = 0;
    socklen_t len = sizeof(error);

    if (getsockopt(io->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        error = errno;
    if (error)
        dial_failed(a, error);
    else
        dial_done(a);
}

static void prepare_tcp(int fd)
{
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_OOBINLINE, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
}

static int dial(struct attachment *a, const struct inet_address *to)
{
    _cleanup_(closep) int fd =
        socket(to->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int r;

    if (fd < 0)
        return -errno;
    if (!is_unix(a))
        prepare_tcp(fd);
    if (connect(fd, (const struct sockaddr *)&to->storage, to->len) < 0 && errno != EINPROGRESS)
        return -errno;
    a->io.on_io = on_connect;
    r = loop_add(&a->keeper->loop, &a->io, fd, EPOLLOUT);
    if (r < 0) {
        a->io.fd = -1;
        return r;
    }
    steal_fd(&fd);
    return 0;
}

static void dial_next(struct attachment *a)
{
    int r = dial(a, &a->resolver.address[a->address_index]);

    if (r < 0)
        dial_failed(a, -r);
    else
        loop_timer_in(&a->keeper->loop, &a->timer, ATTEMPT_MS);
}

static void on_resolved(struct resolver *resolver)
{
    struct attachment *a = container(resolver, struct attachment, resolver);

    a->address_index = 0;
    if (resolver->n > 0)
        dial_next(a);
    else
        attachment_retry_later(a, resolver->error);
}

static void dial_begin(struct attachment *a)
{
    int r;

    a->address_index = 0;
    if (a->remote_known) {
        a->resolver.address[0] = a->remote;
        a->resolver.n = 1;
        dial_next(a);
        return;
    }
    if (!keeper_has_room(a->keeper)) {
        attachment_retry_later(a, strerror(EMFILE));
        return;
    }
    r = resolver_ask(&a->resolver, &a->endpoint.remote);
    if (r < 0)
        attachment_retry_later(a, strerror(-r));
}

/*
 * TCP itself would try for a quarter of an hour, and TCP_USER_TIMEOUT would cut a paused guest's
 * link too: its kernel answers, but has no room.
 */
static bool has_vanished(int fd)
{
    struct tcp_info info;
    socklen_t len = sizeof(info);

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
        return false;
    return info.tcpi_last_ack_recv > SILENCE_MAX_MS &&
           (info.tcpi_retransmits > 0 || info.tcpi_probes >= WINDOW_PROBES);
}

static void look_after(struct attachment *a, struct holding *port)
{
    if (has_vanished(port->rfd)) {
        log_limited(LOG_LEVEL_INFO, "%s does not answer any more", a->text);
        keeper_close_port(a->keeper, port);
    } else {
        loop_timer_in(&a->keeper->loop, &a->timer, LOOK_MS);
    }
}

/* An attempt took too long; the far end is to be looked after; or it is time for an attempt. */
static void on_timer(struct loop_timer *timer)
{
    struct attachment *a = container(timer, struct attachment, timer);
    struct holding *port = attachment_port(a);

    if (a->io.fd >= 0) {
        a->retry_ms = ATTACHMENT_RETRY_MIN; /* that attempt was pause enough */
        dial_failed(a, ETIMEDOUT);
    } else if (port) {
        look_after(a, port);
    } else {
        dial_begin(a);
    }
}

static int begin(struct attachment *a)
{
    a->timer.on_timer = on_timer;
    a->resolver.on_resolved = on_resolved;
    loop_timer_in(&a->keeper->loop, &a->timer, 0); /* whoever attached it hears of it first */
    return 0;
}

static int dialer_start(struct attachment *a, int passed_fd, char error[ATTACHMENT_TEXT_MAX])
{
    a->remote_known = inet_parse(&a->remote, &a->endpoint.remote) == 0;
    return begin(a);
}

static int unix_dialer_start(struct attachment *a, int passed_fd, char error[ATTACHMENT_TEXT_MAX])
{
    int r = unix_address(&a->remote, a->endpoint.path);

    if (r < 0) {
        snprintf(error, ATTACHMENT_TEXT_MAX, "%s: %s", a->text, strerror(-r));
        return r;
    }
    a->remote_known = true;
    return begin(a);
}

static void dialer_stop(struct attachment *a)
{
    hang_up(a);
}

static void dialer_port_gone(struct attachment *a)
{
    if (a->keeper->loop.now_ms - a->up_ms < ATTACHMENT_STEADY_MS) {
        attachment_retry_as_before(a, a->here ? CTL_DETAIL_HUNG_UP_HERE : CTL_DETAIL_HUNG_UP);
        return;
    }
    a->retry_ms = ATTACHMENT_RETRY_MIN;
    attachment_retry_later(a, "its connection has ended");
}

/* Nothing is to be dialled. */
static void dialer_claimed(struct attachment *a)
{
    loop_timer_stop(&a->keeper->loop, &a->timer);
    begin_up(a);
}

const struct attachment_ops dialer_ops = {
    .ports_last = true,
    .start = dialer_start,
    .stop = dialer_stop,
    .port_gone = dialer_port_gone,
    .claimed = dialer_claimed,
};

const struct attachment_ops unix_dialer_ops = {
    .ports_last = true,
    .start = unix_dialer_start,
    .stop = dialer_stop,
    .port_gone = dialer_port_gone,
    .claimed = dialer_claimed,
};
