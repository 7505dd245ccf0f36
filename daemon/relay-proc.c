/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Life of a relay: spawned (its socket is bound here and listened on by the keeper, so that the
 * peer credentials of a connection to it are the keeper's) or adopted -> connected -> greeted ->
 * stopped or dead. The end of the connection is the end of the relay, unless somebody still has its
 * socket: one that has cut us off is greeted anew, once it takes a connection. Its process is only
 * ever signalled through a descriptor made from those credentials while the connection was alive.
 */
#include "daemon/relay-proc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "common/ctl-io.h"
#include "common/scope.h"
#include "daemon/child.h"
#include "daemon/log.h"
#include "daemon/runtime-dir.h"
#include "net/sockdiag.h"

#define CONNECT_FIRST_MS 2 /* doubled up to the last: a keeper listens within milliseconds */
#define CONNECT_LAST_MS  64
#define CONNECT_MUTE_MS  500 /* to one that takes nobody */

struct NrRelay {
    const NrRelaySettings *settings;
    const NrRelayEvents *events;
    gpointer data;
    NrRelayState state;
    char *name;
    char socket_name[NR_ACTUAL_SOCKET_MAX];
    NrRelayLink *link;
    int pidfd; /* of the keeper, once connected; -1 where it could not be had */
    pid_t pid;
    pid_t child; /* spawned by this manager, and not reaped while child_watch is there */
    guint child_watch;
    gint64 began_us;
    guint connect_timer, connect_delay_ms;
    guint deadline; /* of the greeting, or of the end */
    char *end_text;
};

static void connect_later(NrRelay *relay);
static void relay_connected(NrRelay *relay, int sock);
static gboolean on_greeting_late(gpointer data);

static const char *state_name(NrRelayState state)
{
    static const char *const names[] = { "starting", "ready", "mute", "stopping", "ended" };

    return names[state];
}

static const char *shown_name(const NrRelay *relay)
{
    return relay->name ? relay->name : relay->socket_name;
}

static void relay_set_state(NrRelay *relay, NrRelayState state)
{
    if (relay->state == state)
        return;
    nr_log(NR_LOG_DEBUG, "network %s: relay %s -> %s", shown_name(relay), state_name(relay->state),
           state_name(state));
    relay->state = state;
    relay->events->state(relay, relay->data); /* may have freed it */
}

static void timer_clear(guint *timer)
{
    if (*timer)
        g_source_remove(*timer);
    *timer = 0;
}

static void relay_end(NrRelay *relay, const char *text)
{
    timer_clear(&relay->connect_timer);
    timer_clear(&relay->deadline);
    if (relay->state == NR_RELAY_STOPPING) /* else another one goes on */
        nr_store_forget(relay->settings->store, relay->socket_name);
    if (!relay->end_text)
        relay->end_text = g_strdup(text);
    if (unlinkat(relay->settings->relays_fd, relay->socket_name, 0) < 0 && errno != ENOENT)
        nr_log(NR_LOG_WARNING, "network %s: cannot remove the relay's socket: %s",
               shown_name(relay), g_strerror(errno));
    relay_set_state(relay, NR_RELAY_ENDED);
}

/* The link */

static void on_link_ready(gpointer data)
{
    NrRelay *relay = data;

    timer_clear(&relay->deadline);
    nr_store_compare(relay->settings->store, relay->socket_name,
                     nr_relay_link_network(relay->link));
    if (!relay->name)
        relay->name = g_strdup(nr_relay_link_network(relay->link)->name);
    if (relay->state != NR_RELAY_STOPPING)
        relay_set_state(relay, NR_RELAY_READY);
}

static void on_link_changed(gpointer data)
{
    NrRelay *relay = data;

    relay->events->changed(relay, relay->data);
}

/* It thought that we do not read, as when we were stopped for a while. One that is just dying
 * listens for a moment longer than it talks: then this connection ends, too, and the next fails. */
static void ask_anew(NrRelay *relay, int sock)
{
    if (relay->link && relay->state != NR_RELAY_STOPPING)
        nr_log(NR_LOG_INFO, "network %s: its relay has cut us off; it is asked anew",
               shown_name(relay));
    g_clear_pointer(&relay->link, nr_relay_link_free);
    closep(&relay->pidfd);
    relay->pidfd = -1;
    if (relay->state != NR_RELAY_STOPPING) {
        timer_clear(&relay->deadline);
        relay->deadline = g_timeout_add(NR_RELAY_START_MS, on_greeting_late, relay);
        relay_set_state(relay, NR_RELAY_STARTING);
    }
    relay_connected(relay, sock);
}

/* Somebody has its socket and takes no connection: its backlog is full, or it has not read yet that
 * the socket is its own. */
static gboolean is_held(const NrRelaySettings *settings, const char *socket_name, int error)
{
    struct stat file;

    return error == -EAGAIN ||
           (error == -ECONNREFUSED &&
            fstatat(settings->relays_fd, socket_name, &file, AT_SYMLINK_NOFOLLOW) == 0 &&
            sockdiag_unix_file(&file) == 0);
}

char *nr_relay_silence(const NrRelay *relay)
{
    return relay->pid > 0 ? g_strdup_printf("its relay (pid %d) does not answer", (int)relay->pid)
                          : g_strdup("its relay does not answer");
}

static void warn_of_silence(const NrRelay *relay)
{
    g_autofree char *text = nr_relay_silence(relay);

    nr_log(NR_LOG_WARNING, "network %s: %s; it is left as it is", shown_name(relay), text);
}

/* What it was last known to have is shown meanwhile, and nobody gets a second relay. */
static void wait_for_it(NrRelay *relay)
{
    relay->connect_delay_ms = CONNECT_MUTE_MS;
    connect_later(relay);
    if (relay->state == NR_RELAY_STOPPING)
        return;
    timer_clear(&relay->deadline);
    warn_of_silence(relay);
    relay_set_state(relay, NR_RELAY_MUTE);
}

static void on_link_ended(int error, gpointer data)
{
    NrRelay *relay = data;
    int sock = error == -EPIPE ? nr_relay_connect(relay) : -EPROTO;

    if (error != -EPIPE) /* it may live and use them */
        nr_store_forget(relay->settings->store, relay->socket_name);
    if (sock >= 0)
        ask_anew(relay, sock);
    else if (is_held(relay->settings, relay->socket_name, sock))
        wait_for_it(relay);
    else
        relay_end(relay, error == -EPIPE ? "it has ended" : "it speaks another protocol");
}

static void on_link_replaced(const char *how, gpointer data)
{
    NrRelay *relay = data;

    relay->events->replaced(relay, how, relay->data);
}

static void on_link_deposited(enum ctl_deposit what, guint32 port_id, int fd, gpointer data)
{
    const NrRelay *relay = data;

    nr_store_keep(relay->settings->store, relay->socket_name, what, port_id, fd);
}

static void on_link_port_gone(guint32 port_id, gpointer data)
{
    const NrRelay *relay = data;

    nr_store_let_go(relay->settings->store, relay->socket_name, port_id);
}

static const NrRelayLinkEvents link_events = {
    .ready = on_link_ready,
    .changed = on_link_changed,
    .replaced = on_link_replaced,
    .deposited = on_link_deposited,
    .port_gone = on_link_port_gone,
    .ended = on_link_ended,
};

/* It answers again after all. */
static void on_probed(int error, const char *text, gpointer data)
{
    NrRelay *relay = data;

    if (error == 0 && relay->state == NR_RELAY_MUTE)
        relay_set_state(relay, NR_RELAY_READY);
}

int nr_relay_connect(const NrRelay *relay)
{
    return nr_runtime_connect(relay->settings->relays_fd, relay->socket_name);
}

/* What it may is settled before anybody has the descriptor. The answer to this greeting carries a
 * serial that is nobody's request. */
int nr_relay_look(const NrRelay *relay)
{
    _cleanup_(closep) int sock = nr_relay_connect(relay);
    struct ctl_msg hello;
    int r;

    if (sock < 0)
        return sock;
    ctl_msg_begin(&hello, CTL_HELLO, G_MAXUINT32);
    ctl_put_u32(&hello, CTL_A_VERSION, CTL_VERSION);
    ctl_put_u32(&hello, CTL_A_LOOKS, 1);
    ctl_msg_end(&hello);
    r = ctl_io_send(sock, &hello, -1);
    return r < 0 ? r : steal_fd(&sock);
}

gboolean nr_relay_lost_socket(const NrRelay *relay)
{
    return relay->link && relay->state != NR_RELAY_ENDED &&
           faccessat(relay->settings->relays_fd, relay->socket_name, F_OK, AT_SYMLINK_NOFOLLOW) < 0;
}

static void on_listening(int error, const char *text, gpointer data)
{
    const NrRelay *relay = data;

    if (error < 0 && error != -EPIPE)
        nr_log(NR_LOG_WARNING, "network %s: its relay (pid %d) has no control socket: %s",
               shown_name(relay), (int)relay->pid, text ? text : g_strerror(-error));
}

/* Bound here, as the first one was: a relay may not write there. */
int nr_relay_renew_socket(NrRelay *relay)
{
    _cleanup_(closep) int sock = nr_runtime_bind(relay->settings->relays_fd, relay->socket_name);

    if (sock < 0)
        return sock;
    nr_relay_link_listen(relay->link, sock, on_listening, relay);
    return 0;
}

void nr_relay_mark_mute(NrRelay *relay)
{
    if (relay->state != NR_RELAY_READY)
        return;
    warn_of_silence(relay);
    nr_relay_link_probe(relay->link, on_probed, relay);
    relay_set_state(relay, NR_RELAY_MUTE);
}

static gboolean on_greeting_late(gpointer data)
{
    NrRelay *relay = data;

    relay->deadline = 0;
    timer_clear(&relay->connect_timer);
    if (!relay->link) { /* it lives (its end would have been seen), but listens to nobody */
        kill(relay->child, SIGKILL);
        relay_end(relay, "it did not open its control socket");
    } else {
        warn_of_silence(relay);
        relay_set_state(relay, NR_RELAY_MUTE);
    }
    return G_SOURCE_REMOVE;
}

/* The keeper called listen(), so these are its credentials, whoever bound the socket. */
static void learn_pid(NrRelay *relay, int sock)
{
    struct ucred credentials;
    socklen_t size = sizeof(credentials);

    if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0 || credentials.pid <= 0)
        return;
    relay->pid = credentials.pid;
    relay->pidfd = (int)syscall(SYS_pidfd_open, credentials.pid, 0);
}

static void relay_connected(NrRelay *relay, int sock)
{
    learn_pid(relay, sock);
    relay->link = nr_relay_link_new(sock, &link_events, relay);
    if (relay->state == NR_RELAY_STOPPING)
        nr_relay_link_stop(relay->link, NULL, NULL);
}

static gboolean on_connect_again(gpointer data)
{
    NrRelay *relay = data;
    int sock = nr_runtime_connect(relay->settings->relays_fd, relay->socket_name);

    relay->connect_timer = 0;
    if (sock >= 0 && relay->state == NR_RELAY_STARTING)
        relay_connected(relay, sock);
    else if (sock >= 0)
        ask_anew(relay, sock);
    else if (relay->state == NR_RELAY_STARTING ||
             is_held(relay->settings, relay->socket_name, sock))
        connect_later(relay);
    else
        relay_end(relay, "it has ended");
    return G_SOURCE_REMOVE;
}

static void connect_later(NrRelay *relay)
{
    relay->connect_timer = g_timeout_add(relay->connect_delay_ms, on_connect_again, relay);
    if (relay->connect_delay_ms < CONNECT_LAST_MS)
        relay->connect_delay_ms *= 2;
}

/* The process */

static void on_child_ended(GPid pid, gint status, gpointer data)
{
    NrRelay *relay = data;
    g_autofree char *text =
        WIFSIGNALED(status) ? g_strdup_printf("it was killed by signal %d", WTERMSIG(status))
                            : g_strdup_printf("it ended with exit status %d", WEXITSTATUS(status));

    relay->child_watch = 0;
    if (relay->end_text == NULL)
        relay->end_text = g_steal_pointer(&text);
    if (!relay->link) /* else the end of the connection, which comes with it, is the end */
        relay_end(relay, NULL);
}

static void on_reaped(GPid pid, gint status, gpointer data)
{
}

static NrRelay *relay_new(const NrRelaySettings *settings, const char *socket_name,
                          const NrRelayEvents *events, gpointer data)
{
    NrRelay *relay = g_new0(NrRelay, 1);

    relay->settings = settings;
    relay->events = events;
    relay->data = data;
    relay->state = NR_RELAY_STARTING;
    relay->pidfd = -1;
    relay->began_us = g_get_monotonic_time();
    relay->connect_delay_ms = CONNECT_FIRST_MS;
    relay->deadline = g_timeout_add(NR_RELAY_START_MS, on_greeting_late, relay);
    g_strlcpy(relay->socket_name, socket_name, sizeof(relay->socket_name));
    return relay;
}

/* Somebody may be behind the socket that adoption did not see; nobody gets a second relay. */
static gboolean socket_is_live(const NrRelaySettings *settings, const char *socket_name)
{
    _cleanup_(closep) int sock = nr_runtime_connect(settings->relays_fd, socket_name);

    return sock >= 0 || is_held(settings, socket_name, sock);
}

NrRelay *nr_relay_spawn(const NrRelaySettings *settings, const char *network, int image,
                        const NrRelayEvents *events, gpointer data, char **ret_text)
{
    _cleanup_(closep) int listener = -1;
    _cleanup_(closep) int file = -1;
    char socket_name[NR_ACTUAL_SOCKET_MAX];
    g_autoptr(GArray) deposit = NULL;
    NrRelay *relay;
    pid_t pid;

    nr_actual_socket_name(network, socket_name);
    if (socket_is_live(settings, socket_name)) {
        *ret_text = g_strdup("a relay of an earlier manager is still there and does not answer");
        return NULL;
    }
    listener = nr_runtime_bind(settings->relays_fd, socket_name);
    if (listener < 0) {
        *ret_text = g_strdup_printf("cannot make its control socket: %s", g_strerror(-listener));
        return NULL;
    }
    file = openat(settings->relays_fd, socket_name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    deposit = nr_store_descriptors(settings->store, socket_name);
    pid = nr_child_spawn(settings, network, image, listener, file, deposit);
    if (pid < 0) {
        *ret_text =
            g_strdup_printf("cannot start %s: %s", settings->program, g_strerror((int)-pid));
        (void)unlinkat(settings->relays_fd, socket_name, 0);
        return NULL;
    }
    relay = relay_new(settings, socket_name, events, data);
    relay->name = g_strdup(network);
    relay->pid = pid;
    relay->child = pid;
    relay->child_watch = g_child_watch_add(pid, on_child_ended, relay);
    connect_later(relay);
    return relay;
}

NrRelay *nr_relay_adopt_over(const NrRelaySettings *settings, const char *socket_name, int sock,
                             const NrRelayEvents *events, gpointer data)
{
    NrRelay *relay = relay_new(settings, socket_name, events, data);

    relay_connected(relay, sock);
    return relay;
}

NrRelay *nr_relay_adopt(const NrRelaySettings *settings, const char *socket_name,
                        const NrRelayEvents *events, gpointer data, int *ret_error)
{
    NrRelay *relay;
    int sock = nr_runtime_connect(settings->relays_fd, socket_name);

    if (sock < 0 && !is_held(settings, socket_name, sock)) {
        *ret_error = sock;
        return NULL;
    }
    if (sock >= 0)
        return nr_relay_adopt_over(settings, socket_name, sock, events, data);
    relay = relay_new(settings, socket_name, events, data);
    relay->state = NR_RELAY_MUTE; /* from the beginning: it is in no table that could be told */
    wait_for_it(relay);
    return relay;
}

void nr_relay_free(NrRelay *relay)
{
    if (!relay)
        return;
    timer_clear(&relay->connect_timer);
    timer_clear(&relay->deadline);
    if (relay->child_watch) {
        g_source_remove(relay->child_watch);
        g_child_watch_add(relay->child, on_reaped, NULL);
    }
    nr_relay_link_free(relay->link);
    closep(&relay->pidfd);
    g_free(relay->name);
    g_free(relay->end_text);
    g_free(relay);
}

/* The end */

void nr_relay_kill(NrRelay *relay)
{
    if (relay->pidfd >= 0)
        (void)syscall(SYS_pidfd_send_signal, relay->pidfd, SIGKILL, NULL, 0);
    else if (relay->child_watch)
        kill(relay->child, SIGKILL);
}

static gboolean on_stop_late(gpointer data)
{
    NrRelay *relay = data;

    relay->deadline = 0;
    nr_log(NR_LOG_WARNING, "network %s: its relay (pid %d) does not end; killing it",
           shown_name(relay), (int)relay->pid);
    nr_relay_kill(relay);
    return G_SOURCE_REMOVE;
}

void nr_relay_stop(NrRelay *relay)
{
    if (relay->state == NR_RELAY_STOPPING || relay->state == NR_RELAY_ENDED)
        return;
    timer_clear(&relay->deadline);
    relay->deadline = g_timeout_add(NR_RELAY_STOP_MS, on_stop_late, relay);
    if (relay->link)
        nr_relay_link_stop(relay->link, NULL, NULL);
    relay_set_state(relay, NR_RELAY_STOPPING);
}

NrRelayState nr_relay_state(const NrRelay *relay)
{
    return relay->state;
}

const char *nr_relay_name(const NrRelay *relay)
{
    return relay->name;
}

const char *nr_relay_socket(const NrRelay *relay)
{
    return relay->socket_name;
}

NrRelayLink *nr_relay_link(NrRelay *relay)
{
    return relay->link;
}

pid_t nr_relay_pid(const NrRelay *relay)
{
    return relay->pid;
}

gint64 nr_relay_age_ms(const NrRelay *relay)
{
    return (g_get_monotonic_time() - relay->began_us) / 1000;
}

const char *nr_relay_end_text(const NrRelay *relay)
{
    return relay->end_text ? relay->end_text : "it has ended";
}
