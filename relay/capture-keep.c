/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/capture-keep.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "relay/handover.h"
#include "relay/keeper.h"

#define container(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

static bool is_among(uint32_t id, const uint32_t *ids, unsigned n)
{
    for (unsigned i = 0; i < n; ++i)
        if (ids[i] == id)
            return true;
    return false;
}

static bool is_all(const struct capture_wish *wish)
{
    return !wish->n_ports && !wish->n_endpoints && !*wish->label;
}

static bool is_meant(const struct capture_wish *wish, const struct holding *holding)
{
    return is_among(holding->id, wish->port, wish->n_ports) ||
           is_among(holding->endpoint_id, wish->endpoint, wish->n_endpoints) ||
           (*wish->label && strncmp(holding->label, wish->label, strlen(wish->label)) == 0);
}

uint8_t capture_keep_bits(const struct keeper *keeper, const struct holding *holding)
{
    uint8_t bits = 0;

    for (unsigned i = 0; i < CAPTURES_MAX; ++i) {
        const struct capture_kept *kept = &keeper->captures.kept[i];

        if ((kept->state == CAPTURE_NEW || kept->state == CAPTURE_PASSED) &&
            is_meant(&kept->wish, holding))
            bits |= (uint8_t)(1u << i);
    }
    return bits;
}

static void set_state(struct capture_kept *kept, enum capture_state state)
{
    kept->state = state;
    for (uint32_t slot = 0; slot < kept->keeper->n_slots; ++slot)
        if (kept->keeper->holdings[slot])
            kept->keeper->holdings[slot]->captured =
                capture_keep_bits(kept->keeper, kept->keeper->holdings[slot]);
    kept->keeper->forwarder.dirty = true;
}

/* A reader says nothing: whatever is told of its socket is its end. */
static void on_reader(struct loop_io *io, uint32_t revents)
{
    struct capture_kept *kept = container(io, struct capture_kept, io);

    loop_del(&kept->keeper->loop, io);
    close(io->fd);
    set_state(kept, kept->state == CAPTURE_PASSED ? CAPTURE_ENDING : CAPTURE_FREE);
}

static int option_of(int sock, int option)
{
    int value = -1;
    socklen_t len = sizeof(value);

    return getsockopt(sock, SOL_SOCKET, option, &value, &len) < 0 ? -1 : value;
}

int capture_keep_begin(struct keeper *keeper, const struct capture_wish *wish, int sock)
{
    struct capture_kept *kept = keeper->captures.kept;
    unsigned i = 0;
    int r;

    /* A listening one never tells of its end. */
    if (option_of(sock, SO_DOMAIN) != AF_UNIX || option_of(sock, SO_TYPE) != SOCK_SEQPACKET ||
        option_of(sock, SO_ACCEPTCONN) != 0)
        return -EINVAL;
    while (i < CAPTURES_MAX && kept[i].state != CAPTURE_FREE)
        ++i;
    if (i == CAPTURES_MAX)
        return -EBUSY;
    kept[i] = (struct capture_kept){ .keeper = keeper, .wish = *wish, .io.on_io = on_reader };
    kept[i].id = ++keeper->captures.last_id;
    r = loop_add(&keeper->loop, &kept[i].io, sock, EPOLLIN);
    if (r == 0)
        set_state(&kept[i], CAPTURE_NEW);
    return r;
}

static int send_one(struct capture_kept *kept, unsigned index, int forwarder_sock)
{
    bool begins = kept->state == CAPTURE_NEW;
    struct handover message = {
        .type = begins ? HANDOVER_CAPTURE : HANDOVER_UNCAPTURE,
        .slot = index,
        .id = kept->id,
        .snaplen = kept->wish.snaplen,
        .all = is_all(&kept->wish),
    };
    int r = handover_send(forwarder_sock, &message, &kept->io.fd, begins);

    if (r == 0)
        kept->state = begins ? CAPTURE_PASSED : CAPTURE_FREE;
    return r;
}

int capture_keep_flush(struct keeper *keeper, int forwarder_sock)
{
    int r = 0;

    for (unsigned i = 0; i < CAPTURES_MAX && r == 0; ++i) {
        struct capture_kept *kept = &keeper->captures.kept[i];

        if (kept->state == CAPTURE_NEW || kept->state == CAPTURE_ENDING)
            r = send_one(kept, i, forwarder_sock);
    }
    return r;
}

void capture_keep_disown(struct keeper *keeper)
{
    for (unsigned i = 0; i < CAPTURES_MAX; ++i) {
        struct capture_kept *kept = &keeper->captures.kept[i];

        if (kept->state == CAPTURE_PASSED)
            kept->state = CAPTURE_NEW;
        else if (kept->state == CAPTURE_ENDING)
            kept->state = CAPTURE_FREE;
    }
}
