/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The register, and giving; restore.c has the way back. */
#include "relay/deposit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "relay/control-client.h"
#include "relay/keeper.h"

#define RETRY_MS 100 /* too many descriptors are in flight: others' too, so nothing tells */

static off_t page_of(uint32_t slot)
{
    return (off_t)(1 + slot) * CTL_MSG_MAX;
}

/* A page is written as a whole or not at all, also where we are killed meanwhile. */
static void write_page(int fd, off_t page, struct ctl_msg *msg)
{
    if (ctl_msg_end(msg) == 0 && pwrite(fd, msg->buf, msg->len, page) == (ssize_t)msg->len)
        return;
    log_limited(LOG_LEVEL_WARNING, "what the manager keeps cannot be noted");
}

int deposit_open(struct keeper *keeper)
{
    struct deposit *deposit = &keeper->deposit;

    deposit->fd = -1;
    if (!keeper->config->managed)
        return 0;
    deposit->fd = memfd_create("netrelay-register", MFD_CLOEXEC);
    if (deposit->fd < 0)
        return -errno;
    if (ftruncate(deposit->fd, (off_t)(1 + SHARED_PORTS) * CTL_MSG_MAX) < 0)
        return -errno;
    deposit_note_id(keeper);
    return 0;
}

void deposit_note_id(const struct keeper *keeper)
{
    struct ctl_msg msg;

    if (keeper->deposit.fd < 0)
        return;
    ctl_msg_begin(&msg, CTL_EVENT_DEPOSIT, 0);
    ctl_put_u32(&msg, CTL_A_VERSION, shared_version());
    ctl_put_str(&msg, CTL_A_NETWORK, keeper->config->network);
    ctl_put_u32(&msg, CTL_A_PORT_ID, keeper->last_port_id);
    write_page(keeper->deposit.fd, 0, &msg);
}

/* Without options, which may be other ones when it is attached again. */
static const char *endpoint_name(const struct holding *holding, char buf[ENDPOINT_TEXT_MAX])
{
    struct endpoint bare;

    if (!holding->attachment)
        return holding->endpoint;
    bare = holding->attachment->endpoint;
    bare.options = (struct port_options){ 0 };
    return endpoint_format(&bare, buf);
}

static void put_port(struct ctl_msg *msg, const struct holding *holding, uint64_t inode)
{
    const struct attachment *a = holding->attachment;
    char options[PORT_OPTIONS_TEXT_MAX], endpoint[ENDPOINT_TEXT_MAX];

    ctl_msg_begin(msg, CTL_EVENT_DEPOSIT, 0);
    ctl_put_u32(msg, CTL_A_PORT_ID, holding->id);
    ctl_put_u64(msg, CTL_A_INODE, inode);
    ctl_put_u32(msg, CTL_A_KIND, holding->kind);
    ctl_put_str(msg, CTL_A_ENDPOINT, endpoint_name(holding, endpoint));
    ctl_put_u32(msg, CTL_A_CLAIMED, a ? !a->ops->ports_stay : holding->to_be_claimed);
    ctl_put_str(msg, CTL_A_LABEL, holding->label);
    ctl_put_str(msg, CTL_A_OPTIONS, port_options_format(&holding->options, options));
    ctl_put_u64(msg, CTL_A_SINCE, holding->since_s);
}

void deposit_note(struct keeper *keeper, struct holding *holding)
{
    struct ctl_msg msg;
    struct stat status;

    if (keeper->deposit.fd < 0 || !holding->lasting || holding->state == HOLDING_HELD ||
        fstat(holding->rfd, &status) < 0)
        return;
    put_port(&msg, holding, status.st_ino);
    write_page(keeper->deposit.fd, page_of(holding->slot), &msg);
    keeper->deposit.dirty |= !holding->deposited;
}

void deposit_erase(const struct keeper *keeper, uint32_t slot)
{
    if (keeper->deposit.fd >= 0 &&
        fallocate(keeper->deposit.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, page_of(slot),
                  CTL_MSG_MAX) < 0)
        log_limited(LOG_LEVEL_WARNING, "what the manager keeps cannot be noted");
}

/* Giving */

void deposit_begin(struct keeper *keeper, struct control_client *client)
{
    struct deposit *deposit = &keeper->deposit;

    if (deposit->fd < 0)
        return;
    deposit->client = client;
    deposit->given[0] = deposit->given[1] = false;
    deposit->dirty = true;
    for (uint32_t slot = 0; slot < keeper->n_slots; ++slot)
        if (keeper->holdings[slot])
            keeper->holdings[slot]->deposited = false;
}

void deposit_client_gone(struct keeper *keeper, const struct control_client *client)
{
    if (keeper->deposit.client == client)
        keeper->deposit.client = NULL;
}

static int give(struct deposit *deposit, enum ctl_deposit what, uint32_t port_id, int fd)
{
    struct ctl_msg msg;

    ctl_msg_begin(&msg, CTL_EVENT_DEPOSIT, 0);
    ctl_put_u32(&msg, CTL_A_DEPOSIT, what);
    if (port_id)
        ctl_put_u32(&msg, CTL_A_PORT_ID, port_id);
    ctl_msg_end(&msg);
    return client_pass(deposit->client, &msg, fd);
}

/* Before the ports, which are nothing without them. */
static int give_files(struct keeper *keeper)
{
    struct deposit *deposit = &keeper->deposit;
    const int fds[] = {
        [CTL_DEPOSIT_REGISTER] = deposit->fd,
        [CTL_DEPOSIT_MEMORY] = keeper->memory_fd,
    };
    int r = 0;

    for (unsigned i = 0; r == 0 && i < 2; ++i) {
        if (deposit->given[i])
            continue;
        r = give(deposit, i, 0, fds[i]);
        deposit->given[i] = r == 0;
    }
    return r;
}

static bool is_due(const struct holding *holding)
{
    return holding->lasting && !holding->deposited &&
           (holding->state == HOLDING_NEW || holding->state == HOLDING_PASSED);
}

static int give_ports(struct keeper *keeper)
{
    int r = 0;

    for (uint32_t slot = 0; r == 0 && slot < keeper->n_slots; ++slot) {
        struct holding *holding = keeper->holdings[slot];

        if (!holding || !is_due(holding))
            continue;
        r = give(&keeper->deposit, CTL_DEPOSIT_PORT, holding->id, holding->rfd);
        holding->deposited = r == 0;
    }
    return r;
}

/* The round that it makes is what is wanted. */
static void on_retry(struct loop_timer *timer)
{
}

void deposit_flush(struct keeper *keeper)
{
    struct deposit *deposit = &keeper->deposit;
    int r;

    if (!deposit->dirty || !deposit->client)
        return;
    r = give_files(keeper);
    if (r == 0)
        r = give_ports(keeper);
    deposit->dirty = r < 0;
    if (r == 0 || r == -EAGAIN) /* its socket tells */
        return;
    deposit->retry.on_timer = on_retry;
    loop_timer_in(&keeper->loop, &deposit->retry, RETRY_MS);
}
