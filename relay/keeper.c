/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "common/scope.h"
#include "net/tap.h"
#include "relay/held.h"
#include "relay/move.h"
#include "relay/notice-log.h"
#include "relay/sandbox.h"

#define container(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

#define EXIT_USAGE 2

uint64_t keeper_clock_s(void)
{
    return (uint64_t)time(NULL);
}

bool keeper_has_room(const struct keeper *keeper)
{
    return keeper->n_holdings < keeper->max_holdings;
}

struct holding *keeper_find_port(struct keeper *keeper, uint32_t id)
{
    for (uint32_t slot = 0; slot < keeper->n_slots; ++slot)
        if (keeper->holdings[slot] && keeper->holdings[slot]->id == id)
            return keeper->holdings[slot];
    return NULL;
}

struct attachment *keeper_find_attachment(struct keeper *keeper, uint32_t id)
{
    struct attachment *attachment = keeper->attachments;

    while (attachment && attachment->id != id)
        attachment = attachment->next;
    return attachment;
}

static int free_slot(const struct keeper *keeper)
{
    for (int slot = 0; slot < SHARED_PORTS; ++slot)
        if (!keeper->holdings[slot])
            return slot;
    return -ENOSPC;
}

/* Asked for here, once: the forwarder has no time for it, least of all when it starts. */
static int head_size(enum port_kind kind, int fd)
{
    int size = kind == PORT_TAP ? tap_head_size(fd) : 0;

    return size > PORT_HEAD_MAX ? -ENOTSUP : size;
}

/* In this slot; what it is called and who it is of is the caller's. NULL: *ret_error. */
static struct holding *holding_in(struct keeper *keeper, int slot, enum port_kind kind, int rfd,
                                  int wfd, int *ret_error)
{
    int head = head_size(kind, rfd);
    struct holding *holding = slot < 0 || head < 0 ? NULL : calloc(1, sizeof(*holding));

    *ret_error = slot < 0 ? slot : head < 0 ? head : -ENOMEM;
    if (!holding)
        return NULL;
    holding->state = HOLDING_NEW;
    holding->slot = (uint32_t)slot;
    holding->kind = kind;
    holding->head_size = (uint32_t)head;
    holding->rfd = rfd;
    holding->wfd = wfd;
    holding->since_s = keeper_clock_s();
    inet_names(rfd, holding->local, holding->peer);
    keeper->holdings[slot] = holding;
    if (holding->slot >= keeper->n_slots)
        keeper->n_slots = holding->slot + 1;
    ++keeper->n_holdings;
    return holding;
}

/* In the next free slot. */
static struct holding *holding_new(struct keeper *keeper, enum port_kind kind, int rfd, int wfd,
                                   int *ret_error)
{
    int slot = keeper_has_room(keeper) ? free_slot(keeper) : -EMFILE;
    struct holding *holding = holding_in(keeper, slot, kind, rfd, wfd, ret_error);

    if (!holding)
        return NULL;
    holding->id = ++keeper->last_port_id;
    deposit_note_id(keeper);
    return holding;
}

int keeper_hold_again(struct keeper *keeper, uint32_t slot, uint32_t id, enum port_kind kind,
                      int fd, struct holding **ret)
{
    int r;

    if (!keeper_has_room(keeper) || slot >= SHARED_PORTS || keeper->holdings[slot])
        return -ENOSPC;
    *ret = holding_in(keeper, (int)slot, kind, fd, fd, &r);
    if (!*ret)
        return r;
    (*ret)->id = id;
    (*ret)->lasting = true;
    return 0;
}

int keeper_hold(struct keeper *keeper, struct attachment *attachment, enum port_kind kind, int rfd,
                int wfd, const char *detail)
{
    int r;
    struct holding *holding = holding_new(keeper, kind, rfd, wfd, &r);

    if (!holding)
        return r;
    holding->attachment = attachment;
    holding->lasting = attachment->ops->ports_last;
    holding->endpoint_id = attachment->id;
    snprintf(holding->endpoint, sizeof(holding->endpoint), "%.*s",
             (int)sizeof(holding->endpoint) - 1, attachment->text);
    holding->options = attachment->endpoint.options;
    if (!attachment->ops->ports_stay) /* its only port is what the endpoint's label is about */
        memcpy(holding->label, attachment->label, sizeof(holding->label));
    holding->captured = capture_keep_bits(keeper, holding);
    snprintf(holding->detail, sizeof(holding->detail), "%s", detail);
    ++attachment->n_ports;
    attachment->closed = false;
    if (attachment->rules)
        held_begin(keeper, holding);
    else
        keeper_announce(keeper, holding);
    return 0;
}

int keeper_take(struct keeper *keeper, int fd, const char *endpoint, const char *label,
                const struct port_options *options)
{
    int r;
    struct holding *holding = holding_new(keeper, PORT_TCP, fd, fd, &r);

    if (!holding)
        return r;
    snprintf(holding->endpoint, sizeof(holding->endpoint), "%.*s",
             (int)sizeof(holding->endpoint) - 1, endpoint);
    snprintf(holding->label, sizeof(holding->label), "%s", label);
    holding->lasting = true;
    holding->options = *options;
    holding->captured = capture_keep_bits(keeper, holding);
    keeper_announce(keeper, holding);
    return 0;
}

void keeper_announce(struct keeper *keeper, struct holding *holding)
{
    char name[HOLDING_NAME_MAX];

    keeper->forwarder.dirty = true;
    deposit_note(keeper, holding);
    log_limited(LOG_LEVEL_INFO, "%s: new", holding_name(holding, name));
    control_port_changed(&keeper->control, holding);
}

void keeper_label_port(struct keeper *keeper, struct holding *holding, const char *label)
{
    snprintf(holding->label, sizeof(holding->label), "%s", label);
    holding->captured = capture_keep_bits(keeper, holding);
    keeper->forwarder.dirty = true;
    deposit_note(keeper, holding);
}

void keeper_set_options(struct keeper *keeper, struct holding *holding,
                        const struct port_options *options)
{
    holding->options = *options;
    holding->options_changed = true;
    keeper->forwarder.dirty = true;
    deposit_note(keeper, holding);
}

void keeper_close_port(struct keeper *keeper, struct holding *holding)
{
    if (holding->state == HOLDING_CLOSING || holding->state == HOLDING_TOLD)
        return;
    if (holding->state == HOLDING_HELD) {
        held_refuse(keeper, holding);
        return;
    }
    if (holding->state == HOLDING_NEW || holding->state == HOLDING_OFFERED) {
        /* no forwarder has it */
        keeper_port_gone(keeper, holding, 0);
        return;
    }
    if (holding->attachment)
        holding->attachment->closed = true;
    holding->state = HOLDING_CLOSING;
    keeper->forwarder.dirty = true;
    control_port_changed(&keeper->control, holding);
}

void keeper_count_strangers(struct holding *holding)
{
    struct attachment *attachment = holding->attachment;

    if (attachment && attachment->ops->strangers)
        holding->strangers += attachment->ops->strangers(attachment);
}

void keeper_count_all_strangers(struct keeper *keeper)
{
    for (uint32_t slot = 0; slot < keeper->n_slots; ++slot)
        if (keeper->holdings[slot])
            keeper_count_strangers(keeper->holdings[slot]);
}

static void close_descriptors(const struct holding *holding)
{
    if (holding->wfd != holding->rfd)
        close(holding->wfd);
    close(holding->rfd);
}

/* Its slot is free, and whoever waits for one may have it. */
static void forget(struct keeper *keeper, struct holding *holding)
{
    struct attachment *attachment = holding->attachment;

    move_forget(keeper, holding);
    deposit_erase(keeper, holding->slot);
    close_descriptors(holding);
    keeper->holdings[holding->slot] = NULL;
    --keeper->n_holdings;
    control_port_gone(&keeper->control, holding);
    free(holding);
    if (attachment) {
        --attachment->n_ports;
        if (attachment->ops->port_gone)
            attachment->ops->port_gone(attachment);
    }
    for (attachment = keeper->attachments; attachment; attachment = attachment->next)
        if (attachment->waiting && attachment->ops->room)
            attachment->ops->room(attachment);
}

/* A peer hears of the end by shutdown() even while somebody else has the descriptor; and where the
 * last one closes, the address is free. */
void keeper_port_gone(struct keeper *keeper, struct holding *holding, int error)
{
    keeper_count_strangers(holding);
    shutdown(holding->rfd, SHUT_RDWR);
    if (holding->state == HOLDING_HELD)
        held_forget(keeper, holding);
    else
        notice_gone(holding, error);
    forget(keeper, holding);
}

void keeper_port_moved(struct keeper *keeper, struct holding *holding)
{
    char name[HOLDING_NAME_MAX];

    log_limited(LOG_LEVEL_INFO, "%s: moved to another relay", holding_name(holding, name));
    forget(keeper, holding);
}

int keeper_exit_status(int r)
{
    return r == -EINVAL || r == -ENODEV || r == -ENOTSUP ? EXIT_USAGE : EXIT_FAILURE;
}

void keeper_end(struct keeper *keeper, int exit_status)
{
    keeper->ended = true;
    keeper->exit_status = exit_status;
}

static void reap(struct keeper *keeper)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (!forwarder_proc_reaped(&keeper->forwarder, pid, status))
            attachment_child_ended(keeper, pid, status);
}

static void on_signal(struct loop_io *io, uint32_t revents)
{
    struct keeper *keeper = container(io, struct keeper, signals);
    struct signalfd_siginfo info;

    while (read(io->fd, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo == SIGCHLD)
            reap(keeper);
        else if (info.ssi_signo == SIGUSR1)
            tally_ask(&keeper->tally);
        else
            keeper_end(keeper, EXIT_SUCCESS);
    }
}

/* A manager's relay is ended by its manager, not by a terminal. */
static int signals_open(struct keeper *keeper)
{
    sigset_t set;
    int fd;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGUSR1); /* ignored since main(), and told of all the same while blocked */
    if (keeper->config->managed) {
        signal(SIGHUP, SIG_IGN);
        signal(SIGINT, SIG_IGN);
    } else {
        sigaddset(&set, SIGHUP);
        sigaddset(&set, SIGINT);
    }
    if (sigprocmask(SIG_SETMASK, &set, NULL) < 0)
        return -errno;
    fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    keeper->signals.on_io = on_signal;
    return loop_add(&keeper->loop, &keeper->signals, fd, EPOLLIN);
}

/* As many ports as descriptors and slots allow, with some kept for what must never fail. */
static uint32_t limit_ports(void)
{
    struct rlimit limit;
    uint64_t fds = 1024;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0 && getrlimit(RLIMIT_NOFILE, &limit) < 0)
            return 64;
        fds = limit.rlim_cur;
    }
    fds = fds > 2 * KEEPER_FDS_RESERVED ? fds - KEEPER_FDS_RESERVED : 8;
    return fds < SHARED_PORTS ? (uint32_t)fds : SHARED_PORTS;
}

/* An exit status; what was asked for in vain is named, once. */
static int attach_endpoints(struct keeper *keeper)
{
    const struct keeper_config *config = keeper->config;

    for (unsigned i = 0; i < config->n_endpoints; ++i) {
        char error[ATTACHMENT_TEXT_MAX];
        struct attachment *attachment;
        int r =
            attachment_new(&attachment, keeper, &config->endpoints[i], "", -1, true, NULL, error);

        if (r < 0) {
            log_error("%s", error);
            return keeper_exit_status(r);
        }
    }
    return EXIT_SUCCESS;
}

static bool needs_net_admin(const struct keeper_config *config)
{
    for (unsigned i = 0; i < config->n_endpoints; ++i)
        if (*config->endpoints[i].ifname)
            return true;
    return false;
}

static void on_summaries(struct loop_timer *timer)
{
    log_summaries(false);
}

/* That of a relay before us with its ports, or memory that is new. */
static int memory_open(struct keeper *keeper)
{
    const struct keeper_config *config = keeper->config;

    if (config->n_deposited) {
        if (deposit_restore(keeper, config->control_fd + 1, config->n_deposited) == 0)
            return 0;
        log_warning("what is left of a relay that was killed is not of this version: its "
                    "connections end");
    }
    keeper->memory_fd = shared_create(config->queue_bound);
    return keeper->memory_fd < 0 ? keeper->memory_fd : deposit_open(keeper);
}

static int keeper_open(struct keeper *keeper)
{
    int r = loop_init(&keeper->loop);

    if (r < 0)
        return r;
    keeper->max_holdings = limit_ports();
    keeper->left_memory_fd = -1;
    r = memory_open(keeper);
    if (r == 0)
        r = signals_open(keeper);
    if (r < 0)
        return r;
    forwarder_proc_init(&keeper->forwarder, keeper);
    tally_init(&keeper->tally, keeper);
    keeper->summaries.on_timer = on_summaries;
    return 0;
}

static int keeper_open_control(struct keeper *keeper)
{
    const struct keeper_config *config = keeper->config;
    const char *name = config->control_path ? config->control_path : "--control-fd";
    int r = control_open(&keeper->control, keeper, config->control_fd, config->control_path);
    char shown[200], error[ATTACHMENT_TEXT_MAX];

    if (r == -EADDRINUSE || r == -EEXIST) {
        unix_refused(&keeper->control.address, r, error, sizeof(error));
        log_error("%s", error);
    } else if (r < 0) {
        log_error("%s: no control socket can be made there: %s",
                  log_printable(name, shown, sizeof(shown)), strerror(-r));
    }
    return r;
}

static int keeper_run(struct keeper *keeper)
{
    int r = sandbox_enter_keeper(needs_net_admin(keeper->config));

    if (r == 0 && !keeper->config->managed)
        r = forwarder_proc_start(&keeper->forwarder);
    while (r == 0 && !keeper->ended) {
        forwarder_proc_flush(&keeper->forwarder); /* before waiting: there may be no event */
        deposit_flush(keeper);
        r = loop_round(&keeper->loop);
        if (log_has_summaries() && !keeper->summaries.armed)
            loop_timer_in(&keeper->loop, &keeper->summaries, LOG_WINDOW_S * 1000);
    }
    log_summaries(true);
    forwarder_proc_end(&keeper->forwarder);
    return r;
}

int keeper_main(const struct keeper_config *config)
{
    static struct keeper keeper;
    int r, status;

    keeper.config = config;
    keeper.links.fd = -1;
    prctl(PR_SET_NAME, "netrelay");
    r = keeper_open(&keeper);
    if (r < 0) {
        log_error("cannot start: %s", strerror(-r));
        return EXIT_FAILURE;
    }
    if (keeper_open_control(&keeper) < 0)
        return EXIT_FAILURE;
    status = attach_endpoints(&keeper);
    if (status == EXIT_SUCCESS) {
        r = keeper_run(&keeper);
        status = keeper.exit_status;
    }
    attachments_end(&keeper);
    control_close(&keeper.control);
    if (r < 0) {
        log_error("cannot go on: %s", strerror(-r));
        status = EXIT_FAILURE;
    }
    return status;
}
