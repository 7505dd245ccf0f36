/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a deposit to the ports that there were, before there is a forwarder. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/scope.h"
#include "relay/deposit.h"
#include "relay/keeper.h"

#define UNCLAIMED_MS 60000 /* the manager may have to wait for libvirt first */

#define container(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

struct connection {
    ino_t inode;
    int fd; /* -1: a port has it */
};

static int compare_inodes(const void *a, const void *b)
{
    const struct connection *one = a, *other = b;

    return one->inode < other->inode ? -1 : one->inode > other->inode;
}

/* Sorted, for so many of them; NULL where memory is short. */
static struct connection *connections_new(int first, unsigned n)
{
    struct connection *all = calloc(n + 1, sizeof(*all));
    struct stat status;

    for (unsigned i = 0; all && i < n; ++i) {
        all[i].fd = first + (int)i;
        all[i].inode = fstat(all[i].fd, &status) == 0 ? status.st_ino : 0;
    }
    if (all)
        qsort(all, n, sizeof(*all), compare_inodes);
    return all;
}

/* What the register does not have is another relay's by now, or has ended: not ours to end. */
static void connections_free(struct connection *all, unsigned n)
{
    for (unsigned i = 0; all && i < n; ++i)
        if (all[i].fd >= 0)
            close(all[i].fd);
    free(all);
}

static int read_page(int fd, off_t page, struct ctl_msg *msg)
{
    if (pread(fd, msg->buf, CTL_MSG_MAX, page) != CTL_MSG_MAX)
        return -EPROTO;
    return ctl_msg_check_page(msg);
}

/* It has to be of this very network, and its memory of the kind that we know. */
static int read_head(struct keeper *keeper)
{
    char network[CTL_MSG_MAX];
    uint32_t version = 0;
    struct ctl_msg msg;

    if (read_page(keeper->deposit.fd, 0, &msg) < 0 || !ctl_get_u32(&msg, CTL_A_VERSION, &version) ||
        version != shared_version() ||
        !ctl_get_str(&msg, CTL_A_NETWORK, network, sizeof(network)) ||
        strcmp(network, keeper->config->network) != 0 ||
        !ctl_get_u32(&msg, CTL_A_PORT_ID, &keeper->last_port_id))
        return -EPROTO;
    return 0;
}

static void read_texts(struct holding *holding, const struct ctl_msg *msg)
{
    char text[CTL_MSG_MAX] = "";
    uint32_t claimed = 0;

    ctl_get_str(msg, CTL_A_ENDPOINT, text, sizeof(text));
    snprintf(holding->endpoint, sizeof(holding->endpoint), "%.*s",
             (int)sizeof(holding->endpoint) - 1, text);
    ctl_get_str(msg, CTL_A_LABEL, holding->label, sizeof(holding->label));
    if (ctl_get_str(msg, CTL_A_OPTIONS, text, sizeof(text)))
        (void)port_options_parse(&holding->options, text);
    ctl_get_u64(msg, CTL_A_SINCE, &holding->since_s);
    holding->to_be_claimed = ctl_get_u32(msg, CTL_A_CLAIMED, &claimed) && claimed;
}

/* False where there is no connection for it. */
static bool restore_port(struct keeper *keeper, uint32_t slot, const struct ctl_msg *msg,
                         struct connection *all, unsigned n)
{
    struct connection key = { 0 }, *found;
    struct holding *holding;
    uint64_t inode = 0;
    uint32_t id, kind;

    if (!ctl_get_u32(msg, CTL_A_PORT_ID, &id) || !ctl_get_u32(msg, CTL_A_KIND, &kind) ||
        kind >= PORT_KIND_COUNT || !ctl_get_u64(msg, CTL_A_INODE, &inode))
        return false;
    key.inode = (ino_t)inode;
    found = bsearch(&key, all, n, sizeof(*all), compare_inodes);
    if (!found || found->fd < 0 ||
        keeper_hold_again(keeper, slot, id, kind, found->fd, &holding) < 0)
        return false;
    found->fd = -1;
    read_texts(holding, msg);
    return true;
}

/* Page after page that is not a hole. */
static void restore_ports(struct keeper *keeper, struct connection *all, unsigned n)
{
    int fd = keeper->deposit.fd;
    off_t page = CTL_MSG_MAX;
    struct ctl_msg msg;

    while ((page = lseek(fd, page, SEEK_DATA)) >= 0) {
        uint32_t slot = (uint32_t)(page / CTL_MSG_MAX) - 1;

        if (slot >= SHARED_PORTS)
            return;
        if (read_page(fd, page, &msg) < 0 || !restore_port(keeper, slot, &msg, all, n))
            deposit_erase(keeper, slot);
        page += CTL_MSG_MAX;
    }
}

static void on_unclaimed(struct loop_timer *timer)
{
    struct keeper *keeper = container(timer, struct keeper, deposit.unclaimed);

    for (uint32_t slot = 0; slot < keeper->n_slots; ++slot)
        if (keeper->holdings[slot] && keeper->holdings[slot]->to_be_claimed)
            keeper_close_port(keeper, keeper->holdings[slot]);
}

int deposit_restore(struct keeper *keeper, int first, unsigned n)
{
    unsigned n_connections = n - 2;
    struct connection *all;
    int r;

    for (unsigned i = 0; i < n; ++i)
        if (fcntl(first + (int)i, F_SETFD, FD_CLOEXEC) < 0)
            return -errno;
    keeper->deposit.fd = first;
    keeper->memory_fd = first + 1;
    all = connections_new(first + 2, n_connections);
    r = all ? read_head(keeper) : -ENOMEM;
    if (r == 0)
        r = shared_check(keeper->memory_fd);
    if (r == 0)
        restore_ports(keeper, all, n_connections);
    connections_free(all, n_connections);
    if (r < 0) {
        close(keeper->deposit.fd);
        close(keeper->memory_fd);
        return r;
    }
    keeper->captures.last_id = (uint32_t)keeper_clock_s(); /* the memory knows earlier ones */
    log_notice("goes on with %u connections of a relay that was killed", keeper->n_holdings);
    keeper->deposit.unclaimed.on_timer = on_unclaimed;
    loop_timer_in(&keeper->loop, &keeper->deposit.unclaimed, UNCLAIMED_MS);
    return 0;
}

static bool is_of(const struct holding *holding, const struct attachment *a)
{
    char text[ENDPOINT_TEXT_MAX];
    struct endpoint bare = a->endpoint;

    bare.options = (struct port_options){ 0 };
    return strncmp(endpoint_format(&bare, text), holding->endpoint,
                   sizeof(holding->endpoint) - 1) == 0;
}

void deposit_claim(struct attachment *a)
{
    struct keeper *keeper = a->keeper;

    for (uint32_t slot = 0; slot < keeper->n_slots; ++slot) {
        struct holding *holding = keeper->holdings[slot];

        if (!holding || !holding->to_be_claimed || !is_of(holding, a))
            continue;
        holding->to_be_claimed = false;
        holding->attachment = a;
        holding->endpoint_id = a->id;
        ++a->n_ports;
        keeper_set_options(keeper, holding, &a->endpoint.options);
        if (a->ops->claimed)
            a->ops->claimed(a);
        return;
    }
}
