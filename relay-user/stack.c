/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay-user/stack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <glib.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "companion/companion.h"
#include "net/sockdiag.h"
#include "relay/log.h"

#define NS_PER_MS 1000000

static int64_t clock_ns(void *opaque)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 * NS_PER_MS + now.tv_nsec;
}

/* What has no room is dropped, as on any network: TCP comes back to it. */
static ssize_t send_packet(const void *frame, size_t len, void *opaque)
{
    struct stack *stack = opaque;

    stream_put(stack->stream, frame, len);
    return (ssize_t)len;
}

static void guest_error(const char *text, void *opaque)
{
    char shown[200];

    log_limited(LOG_LEVEL_INFO, "libslirp complains: %s",
                log_printable(text, shown, sizeof(shown)));
}

/* GLib's own way of logging looks for a journal and a terminal first, out of reach from here. */
static void on_complaint(const char *domain, GLogLevelFlags level, const char *text, void *opaque)
{
    guest_error(text, opaque);
}

static void *timer_new(SlirpTimerCb run, void *run_opaque, void *opaque)
{
    struct stack *stack = opaque;
    struct stack_timer *timer = calloc(1, sizeof(*timer));

    if (!timer)
        abort(); /* libslirp, too, ends where there is no memory */
    timer->run = run;
    timer->opaque = run_opaque;
    timer->at_ms = -1;
    timer->next = stack->timers;
    stack->timers = timer;
    return timer;
}

static void timer_free(void *which, void *opaque)
{
    struct stack *stack = opaque;
    struct stack_timer **at = &stack->timers;

    while (*at && *at != which)
        at = &(*at)->next;
    if (*at)
        *at = (*at)->next;
    free(which);
}

static void timer_mod(void *which, int64_t at_ms, void *opaque)
{
    struct stack_timer *timer = which;

    timer->at_ms = at_ms;
}

/* Descriptors are asked for anew each round. */
static void ignore_fd(int fd, void *opaque)
{
}

/* It is only called from within slirp, which is called before each wait. */
static void ignore_notice(void *opaque)
{
}

static const SlirpCb callbacks = {
    .send_packet = send_packet,
    .guest_error = guest_error,
    .clock_get_ns = clock_ns,
    .timer_new = timer_new,
    .timer_free = timer_free,
    .timer_mod = timer_mod,
    .register_poll_fd = ignore_fd,
    .unregister_poll_fd = ignore_fd,
    .notify = ignore_notice,
};

static const char *or_null(const char *text)
{
    return *text ? text : NULL;
}

/* Why it cannot be had, and what to do. */
static void explain(const struct user_forward *forward, int error, char *buf, size_t size)
{
    const struct sockaddr_in local = {
        .sin_family = AF_INET,
        .sin_addr = forward->host,
        .sin_port = htons(forward->host_port),
    };
    char holder[SOCKDIAG_HOLDER_MAX];

    if (error == EADDRINUSE && sockdiag_holder(forward->udp ? IPPROTO_UDP : IPPROTO_TCP,
                                               (const struct sockaddr *)&local, holder) == 0)
        snprintf(buf, size, "it is in use by %s; end it or choose another port", holder);
    else if (error == EADDRINUSE)
        snprintf(buf, size, "it is in use; choose another port");
    else if (error == EACCES)
        snprintf(buf, size, "so low a port needs root or CAP_NET_BIND_SERVICE");
    else
        snprintf(buf, size, "%s", strerror(error));
}

static void add_forward(struct stack *stack, const struct user_forward *forward)
{
    char host[INET_ADDRSTRLEN], why[SOCKDIAG_HOLDER_MAX + 64];
    int error;

    if (slirp_add_hostfwd(stack->slirp, forward->udp, forward->host, forward->host_port,
                          forward->guest, forward->guest_port) == 0)
        return;
    error = errno > 0 ? errno : EIO;
    explain(forward, error, why, sizeof(why));
    companion_fail(-error, "hostfwd: %s port %u of %s cannot be had: %s",
                   forward->udp ? "UDP" : "TCP", forward->host_port,
                   inet_ntop(AF_INET, &forward->host, host, sizeof(host)), why);
}

void stack_open(struct stack *stack, const struct user_options *options, struct stream *stream)
{
    const char *dnssearch[USER_DNSSEARCH_MAX + 1] = { NULL };
    const SlirpConfig config = {
        .version = 1,
        .restricted = options->restricted,
        .in_enabled = options->ipv4,
        .vnetwork = options->net,
        .vnetmask = options->mask,
        .vhost = options->host,
        .in6_enabled = options->ipv6,
        .vprefix_addr6 = options->net6,
        .vprefix_len = options->net6_bits,
        .vhost6 = options->host6,
        .vhostname = or_null(options->hostname),
        .tftp_server_name = or_null(options->tftp_server_name),
        .tftp_path = or_null(options->tftp),
        .bootfile = or_null(options->bootfile),
        .vdhcp_start = options->dhcp_start,
        .vnameserver = options->dns,
        .vnameserver6 = options->dns6,
        .vdnssearch = options->n_dnssearch ? dnssearch : NULL,
        .vdomainname = or_null(options->domainname),
    };

    for (unsigned i = 0; i < options->n_dnssearch; ++i)
        dnssearch[i] = options->dnssearch[i];
    *stack = (struct stack){ .stream = stream };
    g_log_set_default_handler(on_complaint, stack);
    stack->slirp = slirp_new(&config, &callbacks, stack);
    if (!stack->slirp)
        companion_fail(-EINVAL, "libslirp cannot make such a network");
    for (unsigned i = 0; i < options->n_forwards; ++i)
        add_forward(stack, &options->forward[i]);
}

void stack_input(struct stack *stack, struct frame frame)
{
    if (frame.len >= FRAME_MIN && frame.len <= STACK_FRAME_MAX)
        slirp_input(stack->slirp, frame.data, (int)frame.len);
}

static const struct {
    int slirp;
    short poll;
} event_names[] = {
    { SLIRP_POLL_IN, POLLIN },   { SLIRP_POLL_OUT, POLLOUT }, { SLIRP_POLL_PRI, POLLPRI },
    { SLIRP_POLL_ERR, POLLERR }, { SLIRP_POLL_HUP, POLLHUP },
};

static int add_poll(int fd, int events, void *opaque)
{
    struct stack *stack = opaque;
    struct pollfd *polled = &stack->polled[stack->n_polled];

    if (stack->n_polled == STACK_FDS_MAX)
        return -1; /* cannot be: the process has fewer descriptors */
    *polled = (struct pollfd){ .fd = fd };
    for (size_t i = 0; i < sizeof(event_names) / sizeof(event_names[0]); ++i)
        if (events & event_names[i].slirp)
            polled->events = (short)(polled->events | event_names[i].poll);
    return (int)stack->n_polled++;
}

static int get_revents(int index, void *opaque)
{
    const struct stack *stack = opaque;
    int events = 0;

    if (index < 0)
        return 0;
    for (size_t i = 0; i < sizeof(event_names) / sizeof(event_names[0]); ++i)
        if (stack->polled[index].revents & event_names[i].poll)
            events |= event_names[i].slirp;
    return events;
}

int stack_prepare(struct stack *stack, struct pollfd *polled, unsigned n_own)
{
    int64_t now_ms = clock_ns(NULL) / NS_PER_MS;
    uint32_t wait_ms = UINT32_MAX;

    stack->polled = polled;
    stack->n_polled = n_own;
    slirp_pollfds_fill(stack->slirp, &wait_ms, add_poll, stack);
    for (const struct stack_timer *timer = stack->timers; timer; timer = timer->next) {
        int64_t left_ms = timer->at_ms > now_ms ? timer->at_ms - now_ms : 0;

        if (timer->at_ms >= 0 && left_ms < wait_ms)
            wait_ms = (uint32_t)left_ms;
    }
    return wait_ms > INT32_MAX ? -1 : (int)wait_ms;
}

/* A timer sets itself again, or frees another. */
static void run_timers(struct stack *stack)
{
    int64_t now_ms = clock_ns(NULL) / NS_PER_MS;
    struct stack_timer *timer = stack->timers;

    while (timer) {
        if (timer->at_ms < 0 || timer->at_ms > now_ms) {
            timer = timer->next;
            continue;
        }
        timer->at_ms = -1;
        timer->run(timer->opaque);
        timer = stack->timers;
    }
}

void stack_proceed(struct stack *stack, int poll_result)
{
    slirp_pollfds_poll(stack->slirp, poll_result < 0, get_revents, stack);
    run_timers(stack);
}
