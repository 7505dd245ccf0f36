/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/control-client.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "common/ctl-io.h"
#include "common/scope.h"
#include "relay/held.h"
#include "relay/keeper.h"

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

static void client_interest(struct control_client *client)
{
    bool waits = client->first || client->passing || client->dump > DUMP_COUNTERS;
    uint32_t out = waits ? EPOLLOUT : 0;

    loop_set(&client->control->keeper->loop, &client->io, EPOLLIN | out);
}

void client_put(struct control_client *client, const struct ctl_msg *msg)
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

int client_pass(struct control_client *client, const struct ctl_msg *msg, int fd)
{
    int r = -EAGAIN;

    if (client->dead)
        return -EPIPE;
    if (!client->first)
        r = ctl_io_send(client->io.fd, msg, fd);
    client->passing = r == -EAGAIN;
    client_interest(client);
    return r;
}

void client_reply(struct control_client *client, uint32_t serial, int r, const char *text,
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

void client_wait_for(struct control_client *client, uint32_t serial, uint32_t port_id,
                     uint32_t attachment_id)
{
    struct wait *wait = client->n_waits < CONTROL_WAITS_MAX ? malloc(sizeof(*wait)) : NULL;

    if (!wait) {
        client_reply(client, serial, -EBUSY, "too many requests are under way", 0);
        return;
    }
    *wait = (struct wait){ client->waits, serial, port_id, attachment_id };
    client->waits = wait;
    ++client->n_waits;
}

/* Answers and removes the waits for this port, or this endpoint. */
void client_answer_waits(struct control_client *client, uint32_t port_id, uint32_t attachment_id,
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
        client_reply(client, wait->serial, r, error, r < 0 ? 0 : attachment_id);
        free(wait);
    }
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
            control_put_endpoint(&msg, CTL_ENDPOINT, client->dump_serial, a);
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
        control_put_port(&msg, CTL_PORT, client->dump_serial, holding);
        client_put(client, &msg);
        return true;
    }
    ctl_msg_begin(&msg, CTL_DONE, client->dump_serial);
    if (keeper->forwarder.running)
        ctl_put_u32(&msg, CTL_A_FORWARDER, (uint32_t)keeper->forwarder.pid);
    ctl_msg_end(&msg);
    client->dump = DUMP_NONE;
    client_put(client, &msg);
    return false;
}

void client_dump(struct control_client *client)
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
    client_dump(client);
}

void client_free(struct control_client *client)
{
    struct control *control = client->control;
    struct control_client **at = &control->clients;

    while (*at != client)
        at = &(*at)->next;
    *at = client->next;
    --control->n_clients;
    deposit_client_gone(control->keeper, client);
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

/* Of the last one that judges; others would wait for it. */
static void client_leaves(struct control_client *client)
{
    struct control *control = client->control;
    bool judged = client->judges;

    client_free(client);
    if (judged && !control_has_judge(control))
        held_decide(control->keeper, NULL);
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
            client_reply(client, 0, r, "a message was malformed", 0);
        else if (r < 0)
            client->dead = true;
        else
            control_handle(client, &msg, &fd);
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
        client_leaves(client);
}

int client_new(struct control *control, int fd)
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
