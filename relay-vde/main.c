/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netrelay-vde: the port of a relay that is a plug in a VDE switch. It lives as long as that
 * connection; the relay then starts another one, which waits for the switch in its turn.
 *
 * libvdeplug loads code by the scheme of an address, by files that stand for addresses, and from
 * folders that the environment names. So it is given an address of the one scheme, "vde", whose
 * path is the number of an open folder; and the relay has left the environment empty.
 */
#include <errno.h>
#include <fcntl.h>
#include <libvdeplug.h>
#include <limits.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>
#include "common/scope.h"
#include "companion/companion.h"
#include "companion/sandbox.h"
#include "companion/stream.h"
#include "relay/log.h"

#define ANSWER_S    2  /* how long a switch may take to answer */
#define FRAMES_TURN 64 /* in one direction, before the other one is looked at */
/* What libvdeplug puts behind the folder for a socket of its own, "/.PID-NUMBER". */
#define SOCKET_NAME_MAX 20

enum { POLL_FRAMES, POLL_WORDS, POLL_DATA, POLL_SWITCH, POLL_COUNT };

struct plug {
    VDECONN *connection;
    struct stream *stream;
    bool is_full; /* the switch takes no frame at the moment */
    struct pollfd polled[POLL_COUNT];
};

static void on_alarm(int signo)
{
    /* the call it interrupts fails */
}

/* libvdeplug waits for the switch's answer; where it is left in peace to give up, it also takes
 * back the socket that it has put into the folder. */
static VDECONN *open_in_time(char *url)
{
    const struct sigaction interrupt = { .sa_handler = on_alarm };
    struct vde_open_args args = { .mode = 0700 }; /* for its owner: the switch may be the user's */
    char description[] = "netrelay";
    VDECONN *connection;
    int error;

    sigaction(SIGALRM, &interrupt, NULL);
    alarm(ANSWER_S);
    connection = vde_open(url, description, &args);
    error = errno;
    alarm(0);
    errno = error == EINTR ? ETIMEDOUT : error;
    return connection;
}

static VDECONN *open_folder(const char *path, int folder)
{
    char real[PATH_MAX], url[64];
    VDECONN *connection;

    snprintf(url, sizeof(url), "/proc/self/fd/%d", folder);
    if (!realpath(url, real))
        companion_fail(-errno, "%s: %s", path, strerror(errno));
    if (strlen(real) + SOCKET_NAME_MAX > sizeof(((struct sockaddr_un *)0)->sun_path))
        companion_fail(-ENAMETOOLONG, "%s is too long for the path of a socket", real);
    snprintf(url, sizeof(url), "vde:///proc/self/fd/%d", folder);
    connection = open_in_time(url);
    if (!connection && errno == ENOENT)
        companion_fail(-ENOENT, "%s is not the folder of a VDE switch", path);
    if (!connection)
        companion_fail(-errno, "no VDE switch answers in %s: %s", path, strerror(errno));
    return connection;
}

static VDECONN *connect_to(const char *path)
{
    _cleanup_(closep) int folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (folder < 0)
        companion_fail(-errno, "there is no VDE switch in %s: %s", path, strerror(errno));
    if (chdir("/") < 0) /* where no file has the name of such an address */
        companion_fail(-errno, "/: %s", strerror(errno));
    return open_folder(path, folder);
}

static void set_non_blocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        companion_fail(-errno, "a socket: %s", strerror(errno));
}

/* Its connection is there, so all it does from here on is to move frames. */
static void enter_sandbox(void)
{
    const struct rlimit none = { 0, 0 };
    const struct sandbox sandbox = { 0 };
    int r = setrlimit(RLIMIT_CORE, &none) < 0 ? -errno : sandbox_enter(&sandbox);

    if (r < 0)
        companion_fail(r, "it cannot make its sandbox: %s", strerror(-r));
}

/* False when the frame has to wait. */
static bool send_to_switch(struct plug *plug, struct frame frame)
{
    if (frame.len > VDE_ETHBUFSIZE) {
        log_limited(LOG_LEVEL_NOTICE, "a VDE switch takes no frame of %u bytes", frame.len);
        return true;
    }
    if (vde_send(plug->connection, frame.data, frame.len, 0) >= 0)
        return true;
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return false;
    if (errno == ECONNREFUSED || errno == ENOTCONN || errno == EPIPE || errno == ECONNRESET)
        companion_fail(-errno, "the VDE switch went away");
    return true; /* this frame is lost */
}

static void relay_to_switch(struct plug *plug)
{
    struct frame frame;
    int r = 0;

    plug->is_full = false;
    for (int n = 0; n < FRAMES_TURN; ++n) {
        r = stream_peek(plug->stream, &frame);
        if (r)
            break;
        if (frame.len >= FRAME_MIN && !send_to_switch(plug, frame)) {
            plug->is_full = true;
            return;
        }
        stream_skip(plug->stream, frame);
    }
    if (r < 0)
        companion_fail(r, "what the relay sends is not frames");
}

static void relay_from_switch(struct plug *plug)
{
    uint8_t frame[VDE_ETHBUFSIZE];

    for (int n = 0; n < FRAMES_TURN && stream_has_room(plug->stream, sizeof(frame)); ++n) {
        ssize_t len = vde_recv(plug->connection, frame, sizeof(frame), 0);

        if (len < 0 && errno != EAGAIN && errno != EINTR)
            companion_fail(-errno, "the VDE switch went away: %s", strerror(errno));
        if (len < 0)
            return;
        if (len >= FRAME_MIN)
            stream_put(plug->stream, frame, (size_t)len);
    }
}

/* Frames that lie here and can move: there will be no event for them. */
static bool has_more(const struct plug *plug)
{
    struct frame frame;

    return !plug->is_full && stream_peek(plug->stream, &frame) <= 0;
}

static void wait_for_something(struct plug *plug)
{
    bool has_room = stream_has_room(plug->stream, VDE_ETHBUFSIZE);
    short data = (short)((has_room ? POLLIN : 0) | (plug->is_full ? POLLOUT : 0));

    plug->polled[POLL_FRAMES].events = stream_events(plug->stream);
    plug->polled[POLL_DATA].events = data;
    if (poll(plug->polled, POLL_COUNT, has_more(plug) ? 0 : -1) < 0 && errno != EINTR)
        companion_fail(-errno, "it cannot wait: %s", strerror(errno));
}

static _Noreturn void run(struct plug *plug)
{
    for (;;) {
        wait_for_something(plug);
        if (plug->polled[POLL_WORDS].revents)
            companion_end(); /* the relay is gone */
        if (plug->polled[POLL_SWITCH].revents)
            companion_fail(-ECONNRESET, "the VDE switch went away");
        if (plug->polled[POLL_FRAMES].revents & (POLLIN | POLLHUP | POLLERR) &&
            stream_fill(plug->stream) < 0)
            companion_end();
        relay_to_switch(plug);
        if (plug->polled[POLL_DATA].revents)
            relay_from_switch(plug);
        if (stream_flush(plug->stream) < 0)
            companion_end();
    }
}

int main(int argc, char **argv)
{
    const char *path = companion_begin(argc, argv);
    static struct stream stream;
    struct plug plug = { .stream = &stream };

    if (!path)
        return 2;
    stream_init(&stream, COMPANION_FRAMES_FD);
    plug.connection = connect_to(path);
    set_non_blocking(vde_datafd(plug.connection));
    plug.polled[POLL_FRAMES].fd = COMPANION_FRAMES_FD;
    plug.polled[POLL_WORDS].fd = COMPANION_WORDS_FD;
    plug.polled[POLL_DATA].fd = vde_datafd(plug.connection);
    plug.polled[POLL_SWITCH].fd = vde_ctlfd(plug.connection);
    plug.polled[POLL_SWITCH].events = POLLIN;
    enter_sandbox();
    companion_is_up();
    run(&plug);
}
