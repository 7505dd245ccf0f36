/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/relay-client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "common/ctl-io.h"
#include "common/paths.h"
#include "common/scope.h"
#include "ctl/manager.h"
#include "daemon/actual.h"

#define CONNECT_MS 5000
#define ANSWER_MS  5000
#define ATTACH_MS  60000 /* host names may have to be resolved */
#define TEXT_MAX   4096

/* Through the folder's descriptor: a socket's own path is limited to 107 bytes. */
static int connect_in(int dir_fd, const char *name)
{
    _cleanup_(closep) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct timeval limit = { .tv_sec = CONNECT_MS / 1000 };
    int length =
        g_snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", dir_fd, name);

    if (length >= (int)sizeof(address.sun_path))
        return -ENAMETOOLONG;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return -errno;
    return steal_fd(&fd);
}

static int connect_path(const char *path)
{
    g_autofree char *folder = g_path_get_dirname(path);
    g_autofree char *name = g_path_get_basename(path);
    _cleanup_(closep) int dir_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);

    return dir_fd < 0 ? -errno : connect_in(dir_fd, name);
}

/* The relay that the manager runs for this network. */
static int connect_network(const NrCall *call)
{
    g_autofree char *folder = g_build_filename(call->runtime_dir, PATHS_RELAYS, NULL);
    _cleanup_(closep) int dir_fd = nr_manager_open_dir(folder);
    char name[NR_ACTUAL_SOCKET_MAX];

    nr_actual_socket_name(call->relay, name);
    return dir_fd < 0 ? dir_fd : connect_in(dir_fd, name);
}

static gboolean is_path(const char *place)
{
    return strchr(place, '/') || g_file_test(place, G_FILE_TEST_EXISTS);
}

/* A refused connection: the file of a relay that is no more, or another kind of file. */
static gboolean is_no_socket(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && !S_ISSOCK(st.st_mode);
}

static NrExit explain_connect(const NrCall *call, int r, gboolean quiet)
{
    gboolean by_path = is_path(call->relay);
    NrExit code = NR_EXIT_FAILED;
    const char *why = g_strerror(-r);

    if (by_path && r == -ECONNREFUSED && is_no_socket(call->relay)) {
        why = "that is no socket; name the one that the relay's --control names";
    } else if (r == -ECONNREFUSED || r == -ENOENT || r == -ENOTDIR) {
        code = NR_EXIT_ABSENT;
        why = !by_path             ? "there is no file of that name, and no network of netrelayd"
              : r == -ECONNREFUSED ? "nobody listens there any more: that relay has ended"
                                   : "there is no such file: is that relay running with --control?";
    } else if (r == -EAGAIN) {
        code = NR_EXIT_ABSENT;
        why = "the relay does not answer";
    } else if (r == -EACCES || r == -EPERM) {
        why = "that socket is not for this user; call netrelayctl as its owner";
    } else if (r == -EPROTOTYPE) {
        why = "that socket is not the control socket of a relay";
    }
    if (!quiet)
        nr_complain("%s: %s", call->relay, why);
    return code;
}

static NrExit fail(const NrRelayClient *client, NrExit code, const char *why)
{
    if (client->place)
        nr_complain("%s: %s", client->place, why);
    return code;
}

static void take_welcome(const struct ctl_msg *msg, gpointer data)
{
    NrRelayClient *client = data;
    char network[TEXT_MAX] = "";

    ctl_get_u32(msg, CTL_A_PID, &client->pid);
    ctl_get_str(msg, CTL_A_NETWORK, network, sizeof(network));
    g_free(client->network);
    client->network = g_strdup(network);
}

/* The manager gives those who may ask it a connection that looks, and changes nothing. */
static NrRelayClient *client_by_manager(const NrCall *call, gboolean quiet, NrExit *ret_code)
{
    g_auto(NrSilence) silence = { 0 };
    int sock = nr_manager_open_relay(call, call->relay, &silence);

    if (sock >= 0)
        return nr_relay_client_new_over(sock, quiet ? NULL : call->relay, ret_code);
    *ret_code = silence.code;
    if (!quiet)
        nr_silence_say(&silence);
    return NULL;
}

NrRelayClient *nr_relay_client_new(const NrCall *call, gboolean quiet, NrExit *ret_code)
{
    int sock = is_path(call->relay) ? connect_path(call->relay) : connect_network(call);

    if (sock == -EACCES && !is_path(call->relay))
        return client_by_manager(call, quiet, ret_code);
    if (sock < 0) {
        *ret_code = explain_connect(call, sock, quiet);
        return NULL;
    }
    return nr_relay_client_new_over(sock, quiet ? NULL : call->relay, ret_code);
}

NrRelayClient *nr_relay_client_new_over(int sock, const char *place, NrExit *ret_code)
{
    g_autoptr(NrRelayClient) client = g_new0(NrRelayClient, 1);
    struct ctl_msg hello;

    client->sock = sock;
    client->place = g_strdup(place);
    client->network = g_strdup("");
    nr_relay_request_begin(client, &hello, CTL_HELLO);
    ctl_put_u32(&hello, CTL_A_VERSION, CTL_VERSION);
    *ret_code = nr_relay_request(client, &hello, -1, take_welcome, client);
    return *ret_code == NR_EXIT_DONE ? g_steal_pointer(&client) : NULL;
}

void nr_relay_client_free(NrRelayClient *client)
{
    if (!client)
        return;
    if (client->sock >= 0)
        close(client->sock);
    g_free(client->place);
    g_free(client->network);
    g_free(client);
}

void nr_relay_request_begin(NrRelayClient *client, struct ctl_msg *request, enum ctl_type type)
{
    ctl_msg_begin(request, type, ++client->serial);
}

/* Events are handed on here. 0: an answer; -EAGAIN: nothing is there; else it cannot go on. */
static int take(NrRelayClient *client, struct ctl_msg *msg)
{
    for (;;) {
        _cleanup_(closep) int fd = -1;
        int r = ctl_io_recv(client->sock, msg, &fd);

        if (r < 0 || ctl_msg_serial(msg) == client->serial)
            return r;
        if (ctl_msg_serial(msg) == 0 && client->on_event)
            client->on_event(msg, client->event_data);
    }
}

gboolean nr_relay_client_drain(NrRelayClient *client)
{
    struct ctl_msg msg;
    int r;

    do {
        r = take(client, &msg);
    } while (r == 0);
    return r == -EAGAIN;
}

static int next_answer(NrRelayClient *client, struct ctl_msg *msg, gint64 deadline_us)
{
    for (;;) {
        struct pollfd poll_fd = { .fd = client->sock, .events = POLLIN };
        gint64 left_ms = (deadline_us - g_get_monotonic_time()) / 1000;
        int r = take(client, msg);

        if (r != -EAGAIN)
            return r;
        if (left_ms <= 0)
            return -ETIMEDOUT;
        if (poll(&poll_fd, 1, (int)left_ms + 1) < 0 && errno != EINTR)
            return -errno;
    }
}

static NrExit take_reply(const NrRelayClient *client, const struct ctl_msg *msg)
{
    char text[TEXT_MAX];
    guint32 error = 0;

    if (!ctl_get_u32(msg, CTL_A_ERROR, &error) || !error)
        return NR_EXIT_DONE;
    if (!ctl_get_str(msg, CTL_A_ERROR_TEXT, text, sizeof(text)))
        g_strlcpy(text, g_strerror((int)error), sizeof(text));
    return fail(client, NR_EXIT_FAILED, text);
}

static NrExit explain_answer(const NrRelayClient *client, int r)
{
    if (r == -ETIMEDOUT)
        return fail(client, NR_EXIT_ABSENT, "the relay does not answer");
    if (r == -EPIPE && client->pid)
        return fail(client, NR_EXIT_ABSENT, "the relay has ended");
    if (r == -EPIPE)
        return fail(client, NR_EXIT_FAILED,
                    "turned away: the relay is another user's, or has too many clients");
    return fail(client, NR_EXIT_FAILED, g_strerror(-r));
}

NrExit nr_relay_request(NrRelayClient *client, struct ctl_msg *request, int pass_fd,
                        NrRelayMessage on_row, gpointer data)
{
    int limit_ms = ctl_msg_type(request) == CTL_ATTACH ? ATTACH_MS : ANSWER_MS;
    gint64 deadline_us = g_get_monotonic_time() + limit_ms * G_TIME_SPAN_MILLISECOND;
    int r = ctl_msg_end(request);
    struct ctl_msg msg;

    if (r == 0)
        r = ctl_io_send(client->sock, request, pass_fd);
    while (r == 0) {
        r = next_answer(client, &msg, deadline_us);
        if (r < 0)
            break;
        if (ctl_msg_type(&msg) == CTL_REPLY) {
            NrExit code = take_reply(client, &msg);

            if (code == NR_EXIT_DONE && on_row)
                on_row(&msg, data);
            return code;
        }
        if (ctl_msg_type(&msg) == CTL_DONE)
            return NR_EXIT_DONE;
        if (on_row)
            on_row(&msg, data);
        if (ctl_msg_type(&msg) == CTL_WELCOME)
            return NR_EXIT_DONE;
    }
    return explain_answer(client, r);
}
