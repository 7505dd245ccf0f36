/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A port behind a companion: a program of ours that brings a foreign library and a sandbox of its
 * own. What it says and how its process ends are events like any other; whenever it is gone, and
 * its port too, another one is started.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "common/companion.h"
#include "common/scope.h"
#include "relay/attachment.h"
#include "relay/keeper.h"
#include "relay/spawn-self.h"

#define BEGIN_MS 5000 /* for its first word */
#define END_MS   100  /* to end by itself */

#define container(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

static const struct companion {
    const char *program;
    const char *folder;  /* which has it in a build tree */
    size_t argument;     /* a text in struct endpoint */
    bool begins_at_once; /* or it was asked for in vain; others wait for their far end */
    bool leaves_memory;  /* to the next endpoint of its kind, too: it is about guests */
} companions[ENDPOINT_KIND_COUNT] = {
    [ENDPOINT_USER] = { "netrelay-user", "relay-user", offsetof(struct endpoint, user), true,
                        true },
    [ENDPOINT_VDE] = { "netrelay-vde", "relay-vde", offsetof(struct endpoint, path), false, false },
};

static const struct companion *companion_of(const struct attachment *a)
{
    return &companions[a->endpoint.kind];
}

/*
 * Where it is installed; for a relay that is not, beside it in its build tree. A relay with
 * privileges of its file takes nothing but what is installed: anybody may link to such a file from
 * a folder of his own.
 */
static int find_program(const struct companion *companion, char path[PATH_MAX])
{
    char own[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", own, sizeof(own) - 1);
    int len;
    char *slash;

    if (n < 0)
        return -errno;
    own[n] = '\0';
    slash = strrchr(own, '/');
    if (slash)
        *slash = '\0';
    if (getauxval(AT_SECURE) || strcmp(own, NR_BINDIR) == 0)
        len = snprintf(path, PATH_MAX, "%s/%s", NR_COMPANIONS, companion->program);
    else
        len = snprintf(path, PATH_MAX, "%s/../%s/%s", own, companion->folder, companion->program);
    if (len >= PATH_MAX)
        return -ENAMETOOLONG;
    return access(path, X_OK) < 0 ? -errno : 0;
}

/* Both pairs, and the process between their far ends. */
static int spawn_between(struct attachment *a, const char *path, int frames, int words)
{
    const struct keeper_config *config = a->keeper->config;
    const char *argument = (const char *)&a->endpoint + companion_of(a)->argument;
    char level[4];
    pid_t pid;

    snprintf(level, sizeof(level), "%d", config->log_level);
    pid = spawn_program(path, companion_of(a)->program,
                        (const char *[]){ level, config->network, argument, NULL },
                        (int[]){ frames, words, a->memory_fd }, 3);
    if (pid < 0)
        return (int)pid;
    a->pid = pid;
    return 0;
}

static int launch(struct attachment *a)
{
    _cleanup_(closep) int words = -1;
    _cleanup_(closep) int frames = -1;
    _cleanup_(closep) int their_words = -1;
    _cleanup_(closep) int their_frames = -1;
    char path[PATH_MAX];
    int pair[2], r;

    r = keeper_has_room(a->keeper) ? find_program(companion_of(a), path) : -EMFILE;
    if (r < 0)
        return r;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        return -errno;
    frames = pair[0];
    their_frames = pair[1];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        return -errno;
    words = pair[0];
    their_words = pair[1];
    r = loop_add(&a->keeper->loop, &a->io, words, EPOLLIN);
    if (r == 0) {
        r = spawn_between(a, path, their_frames, their_words);
        if (r < 0)
            loop_del(&a->keeper->loop, &a->io);
    }
    if (r < 0) {
        a->io.fd = -1;
        return r;
    }
    steal_fd(&words);
    a->frames_fd = steal_fd(&frames);
    a->refusal = 0;
    a->why[0] = '\0';
    loop_timer_in(&a->keeper->loop, &a->timer, BEGIN_MS);
    return 0;
}

static void let_go(struct attachment *a)
{
    if (a->io.fd >= 0) {
        loop_del(&a->keeper->loop, &a->io);
        close(a->io.fd);
        a->io.fd = -1;
    }
    closep(&a->frames_fd);
    a->frames_fd = -1;
}

/* It may not be able to end by itself; what is to be told of it is told when it is dead. */
static void end(struct attachment *a, int r, const char *why)
{
    if (!*a->why) {
        a->refusal = r;
        snprintf(a->why, sizeof(a->why), "%s", why);
    }
    if (a->pid > 0)
        kill(a->pid, SIGKILL); /* ours and not yet waited for, so nobody else has this pid */
}

static void came_up(struct attachment *a)
{
    int r;

    if (a->frames_fd < 0) { /* a second time */
        end(a, -EPROTO, "it talks nonsense");
        return;
    }
    r = keeper_hold(a->keeper, a, PORT_UNIX, a->frames_fd, a->frames_fd, "");
    if (r < 0) {
        end(a, r, strerror(-r));
        return;
    }
    a->frames_fd = -1;
    loop_timer_stop(&a->keeper->loop, &a->timer);
    a->up_ms = a->keeper->loop.now_ms;
    attachment_connected(a);
    if (a->waiting) {
        a->waiting = false;
        attachment_started(a, 0, NULL);
    }
}

static void on_word(struct loop_io *io, uint32_t revents)
{
    struct attachment *a = container(io, struct attachment, io);
    struct companion_word word;
    ssize_t n = recv(io->fd, &word, sizeof(word), MSG_DONTWAIT);
    char shown[sizeof(a->why)];

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n != sizeof(word)) { /* its end: SIGCHLD will tell more */
        loop_set(&a->keeper->loop, io, 0);
        return;
    }
    word.text[sizeof(word.text) - 1] = '\0';
    if (word.error == 0)
        came_up(a);
    else
        end(a, word.error < 0 ? word.error : -EPROTO,
            log_printable(word.text, shown, sizeof(shown)));
}

static int start_failed(const struct attachment *a, int r, const char *why,
                        char error[ATTACHMENT_TEXT_MAX])
{
    snprintf(error, ATTACHMENT_TEXT_MAX, "%s: %s", endpoint_kind_name(a->endpoint.kind), why);
    return r;
}

static void try_again(struct attachment *a)
{
    if (a->pid || a->n_ports) /* when the other one is gone as well */
        return;
    if (a->state == CTL_ENDPOINT_UP && a->keeper->loop.now_ms - a->up_ms >= ATTACHMENT_STEADY_MS)
        a->retry_ms = ATTACHMENT_RETRY_MIN;
    attachment_retry_later(a, a->why);
}

static void tell_why(struct attachment *a, int status)
{
    const char *program = companion_of(a)->program;

    if (*a->why)
        return;
    a->refusal = -ECONNABORTED;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        snprintf(a->why, sizeof(a->why), "its connection ended");
    else if (WIFSIGNALED(status))
        snprintf(a->why, sizeof(a->why), "%s was ended by signal %d", program, WTERMSIG(status));
    else
        snprintf(a->why, sizeof(a->why), "%s ended with status %d", program, WEXITSTATUS(status));
}

static void close_port(struct attachment *a)
{
    for (uint32_t slot = 0; slot < a->keeper->n_slots; ++slot) {
        struct holding *holding = a->keeper->holdings[slot];

        if (holding && holding->attachment == a) {
            keeper_close_port(a->keeper, holding);
            return;
        }
    }
}

static void companion_child_ended(struct attachment *a, int status)
{
    char error[ATTACHMENT_TEXT_MAX];

    if (a->io.fd >= 0 && !*a->why)
        on_word(&a->io, 0); /* its last one */
    tell_why(a, status);
    let_go(a);
    loop_timer_stop(&a->keeper->loop, &a->timer);
    if (a->waiting) {
        a->waiting = false;
        attachment_started(a, start_failed(a, a->refusal, a->why, error), error);
        return;
    }
    if (a->state == CTL_ENDPOINT_UP)
        log_limited(LOG_LEVEL_WARNING, "%s is started again: %s", a->text, a->why);
    if (a->n_ports)
        close_port(a);
    else
        try_again(a);
}

/* It takes too long to begin or to end, or it is time for another one. */
static void on_timer(struct loop_timer *timer)
{
    struct attachment *a = container(timer, struct attachment, timer);
    int r;

    if (a->pid > 0) {
        end(a, -ETIMEDOUT, a->frames_fd >= 0 ? "it did not begin in time" : "its connection ended");
        return;
    }
    r = launch(a);
    if (r < 0)
        attachment_retry_later(a, strerror(-r));
}

/* Of one size for ever: no companion can make its successor stumble. */
static int make_memory(struct attachment *a)
{
    int *left = &a->keeper->left_memory_fd;

    if (companion_of(a)->leaves_memory && *left >= 0) {
        a->memory_fd = steal_fd(left);
        return 0;
    }
    a->memory_fd = memfd_create("netrelay-companion", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (a->memory_fd < 0 || ftruncate(a->memory_fd, COMPANION_MEMORY) < 0 ||
        fcntl(a->memory_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        return -errno;
    return 0;
}

static int companion_start(struct attachment *a, int passed_fd, char error[ATTACHMENT_TEXT_MAX])
{
    char path[PATH_MAX];
    int r = find_program(companion_of(a), path);

    a->frames_fd = -1;
    a->memory_fd = -1;
    a->timer.on_timer = on_timer;
    a->io.on_io = on_word;
    if (r < 0) {
        snprintf(error, ATTACHMENT_TEXT_MAX,
                 "this netrelay was built or installed without %s endpoints: there is no %s",
                 endpoint_kind_name(a->endpoint.kind), companion_of(a)->program);
        return -ENOTSUP;
    }
    r = make_memory(a);
    if (r == 0)
        r = launch(a);
    if (r < 0)
        return start_failed(a, r, strerror(-r), error);
    a->waiting = companion_of(a)->begins_at_once;
    return a->waiting ? ATTACHMENT_PENDING : 0;
}

static void companion_stop(struct attachment *a)
{
    int *left = &a->keeper->left_memory_fd;

    let_go(a);
    if (a->pid > 0)
        kill(a->pid, SIGKILL);
    if (companion_of(a)->leaves_memory && a->memory_fd >= 0) {
        closep(left);
        *left = steal_fd(&a->memory_fd);
    }
    closep(&a->memory_fd);
}

/* Most often because the companion is dying, and how it does SIGCHLD will tell; or else it sees the
 * end, and ends as well. */
static void companion_port_gone(struct attachment *a)
{
    if (a->pid > 0)
        loop_timer_in(&a->keeper->loop, &a->timer, END_MS);
    try_again(a);
}

const struct attachment_ops user_ops = {
    .start = companion_start,
    .stop = companion_stop,
    .port_gone = companion_port_gone,
    .child_ended = companion_child_ended,
};

const struct attachment_ops vde_ops = {
    .start = companion_start,
    .stop = companion_stop,
    .port_gone = companion_port_gone,
    .child_ended = companion_child_ended,
};
