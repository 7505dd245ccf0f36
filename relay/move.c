/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/move.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "common/ctl-io.h"
#include "common/scope.h"
#include "relay/keeper.h"

#define container(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

struct move {
    struct loop_io channel; /* to the other relay */
    struct keeper *keeper;
    struct holding *holding;
    bool welcome; /* the other relay lives: it has answered the greeting */
};

void move_forget(struct keeper *keeper, struct holding *holding)
{
    struct move *move = holding->move;

    if (!move)
        return;
    loop_del(&keeper->loop, &move->channel);
    close(move->channel.fd);
    free(move);
    holding->move = NULL;
}

/* It stays: the forwarder has it still, or gets it again. */
static void give_up(struct keeper *keeper, struct holding *holding, const char *why)
{
    char name[HOLDING_NAME_MAX];

    log_limited(LOG_LEVEL_WARNING, "%s: it stays, for the other relay does not take it: %s",
                holding_name(holding, name), why);
    move_forget(keeper, holding);
    if (holding->state == HOLDING_OFFERED)
        holding->state = HOLDING_NEW;
    keeper->forwarder.dirty = true;
    deposit_note(keeper, holding);
    control_port_changed(&keeper->control, holding);
}

bool move_is_on(const struct holding *holding)
{
    return holding->move && holding->move->welcome;
}

static void handle_welcome(struct keeper *keeper, struct holding *holding)
{
    holding->move->welcome = true;
    keeper->forwarder.dirty = true;
}

static void handle_answer(struct keeper *keeper, struct holding *holding,
                          const struct ctl_msg *answer)
{
    char text[ATTACHMENT_TEXT_MAX] = "it does not say why";
    uint32_t error = 0;

    if (ctl_msg_type(answer) == CTL_WELCOME)
        handle_welcome(keeper, holding);
    if (ctl_msg_type(answer) != CTL_REPLY)
        return; /* or an event */
    if (!ctl_get_u32(answer, CTL_A_ERROR, &error) || !error) {
        keeper_port_moved(keeper, holding);
        return;
    }
    ctl_get_str(answer, CTL_A_ERROR_TEXT, text, sizeof(text));
    give_up(keeper, holding, text);
}

static void on_channel(struct loop_io *io, uint32_t revents)
{
    struct move *move = container(io, struct move, channel);
    struct keeper *keeper = move->keeper;
    struct holding *holding = move->holding;
    _cleanup_(closep) int fd = -1;
    struct ctl_msg answer;
    int r = ctl_io_recv(io->fd, &answer, &fd);

    if (r == -EAGAIN)
        return;
    if (r < 0)
        give_up(keeper, holding, strerror(-r));
    else
        handle_answer(keeper, holding, &answer);
}

static int greet(int channel)
{
    struct ctl_msg hello;

    ctl_msg_begin(&hello, CTL_HELLO, 0);
    ctl_put_u32(&hello, CTL_A_VERSION, CTL_VERSION);
    ctl_msg_end(&hello);
    return ctl_io_send(channel, &hello, -1);
}

int move_begin(struct keeper *keeper, struct holding *holding, int channel)
{
    struct move *move;
    int r;

    if (holding->kind != PORT_TCP ||
        (holding->state != HOLDING_NEW && holding->state != HOLDING_PASSED))
        return holding->state == HOLDING_OFFERED ? -EBUSY : -ENOTSUP;
    move = calloc(1, sizeof(*move));
    if (!move)
        return -ENOMEM;
    *move = (struct move){ .keeper = keeper, .holding = holding, .channel.on_io = on_channel };
    r = greet(channel);
    if (r == 0)
        r = loop_add(&keeper->loop, &move->channel, channel, EPOLLIN);
    if (r < 0) {
        free(move);
        return r;
    }
    move_forget(keeper, holding); /* wherever it was to go before */
    holding->move = move;
    keeper->forwarder.dirty = true;
    control_port_changed(&keeper->control, holding);
    return 0;
}

void move_released(struct keeper *keeper, struct holding *holding)
{
    const char *endpoint = holding->attachment ? holding->attachment->text : holding->endpoint;
    char options[PORT_OPTIONS_TEXT_MAX];
    struct ctl_msg msg;
    int r;

    holding->state = HOLDING_OFFERED;
    if (!move_is_on(holding)) { /* it was called back when the forwarder had let go of it already */
        holding->state = HOLDING_NEW;
        keeper->forwarder.dirty = true;
        return;
    }
    ctl_msg_begin(&msg, CTL_TAKE_PORT, holding->id);
    ctl_put_str(&msg, CTL_A_ENDPOINT, endpoint);
    ctl_put_str(&msg, CTL_A_LABEL, holding->label);
    ctl_put_str(&msg, CTL_A_OPTIONS, port_options_format(&holding->options, options));
    r = ctl_msg_end(&msg);
    deposit_erase(keeper, holding->slot); /* who is killed now must not share it with that relay */
    if (r == 0)
        r = ctl_io_send(holding->move->channel.fd, &msg, holding->rfd);
    if (r < 0)
        give_up(keeper, holding, strerror(-r));
}
