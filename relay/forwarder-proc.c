/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/forwarder-proc.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "common/scope.h"
#include "relay/handover.h"
#include "relay/keeper.h"
#include "relay/move.h"
#include "relay/notice-log.h"
#include "relay/spawn-self.h"

#define RETRY_AT_ONCE    4 /* deaths in a row at the start: somebody may just be killing them */
#define RETRY_MIN_MS     50
#define RETRY_MAX_MS     2000
#define STATS_TIMEOUT_MS 500 /* a stopped forwarder does not answer: old numbers must do */
#define MESSAGES_TURN    256

#define container(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

static void stats_done(struct forwarder_proc *proc)
{
    proc->stats_pending = proc->stats_wanted = false;
    loop_timer_stop(&proc->keeper->loop, &proc->stats_timeout);
    keeper_count_all_strangers(proc->keeper);
    control_stats_ready(&proc->keeper->control);
    tally_stats_ready(&proc->keeper->tally);
}

static void handle_counters(struct forwarder_proc *proc, const struct handover *message,
                            struct holding *holding)
{
    if (holding) {
        holding->counters = message->counters;
        holding->queued = message->queued;
    }
}

static void handle_message(struct forwarder_proc *proc, const struct handover *message)
{
    struct keeper *keeper = proc->keeper;
    struct holding *holding = message->slot < SHARED_PORTS ? keeper->holdings[message->slot] : NULL;

    if (holding && holding->id != message->id)
        holding = NULL;
    switch (message->type) {
    case HANDOVER_RUNNING:
        proc->running = true;
        proc->failures = 0;
        break;
    case HANDOVER_GONE:
        handle_counters(proc, message, holding);
        if (holding && message->leaving && holding->state == HOLDING_PASSED)
            move_released(keeper, holding);
        else if (holding)
            keeper_port_gone(keeper, holding, message->error);
        break;
    case HANDOVER_COUNTERS:
        handle_counters(proc, message, holding);
        if (holding)
            holding->source = message->source;
        break;
    case HANDOVER_NOTICE:
        if (holding)
            notice_handle(keeper, holding, message);
        break;
    case HANDOVER_STATS_END:
        if (proc->stats_pending && message->serial == proc->stats_serial)
            stats_done(proc);
        break;
    }
}

static void receive(struct forwarder_proc *proc)
{
    struct handover message;
    int fds[HANDOVER_FDS_MAX];

    for (int n = 0; n < MESSAGES_TURN; ++n) {
        int r = handover_recv(proc->io.fd, &message, fds);

        if (r == -EPIPE) /* SIGCHLD will tell more */
            loop_set(&proc->keeper->loop, &proc->io, 0);
        if (r < 0)
            return;
        for (int i = 0; i < HANDOVER_FDS_MAX; ++i)
            if (fds[i] >= 0)
                close(fds[i]);
        handle_message(proc, &message);
    }
}

static void on_io(struct loop_io *io, uint32_t revents)
{
    struct forwarder_proc *proc = container(io, struct forwarder_proc, io);

    if (revents & EPOLLOUT)
        proc->dirty = true; /* flushed at the end of the round */
    if (revents & (EPOLLIN | EPOLLHUP | EPOLLERR))
        receive(proc);
}

static int send_config(struct forwarder_proc *proc)
{
    const struct keeper_config *config = proc->keeper->config;
    struct handover message = {
        .type = HANDOVER_CONFIG,
        .mode = config->mode,
        .stall_ms = config->stall_ms,
        .crashed = proc->crashed,
        .storm = config->storm,
        .drop_link_local = config->drop_link_local,
        .ignore_loops = config->ignore_loops,
    };
    int r = handover_send(proc->io.fd, &message, NULL, 0);

    proc->config_sent = r == 0;
    return r;
}

static int send_port(struct forwarder_proc *proc, struct holding *holding)
{
    struct handover message = {
        .type = HANDOVER_PORT,
        .slot = holding->slot,
        .id = holding->id,
        .kind = holding->kind,
        .head_size = holding->head_size,
        .options = holding->options,
        .captured = holding->captured,
    };
    int fds[HANDOVER_FDS_MAX] = { holding->rfd, holding->wfd };
    int r = handover_send(proc->io.fd, &message, fds, holding->rfd == holding->wfd ? 1 : 2);

    if (r < 0)
        return r;
    holding->state = HOLDING_PASSED;
    holding->captured_told = holding->captured;
    holding->options_changed = false;
    holding->move_told = false;
    return 0;
}

static int send_options(struct forwarder_proc *proc, struct holding *holding)
{
    struct handover message = {
        .type = HANDOVER_OPTIONS,
        .slot = holding->slot,
        .id = holding->id,
        .options = holding->options,
    };
    int r = handover_send(proc->io.fd, &message, NULL, 0);

    holding->options_changed = r < 0;
    return r;
}

static int send_captured(struct forwarder_proc *proc, struct holding *holding)
{
    struct handover message = {
        .type = HANDOVER_CAPTURED,
        .slot = holding->slot,
        .id = holding->id,
        .captured = holding->captured,
    };
    int r = handover_send(proc->io.fd, &message, NULL, 0);

    if (r == 0)
        holding->captured_told = holding->captured;
    return r;
}

static int send_leave(struct forwarder_proc *proc, struct holding *holding)
{
    struct handover message = {
        .type = HANDOVER_LEAVE,
        .slot = holding->slot,
        .id = holding->id,
        .leaving = move_is_on(holding),
    };
    int r = handover_send(proc->io.fd, &message, NULL, 0);

    if (r == 0)
        holding->move_told = move_is_on(holding);
    return r;
}

static int send_close(struct forwarder_proc *proc, struct holding *holding)
{
    struct handover message = {
        .type = HANDOVER_CLOSE,
        .slot = holding->slot,
        .id = holding->id,
    };
    int r = handover_send(proc->io.fd, &message, NULL, 0);

    if (r == 0)
        holding->state = HOLDING_TOLD;
    return r;
}

/* What has changed of a port that the forwarder has. */
static int send_changes(struct forwarder_proc *proc, struct holding *holding)
{
    int r = 0;

    if (holding->captured != holding->captured_told)
        r = send_captured(proc, holding);
    if (r == 0 && holding->options_changed)
        r = send_options(proc, holding);
    if (r == 0 && holding->move_told != move_is_on(holding))
        r = send_leave(proc, holding);
    return r;
}

static int send_ports(struct forwarder_proc *proc)
{
    struct keeper *keeper = proc->keeper;

    for (uint32_t slot = 0; slot < keeper->n_slots; ++slot) {
        struct holding *holding = keeper->holdings[slot];
        int r = 0;

        if (holding && holding->state == HOLDING_NEW)
            r = send_port(proc, holding);
        else if (holding && holding->state == HOLDING_CLOSING)
            r = send_close(proc, holding);
        else if (holding && holding->state == HOLDING_PASSED)
            r = send_changes(proc, holding);
        if (r < 0)
            return r;
    }
    return 0;
}

static int send_ready(struct forwarder_proc *proc)
{
    struct handover message = { .type = HANDOVER_READY };
    int r = handover_send(proc->io.fd, &message, NULL, 0);

    proc->ready_sent = r == 0;
    return r;
}

static int send_stats(struct forwarder_proc *proc)
{
    struct handover message = { .type = HANDOVER_STATS, .serial = proc->stats_serial + 1 };
    int r = handover_send(proc->io.fd, &message, NULL, 0);

    if (r == 0) {
        ++proc->stats_serial;
        proc->stats_wanted = false;
        proc->stats_pending = true;
    }
    return r;
}

static void on_retry(struct loop_timer *timer)
{
    struct forwarder_proc *proc = container(timer, struct forwarder_proc, retry);
    int r = forwarder_proc_start(proc);

    if (r == 0)
        return;
    log_limited(LOG_LEVEL_ERROR, "the forwarder cannot be started: %s", strerror(-r));
    loop_timer_in(&proc->keeper->loop, &proc->retry, RETRY_MAX_MS);
}

/* The first one of a manager's relay, which may be there in advance, for guests that are off: it
 * holds sockets until a connection comes. */
static bool is_wanted(const struct forwarder_proc *proc)
{
    return proc->pid == 0 && !proc->retry.armed && (proc->dirty || proc->keeper->n_holdings > 0);
}

void forwarder_proc_flush(struct forwarder_proc *proc)
{
    int r = 0;

    if (is_wanted(proc))
        on_retry(&proc->retry);
    if (proc->io.fd < 0 || !proc->dirty)
        return;
    if (!proc->config_sent)
        r = send_config(proc);
    if (r == 0)
        r = send_ports(proc);
    if (r == 0)
        r = capture_keep_flush(proc->keeper, proc->io.fd);
    if (r == 0 && !proc->ready_sent)
        r = send_ready(proc);
    if (r == 0 && proc->stats_wanted)
        r = send_stats(proc);
    proc->dirty = r < 0;
    if (r < 0 && r != -EAGAIN)
        log_debug("the forwarder does not take messages: %s", strerror(-r));
    loop_set(&proc->keeper->loop, &proc->io, r < 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

void forwarder_proc_ask_stats(struct forwarder_proc *proc)
{
    if (proc->io.fd < 0) {
        stats_done(proc);
        return;
    }
    if (proc->stats_pending || proc->stats_wanted)
        return;
    proc->stats_wanted = proc->dirty = true;
    loop_timer_in(&proc->keeper->loop, &proc->stats_timeout, STATS_TIMEOUT_MS);
}

static void on_stats_timeout(struct loop_timer *timer)
{
    stats_done(container(timer, struct forwarder_proc, stats_timeout));
}

void forwarder_proc_init(struct forwarder_proc *proc, struct keeper *keeper)
{
    *proc = (struct forwarder_proc){
        .keeper = keeper,
        .io = { .fd = -1, .on_io = on_io },
        .retry.on_timer = on_retry,
        .stats_timeout.on_timer = on_stats_timeout,
    };
}

int forwarder_proc_start(struct forwarder_proc *proc)
{
    struct keeper *keeper = proc->keeper;
    const char *verbosity[] = { "3", "4", "5", "6", "7" };
    const char *level = verbosity[keeper->config->log_level - LOG_LEVEL_ERROR];
    _cleanup_(closep) int ours = -1;
    _cleanup_(closep) int theirs = -1;
    int pair[2], r;
    pid_t pid = 0;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        return -errno;
    ours = pair[0];
    theirs = pair[1];
    r = loop_add(&keeper->loop, &proc->io, ours, EPOLLIN);
    if (r == 0) {
        pid = spawn_self((const char *[]){ "--forwarder", level, keeper->config->network, NULL },
                         (int[]){ theirs, keeper->memory_fd }, 2);
        r = pid < 0 ? (int)pid : 0;
        if (r < 0)
            loop_del(&keeper->loop, &proc->io);
    }
    if (r < 0) {
        proc->io.fd = -1;
        return r;
    }
    steal_fd(&ours);
    proc->pid = pid;
    proc->config_sent = proc->ready_sent = proc->running = false;
    proc->dirty = true;
    return 0;
}

/* Signals that nobody sends from outside: the forwarder, or what it had in hand, is at fault. */
static bool is_crash(int status)
{
    int signo = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

    return signo == SIGSEGV || signo == SIGBUS || signo == SIGSYS || signo == SIGILL ||
           signo == SIGFPE || signo == SIGABRT;
}

static void disown_ports(struct keeper *keeper)
{
    for (uint32_t slot = 0; slot < keeper->n_slots; ++slot) {
        struct holding *holding = keeper->holdings[slot];

        if (holding && holding->state == HOLDING_PASSED)
            holding->state = HOLDING_NEW;
        else if (holding && (holding->state == HOLDING_CLOSING || holding->state == HOLDING_TOLD))
            keeper_port_gone(keeper, holding, 0);
    }
}

static void tell_end(const struct forwarder_proc *proc, int status)
{
    bool was_killed = WIFSIGNALED(status) && !is_crash(status);
    char how[80];

    snprintf(how, sizeof(how), "the forwarder (pid %d) %s %d", (int)proc->pid,
             is_crash(status) ? "crashed: signal"
             : was_killed     ? "was ended by signal"
                              : "ended with status",
             WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    log_limited(was_killed ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR, "%s", how);
    control_forwarder_ended(&proc->keeper->control, how);
}

static uint64_t retry_delay_ms(unsigned failures)
{
    uint64_t delay_ms = (uint64_t)RETRY_MIN_MS << (failures < 8 ? failures : 8);

    return delay_ms < RETRY_MAX_MS ? delay_ms : RETRY_MAX_MS;
}

bool forwarder_proc_reaped(struct forwarder_proc *proc, pid_t pid, int status)
{
    struct keeper *keeper = proc->keeper;
    uint64_t delay_ms = 0;

    if (pid != proc->pid || !pid)
        return false;
    receive(proc); /* its last words */
    tell_end(proc, status);
    loop_del(&keeper->loop, &proc->io);
    close(proc->io.fd);
    proc->io.fd = -1;
    proc->pid = 0;
    proc->crashed = is_crash(status);
    disown_ports(keeper);
    capture_keep_disown(keeper);
    notices_end(keeper);
    if (proc->stats_pending || proc->stats_wanted)
        stats_done(proc);
    if (!proc->running && ++proc->failures > RETRY_AT_ONCE)
        delay_ms = retry_delay_ms(proc->failures - RETRY_AT_ONCE);
    if (delay_ms || forwarder_proc_start(proc) < 0)
        loop_timer_in(&keeper->loop, &proc->retry, delay_ms ? delay_ms : RETRY_MIN_MS);
    return true;
}

void forwarder_proc_end(struct forwarder_proc *proc)
{
    if (proc->pid <= 0)
        return;
    kill(proc->pid, SIGKILL); /* ours and not yet waited for, so nobody else has this pid */
    while (waitpid(proc->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    proc->pid = 0;
}
