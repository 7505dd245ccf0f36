/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The socket itself, what is told to all clients, and the text of messages. */
#include "relay/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "common/scope.h"
#include "relay/control-client.h"
#include "relay/held.h"
#include "relay/keeper.h"

#define BACKLOG 64
#define REST_MS 1000

#define container(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

void control_put_endpoint(struct ctl_msg *msg, enum ctl_type type, uint32_t serial,
                          const struct attachment *a)
{
    ctl_msg_begin(msg, type, serial);
    ctl_put_u32(msg, CTL_A_ENDPOINT_ID, a->id);
    ctl_put_str(msg, CTL_A_ENDPOINT, a->text);
    ctl_put_str(msg, CTL_A_LABEL, a->label);
    ctl_put_u32(msg, CTL_A_STATE, a->state);
    ctl_put_str(msg, CTL_A_DETAIL, a->detail);
    ctl_put_u64(msg, CTL_A_SINCE, a->since_s);
    if (a->rules)
        ctl_put_u64(msg, CTL_A_DROP_STRANGER, a->refused);
    if (a->rules)
        ctl_put_u64(msg, CTL_A_DROP_HOST, a->refused_hosts);
    for (unsigned i = 0; a->rules && i < a->rules->n_hosts; ++i)
        ctl_put_str(msg, CTL_A_ADMIT_HOSTS, a->rules->host_text[i]);
    ctl_msg_end(msg);
}

static void put_counters(struct ctl_msg *msg, const struct holding *holding)
{
    const struct port_counters counters = holding_counters(holding), *c = &counters;

    ctl_put_u64(msg, CTL_A_RX_FRAMES, c->rx_frames);
    ctl_put_u64(msg, CTL_A_RX_BYTES, c->rx_bytes);
    ctl_put_u64(msg, CTL_A_TX_FRAMES, c->tx_frames);
    ctl_put_u64(msg, CTL_A_TX_BYTES, c->tx_bytes);
    ctl_put_u64(msg, CTL_A_DROPS,
                c->drop_queue + c->drop_runt + c->drop_size + c->drop_stranger + c->drop_error +
                    c->drop_filter + c->drop_loop + c->drop_storm);
    ctl_put_u64(msg, CTL_A_DROP_QUEUE, c->drop_queue);
    ctl_put_u64(msg, CTL_A_DROP_RUNT, c->drop_runt);
    ctl_put_u64(msg, CTL_A_DROP_SIZE, c->drop_size);
    ctl_put_u64(msg, CTL_A_DROP_STRANGER, c->drop_stranger);
    ctl_put_u64(msg, CTL_A_DROP_ERROR, c->drop_error);
    ctl_put_u64(msg, CTL_A_DROP_FILTER, c->drop_filter);
    ctl_put_u64(msg, CTL_A_DROP_LOOP, c->drop_loop);
    ctl_put_u64(msg, CTL_A_DROP_STORM, c->drop_storm);
}

void control_put_port(struct ctl_msg *msg, enum ctl_type type, uint32_t serial,
                      const struct holding *holding)
{
    char options[PORT_OPTIONS_TEXT_MAX], source[MAC_TEXT_MAX];

    ctl_msg_begin(msg, type, serial);
    ctl_put_u32(msg, CTL_A_PORT_ID, holding->id);
    ctl_put_u32(msg, CTL_A_ENDPOINT_ID, holding->endpoint_id);
    ctl_put_str(msg, CTL_A_LABEL, holding->label);
    ctl_put_u32(msg, CTL_A_STATE, holding_state(holding));
    ctl_put_str(msg, CTL_A_LOCAL, holding->local);
    ctl_put_str(msg, CTL_A_PEER, holding->peer);
    ctl_put_str(msg, CTL_A_DETAIL, holding->detail);
    ctl_put_u64(msg, CTL_A_SINCE, holding->since_s);
    put_counters(msg, holding);
    ctl_put_u64(msg, CTL_A_QUEUED, holding->queued);
    if (!mac_is_zero(holding->source))
        ctl_put_str(msg, CTL_A_SOURCE, mac_format(holding->source, source));
    ctl_put_str(msg, CTL_A_OPTIONS, port_options_format(&holding->options, options));
    ctl_msg_end(msg);
}

static bool is_entitled(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

static void on_accept(struct loop_io *io, uint32_t revents)
{
    struct control *control = container(io, struct control, io);
    _cleanup_(closep) int fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0 && errno != EAGAIN && errno != ECONNABORTED && errno != EINTR) {
        loop_set(&control->keeper->loop, io, 0); /* no descriptor to be had: rest */
        loop_timer_in(&control->keeper->loop, &control->rest, REST_MS);
    }
    if (fd < 0)
        return;
    if (control->n_clients >= CONTROL_CLIENTS_MAX || !is_entitled(fd))
        log_limited(LOG_LEVEL_WARNING, "a control client is turned away");
    else if (client_new(control, fd) == 0)
        steal_fd(&fd);
}

static void on_rested(struct loop_timer *timer)
{
    struct control *control = container(timer, struct control, rest);

    loop_set(&control->keeper->loop, &control->io, EPOLLIN);
}

static int bind_path(struct control *control, int fd, const char *path)
{
    int r = unix_address(&control->address, path);

    return r < 0 ? r : unix_bind(fd, &control->address, &control->made_path);
}

static bool keeps_packets_apart(int fd)
{
    int domain = 0, type = 0;
    socklen_t size = sizeof(int);

    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX &&
           getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

int control_listen(struct control *control, int fd)
{
    struct loop *loop = &control->keeper->loop;
    int r;

    if (!keeps_packets_apart(fd))
        return -EINVAL;
    /* By us, whoever bound it: the kernel shows whose listen() it was as the peer's pid. */
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || listen(fd, BACKLOG) < 0)
        return -errno;
    if (control->io.fd >= 0) {
        loop_del(loop, &control->io);
        closep(&control->io.fd);
    }
    control->io.on_io = on_accept;
    r = loop_add(loop, &control->io, fd, EPOLLIN);
    if (r < 0)
        control->io.fd = -1;
    return r;
}

int control_open(struct control *control, struct keeper *keeper, int inherited, const char *path)
{
    _cleanup_(closep) int fd = -1;
    int r = 0;

    control->keeper = keeper;
    control->io.fd = -1;
    control->rest.on_timer = on_rested;
    if (inherited < 0 && !path)
        return 0;
    fd = inherited >= 0 ? fcntl(inherited, F_DUPFD_CLOEXEC, 3)
                        : socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (inherited >= 0)
        close(inherited);
    else
        r = bind_path(control, fd, path);
    if (r == 0)
        r = control_listen(control, fd);
    if (r == 0)
        steal_fd(&fd);
    return r;
}

void control_close(struct control *control)
{
    while (control->clients)
        client_free(control->clients);
    unix_unlink(&control->address, &control->made_path);
}

bool control_has_judge(const struct control *control)
{
    const struct control_client *client = control->clients;

    while (client && (!client->judges || client->dead))
        client = client->next;
    return client;
}

bool control_is_behind(const struct control *control)
{
    for (const struct control_client *client = control->clients; client; client = client->next)
        if (client->judges && client->queued > CONTROL_QUEUE_MAX / 4)
            return true;
    return false;
}

static void broadcast(struct control *control, const struct ctl_msg *msg)
{
    for (struct control_client *client = control->clients; client; client = client->next)
        if (client->greeted)
            client_put(client, msg);
}

void control_endpoint_changed(struct control *control, const struct attachment *attachment)
{
    struct ctl_msg msg;

    control_put_endpoint(&msg, CTL_EVENT_ENDPOINT, 0, attachment);
    broadcast(control, &msg);
}

void control_endpoint_gone(struct control *control, const struct attachment *attachment)
{
    struct ctl_msg msg;

    control_put_endpoint(&msg, CTL_EVENT_ENDPOINT_GONE, 0, attachment);
    broadcast(control, &msg);
}

void control_port_changed(struct control *control, const struct holding *holding)
{
    struct ctl_msg msg;

    control_put_port(&msg, CTL_EVENT_PORT, 0, holding);
    broadcast(control, &msg);
}

void control_port_gone(struct control *control, const struct holding *holding)
{
    struct ctl_msg msg;

    control_put_port(&msg, CTL_EVENT_PORT_GONE, 0, holding);
    broadcast(control, &msg);
    for (struct control_client *client = control->clients; client; client = client->next)
        client_answer_waits(client, holding->id, 0, 0, NULL);
}

void control_forwarder_ended(struct control *control, const char *how)
{
    struct ctl_msg msg;

    ctl_msg_begin(&msg, CTL_EVENT_FORWARDER, 0);
    ctl_put_str(&msg, CTL_A_ERROR_TEXT, how);
    ctl_msg_end(&msg);
    broadcast(control, &msg);
}

void control_attached(struct control *control, const struct attachment *attachment, int r,
                      const char *error)
{
    for (struct control_client *client = control->clients; client; client = client->next)
        client_answer_waits(client, 0, attachment->id, r, error);
}

void control_stats_ready(struct control *control)
{
    for (struct control_client *client = control->clients; client; client = client->next)
        if (client->dump == DUMP_COUNTERS) {
            client->dump = DUMP_ENDPOINTS;
            client->dump_next = 0;
            client_dump(client);
        }
}
