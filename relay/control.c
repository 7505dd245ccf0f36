/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages to a client go through its queue in order, whatever they are; a dump, which can be
 * long, is put there piece by piece as the client reads. Requests that take time leave a wait
 * behind, which is answered when their port or endpoint has come to its end.
 */
#include "relay/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "common/ctl-io.h"
#include "common/scope.h"
#include "relay/keeper.h"

#define BACKLOG       64
#define REST_MS       1000
#define MESSAGES_TURN 32
#define DUMP_AHEAD    (32 * 1024) /* bytes of a dump that may lie in a queue */

#define container(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

struct queued {
    struct queued *next; /* control_client.first */
    size_t len;
    uint8_t bytes[];
};

/* A request whose answer is still to come: when this port is gone, or this endpoint is there. */
struct wait {
    struct wait *next; /* control_client.waits */
    uint32_t serial;
    uint32_t port_id;
    uint32_t attachment_id;
};

enum dump_state {
    DUMP_NONE,
    DUMP_COUNTERS, /* waits for the forwarder's numbers */
    DUMP_ENDPOINTS,
    DUMP_PORTS,
};

struct control_client {
    struct control_client *next; /* control.clients */
    struct control *control;
    struct loop_io io;
    bool greeted; /* gets events */
    bool dead;    /* freed at the end of its turn */
    struct queued *first, **last;
    size_t queued;
    struct wait *waits;
    unsigned n_waits;
    enum dump_state dump;
    uint32_t dump_serial;
    uint32_t dump_next; /* id of the endpoint, or slot */
};

typedef void handler(struct control_client *client, const struct ctl_msg *msg, int *fd);

static void client_interest(struct control_client *client)
{
    uint32_t out = client->first || client->dump > DUMP_COUNTERS ? EPOLLOUT : 0;

    loop_set(&client->control->keeper->loop, &client->io, EPOLLIN | out);
}

static void client_put(struct control_client *client, const struct ctl_msg *msg)
{
    struct queued *item;

    if (client->dead)
        return;
    if (!client->first && ctl_io_send(client->io.fd, msg, -1) == 0)
        return;
    item = client->queued + msg->len > CONTROL_QUEUE_MAX ? NULL : malloc(sizeof(*item) + msg->len);
    if (!item) {
        log_limited(LOG_LEVEL_WARNING, "a control client does not read: cut off");
        client->dead = true;
        shutdown(client->io.fd, SHUT_RDWR); /* its next event frees it */
        return;
    }
    item->next = NULL;
    item->len = msg->len;
    memcpy(item->bytes, msg->buf, msg->len);
    *client->last = item;
    client->last = &item->next;
    client->queued += msg->len;
    client_interest(client);
}

static void put_endpoint(struct ctl_msg *msg, enum ctl_type type, uint32_t serial,
                         const struct attachment *a)
{
    ctl_msg_begin(msg, type, serial);
    ctl_put_u32(msg, CTL_A_ENDPOINT_ID, a->id);
    ctl_put_str(msg, CTL_A_ENDPOINT, a->text);
    ctl_put_str(msg, CTL_A_LABEL, a->label);
    ctl_put_u32(msg, CTL_A_STATE, a->state);
    ctl_put_str(msg, CTL_A_DETAIL, a->detail);
    ctl_put_u64(msg, CTL_A_SINCE, a->since_s);
    ctl_msg_end(msg);
}

static void put_counters(struct ctl_msg *msg, const struct port_counters *c)
{
    ctl_put_u64(msg, CTL_A_RX_FRAMES, c->rx_frames);
    ctl_put_u64(msg, CTL_A_RX_BYTES, c->rx_bytes);
    ctl_put_u64(msg, CTL_A_TX_FRAMES, c->tx_frames);
    ctl_put_u64(msg, CTL_A_TX_BYTES, c->tx_bytes);
    ctl_put_u64(msg, CTL_A_DROPS,
                c->drop_queue + c->drop_runt + c->drop_size + c->drop_stranger + c->drop_error);
    ctl_put_u64(msg, CTL_A_DROP_QUEUE, c->drop_queue);
    ctl_put_u64(msg, CTL_A_DROP_RUNT, c->drop_runt);
    ctl_put_u64(msg, CTL_A_DROP_SIZE, c->drop_size);
    ctl_put_u64(msg, CTL_A_DROP_STRANGER, c->drop_stranger);
    ctl_put_u64(msg, CTL_A_DROP_ERROR, c->drop_error);
}

static void put_port(struct ctl_msg *msg, enum ctl_type type, uint32_t serial,
                     const struct holding *holding)
{
    bool up = holding->state == HOLDING_NEW || holding->state == HOLDING_PASSED;

    ctl_msg_begin(msg, type, serial);
    ctl_put_u32(msg, CTL_A_PORT_ID, holding->id);
    ctl_put_u32(msg, CTL_A_ENDPOINT_ID, holding->endpoint_id);
    ctl_put_str(msg, CTL_A_LABEL, holding->label);
    ctl_put_u32(msg, CTL_A_STATE, up ? CTL_PORT_UP : CTL_PORT_CLOSING);
    ctl_put_str(msg, CTL_A_LOCAL, holding->local);
    ctl_put_str(msg, CTL_A_PEER, holding->peer);
    ctl_put_str(msg, CTL_A_DETAIL, holding->detail);
    ctl_put_u64(msg, CTL_A_SINCE, holding->since_s);
    put_counters(msg, &holding->counters);
    ctl_put_u64(msg, CTL_A_QUEUED, holding->queued);
    ctl_msg_end(msg);
}

static void reply(struct control_client *client, uint32_t serial, int r, const char *text,
                  uint32_t endpoint_id)
{
    struct ctl_msg msg;

    ctl_msg_begin(&msg, CTL_REPLY, serial);
    if (r < 0) {
        ctl_put_u32(&msg, CTL_A_ERROR, (uint32_t)-r);
        ctl_put_str(&msg, CTL_A_ERROR_TEXT, text);
    }
    if (endpoint_id)
        ctl_put_u32(&msg, CTL_A_ENDPOINT_ID, endpoint_id);
    ctl_msg_end(&msg);
    client_put(client, &msg);
}

static void refuse(struct control_client *client, const struct ctl_msg *msg, int r,
                   const char *text)
{
    reply(client, ctl_msg_serial(msg), r, text, 0);
}

static void wait_for(struct control_client *client, uint32_t serial, uint32_t port_id,
                     uint32_t attachment_id)
{
    struct wait *wait = client->n_waits < CONTROL_WAITS_MAX ? malloc(sizeof(*wait)) : NULL;

    if (!wait) {
        reply(client, serial, -EBUSY, "too many requests are under way", 0);
        return;
    }
    *wait = (struct wait){ client->waits, serial, port_id, attachment_id };
    client->waits = wait;
    ++client->n_waits;
}

/* One piece of the dump; false once all is said. */
static bool dump_step(struct control_client *client)
{
    struct keeper *keeper = client->control->keeper;
    struct attachment *a = keeper->attachments;
    struct ctl_msg msg;

    if (client->dump == DUMP_ENDPOINTS) {
        while (a && a->id < client->dump_next)
            a = a->next;
        if (a) {
            put_endpoint(&msg, CTL_ENDPOINT, client->dump_serial, a);
            client_put(client, &msg);
            client->dump_next = a->id + 1;
            return true;
        }
        client->dump = DUMP_PORTS;
        client->dump_next = 0;
    }
    while (client->dump_next < keeper->n_slots) {
        const struct holding *holding = keeper->holdings[client->dump_next++];

        if (!holding)
            continue;
        put_port(&msg, CTL_PORT, client->dump_serial, holding);
        client_put(client, &msg);
        return true;
    }
    ctl_msg_begin(&msg, CTL_DONE, client->dump_serial);
    ctl_msg_end(&msg);
    client->dump = DUMP_NONE;
    client_put(client, &msg);
    return false;
}

static void dump_more(struct control_client *client)
{
    while (client->dump > DUMP_COUNTERS && !client->dead && client->queued < DUMP_AHEAD)
        if (!dump_step(client))
            break;
    client_interest(client);
}

static void client_flush(struct control_client *client)
{
    while (client->first) {
        struct queued *item = client->first;
        struct ctl_msg msg = { .len = item->len };
        int r;

        memcpy(msg.buf, item->bytes, item->len);
        r = ctl_io_send(client->io.fd, &msg, -1);
        if (r == -EAGAIN)
            return;
        if (r < 0) {
            client->dead = true;
            return;
        }
        client->first = item->next;
        if (!client->first)
            client->last = &client->first;
        client->queued -= item->len;
        free(item);
    }
    dump_more(client);
}

/* What is kept and shown to others must be text: UTF-8 without control characters. */
static bool is_text(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; ++p) {
        int more = *p < 0x80 ? 0 : *p >= 0xf0 && *p < 0xf5 ? 3 : *p >= 0xe0 ? 2 : 1;

        if (*p < ' ' || *p == 0x7f || (*p >= 0x80 && *p < 0xc2) || *p >= 0xf5)
            return false;
        for (; more > 0; --more)
            if ((*++p & 0xc0) != 0x80)
                return false;
    }
    return true;
}

static void handle_hello(struct control_client *client, const struct ctl_msg *msg, int *fd)
{
    const struct keeper *keeper = client->control->keeper;
    struct ctl_msg answer;
    uint32_t version = CTL_VERSION;

    if (ctl_get_u32(msg, CTL_A_VERSION, &version) && version < 1) {
        refuse(client, msg, -EPROTONOSUPPORT, "this version is not spoken here");
        return;
    }
    ctl_msg_begin(&answer, CTL_WELCOME, ctl_msg_serial(msg));
    ctl_put_u32(&answer, CTL_A_VERSION, CTL_VERSION);
    ctl_put_str(&answer, CTL_A_NETWORK, keeper->config->network);
    ctl_put_u32(&answer, CTL_A_PID, (uint32_t)getpid());
    ctl_msg_end(&answer);
    client->greeted = true;
    client_put(client, &answer);
}

static void handle_dump(struct control_client *client, const struct ctl_msg *msg, int *fd)
{
    if (client->dump != DUMP_NONE) {
        refuse(client, msg, -EBUSY, "a dump is under way");
        return;
    }
    client->dump = DUMP_COUNTERS;
    client->dump_serial = ctl_msg_serial(msg);
    forwarder_proc_ask_stats(&client->control->keeper->forwarder);
}

static void handle_attach(struct control_client *client, const struct ctl_msg *msg, int *fd)
{
    char text[ENDPOINT_TEXT_MAX], label[CTL_LABEL_MAX + 1] = "", error[ATTACHMENT_TEXT_MAX];
    char shown[160];
    struct attachment *attachment;
    const char *expected = "an endpoint";
    struct endpoint endpoint;
    int r;

    if (!ctl_get_str(msg, CTL_A_ENDPOINT, text, sizeof(text))) {
        refuse(client, msg, -EINVAL, "an endpoint is missing");
        return;
    }
    if (ctl_get_str(msg, CTL_A_LABEL, label, sizeof(label)) && !is_text(label)) {
        refuse(client, msg, -EINVAL, "a label is not text");
        return;
    }
    if (endpoint_parse(&endpoint, text, &expected) < 0) {
        snprintf(error, sizeof(error), "'%s' is not an endpoint: expected %s",
                 log_printable(text, shown, sizeof(shown)), expected);
        refuse(client, msg, -EINVAL, error);
        return;
    }
    r = attachment_new(&attachment, client->control->keeper, &endpoint, label, *fd, false, error);
    if (r >= 0)
        *fd = -1;
    if (r < 0)
        refuse(client, msg, r, error);
    else if (r == ATTACHMENT_PENDING)
        wait_for(client, ctl_msg_serial(msg), 0, attachment->id);
    else
        reply(client, ctl_msg_serial(msg), 0, NULL, attachment->id);
}

/* A port that its endpoint takes along, or 0. */
static uint32_t port_to_wait_for(struct keeper *keeper, const struct attachment *a)
{
    if (a->ops->ports_stay)
        return 0;
    for (uint32_t slot = 0; slot < keeper->n_slots; ++slot)
        if (keeper->holdings[slot] && keeper->holdings[slot]->attachment == a)
            return keeper->holdings[slot]->id;
    return 0;
}

static void handle_detach(struct control_client *client, const struct ctl_msg *msg, int *fd)
{
    struct keeper *keeper = client->control->keeper;
    struct attachment *attachment;
    uint32_t id, port_id;

    if (!ctl_get_u32(msg, CTL_A_ENDPOINT_ID, &id)) {
        refuse(client, msg, -EINVAL, "an endpoint's id is missing");
        return;
    }
    attachment = keeper_find_attachment(keeper, id);
    if (!attachment) {
        refuse(client, msg, -ENOENT, "there is no such endpoint");
        return;
    }
    port_id = port_to_wait_for(keeper, attachment);
    attachment_detach(attachment);
    if (port_id && keeper_find_port(keeper, port_id))
        wait_for(client, ctl_msg_serial(msg), port_id, 0);
    else
        reply(client, ctl_msg_serial(msg), 0, NULL, 0);
}

static struct holding *named_port(struct control_client *client, const struct ctl_msg *msg)
{
    struct holding *holding = NULL;
    uint32_t id;

    if (!ctl_get_u32(msg, CTL_A_PORT_ID, &id)) {
        refuse(client, msg, -EINVAL, "a port's id is missing");
        return NULL;
    }
    holding = keeper_find_port(client->control->keeper, id);
    if (!holding)
        refuse(client, msg, -ENOENT, "there is no such port");
    return holding;
}

static void handle_close_port(struct control_client *client, const struct ctl_msg *msg, int *fd)
{
    struct holding *holding = named_port(client, msg);
    uint32_t id;

    if (!holding)
        return;
    id = holding->id;
    keeper_close_port(client->control->keeper, holding);
    if (keeper_find_port(client->control->keeper, id))
        wait_for(client, ctl_msg_serial(msg), id, 0);
    else
        reply(client, ctl_msg_serial(msg), 0, NULL, 0);
}

static void handle_label_port(struct control_client *client, const struct ctl_msg *msg, int *fd)
{
    struct holding *holding = named_port(client, msg);
    char label[CTL_LABEL_MAX + 1];

    if (!holding)
        return;
    if (!ctl_get_str(msg, CTL_A_LABEL, label, sizeof(label)) || !is_text(label)) {
        refuse(client, msg, -EINVAL, "a label is missing, too long, or not text");
        return;
    }
    snprintf(holding->label, sizeof(holding->label), "%s", label);
    reply(client, ctl_msg_serial(msg), 0, NULL, 0);
    control_port_changed(client->control, holding);
}

static void handle_stop(struct control_client *client, const struct ctl_msg *msg, int *fd)
{
    log_info("told to stop");
    reply(client, ctl_msg_serial(msg), 0, NULL, 0);
    keeper_end(client->control->keeper, EXIT_SUCCESS);
}

static const struct {
    enum ctl_type type;
    handler *handle;
} handlers[] = {
    { CTL_HELLO, handle_hello },
    { CTL_DUMP, handle_dump },
    { CTL_ATTACH, handle_attach },
    { CTL_DETACH, handle_detach },
    { CTL_CLOSE_PORT, handle_close_port },
    { CTL_LABEL_PORT, handle_label_port },
    { CTL_STOP, handle_stop },
};

/* What a handler takes of fd is -1 afterwards. */
static void handle(struct control_client *client, const struct ctl_msg *msg, int *fd)
{
    for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); ++i)
        if (handlers[i].type == ctl_msg_type(msg)) {
            handlers[i].handle(client, msg, fd);
            return;
        }
    refuse(client, msg, -EOPNOTSUPP, "this request is not known here");
}

static void client_free(struct control_client *client)
{
    struct control *control = client->control;
    struct control_client **at = &control->clients;

    while (*at != client)
        at = &(*at)->next;
    *at = client->next;
    --control->n_clients;
    loop_del(&control->keeper->loop, &client->io);
    close(client->io.fd);
    while (client->first) {
        struct queued *item = client->first;

        client->first = item->next;
        free(item);
    }
    while (client->waits) {
        struct wait *wait = client->waits;

        client->waits = wait->next;
        free(wait);
    }
    free(client);
}

static void receive(struct control_client *client)
{
    struct ctl_msg msg;

    for (int i = 0; i < MESSAGES_TURN && !client->dead; ++i) {
        _cleanup_(closep) int fd = -1;
        int r = ctl_io_recv(client->io.fd, &msg, &fd);

        if (r == -EAGAIN)
            return;
        if (r == -EPROTO || r == -EPROTONOSUPPORT)
            reply(client, 0, r, "a message was malformed", 0);
        else if (r < 0)
            client->dead = true;
        else
            handle(client, &msg, &fd);
    }
}

static void on_client(struct loop_io *io, uint32_t revents)
{
    struct control_client *client = container(io, struct control_client, io);

    if (revents & EPOLLOUT)
        client_flush(client);
    if (revents & (EPOLLIN | EPOLLHUP | EPOLLERR))
        receive(client);
    if (client->dead)
        client_free(client);
}

static bool is_entitled(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

static int client_new(struct control *control, int fd)
{
    struct control_client *client = calloc(1, sizeof(*client));
    int r;

    if (!client)
        return -ENOMEM;
    client->control = control;
    client->last = &client->first;
    client->io.on_io = on_client;
    r = loop_add(&control->keeper->loop, &client->io, fd, EPOLLIN);
    if (r < 0) {
        free(client);
        return r;
    }
    client->next = control->clients;
    control->clients = client;
    ++control->n_clients;
    return 0;
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

/* Bound so that only we may connect, from the first moment. A socket that nobody listens on is one
 * of a relay that was killed, and is replaced. */
static int bind_path(int fd, const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    mode_t mask;
    int r;

    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    mask = umask(0177);
    r = bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
    if (r == -EADDRINUSE && connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 &&
        errno == ECONNREFUSED && unlink(path) == 0)
        r = bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
    umask(mask);
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
    if (inherited >= 0) {
        close(inherited);
        if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
            return -errno;
    } else {
        r = bind_path(fd, path);
        if (r < 0)
            return r;
        control->path = path;
    }
    /* By us, whoever bound it: the kernel shows whose listen() it was as the peer's pid. */
    if (listen(fd, BACKLOG) < 0)
        return -errno;
    control->io.on_io = on_accept;
    r = loop_add(&keeper->loop, &control->io, fd, EPOLLIN);
    if (r == 0)
        steal_fd(&fd);
    return r;
}

void control_close(struct control *control)
{
    while (control->clients)
        client_free(control->clients);
    if (control->path)
        unlink(control->path);
    control->path = NULL;
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

    put_endpoint(&msg, CTL_EVENT_ENDPOINT, 0, attachment);
    broadcast(control, &msg);
}

void control_port_changed(struct control *control, const struct holding *holding)
{
    struct ctl_msg msg;

    put_port(&msg, CTL_EVENT_PORT, 0, holding);
    broadcast(control, &msg);
}

/* Answers and removes the waits for this port, or this endpoint. */
static void answer_waits(struct control_client *client, uint32_t port_id, uint32_t attachment_id,
                         int r, const char *error)
{
    struct wait **at = &client->waits;

    while (*at) {
        struct wait *wait = *at;

        if (wait->port_id != port_id || wait->attachment_id != attachment_id) {
            at = &wait->next;
            continue;
        }
        *at = wait->next;
        --client->n_waits;
        reply(client, wait->serial, r, error, r < 0 ? 0 : attachment_id);
        free(wait);
    }
}

void control_port_gone(struct control *control, const struct holding *holding)
{
    struct ctl_msg msg;

    put_port(&msg, CTL_EVENT_PORT_GONE, 0, holding);
    broadcast(control, &msg);
    for (struct control_client *client = control->clients; client; client = client->next)
        answer_waits(client, holding->id, 0, 0, NULL);
}

void control_attached(struct control *control, const struct attachment *attachment, int r,
                      const char *error)
{
    for (struct control_client *client = control->clients; client; client = client->next)
        answer_waits(client, 0, attachment->id, r, error);
}

void control_stats_ready(struct control *control)
{
    for (struct control_client *client = control->clients; client; client = client->next)
        if (client->dump == DUMP_COUNTERS) {
            client->dump = DUMP_ENDPOINTS;
            client->dump_next = 0;
            dump_more(client);
        }
}
