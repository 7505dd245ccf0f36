/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/capture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "relay/framing.h"
#include "relay/shared.h"

#define MISSED_MAX 16 /* ports whose gaps are told apart at one time */

#define container(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

struct missed {
    uint32_t port_id;
    uint32_t frames;
};

struct capture {
    struct captures *captures;
    unsigned index;
    uint32_t id;
    uint32_t snaplen;
    struct loop_io io; /* its socket; told when there is room again */
    bool blocked;
    struct missed missed[MISSED_MAX]; /* the last one: of all other ports */
    unsigned n_missed;
    size_t used;
    _Alignas(8) uint8_t packet[CAPTURE_PACKET_MAX];
};

_Static_assert(CAPTURE_PACKET_MAX >= sizeof(struct capture_record) + CAPTURE_PAD(FRAME_MAX),
               "a packet takes the longest frame");
_Static_assert(CAPTURE_SNAPLEN_MAX == FRAME_MAX, "snaplen");

static uint64_t batch_time_ns(struct captures *captures)
{
    struct timespec now;

    if (!captures->time_ns) {
        clock_gettime(CLOCK_REALTIME, &now);
        captures->time_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    }
    return captures->time_ns;
}

static void capture_free(struct capture *capture)
{
    struct captures *captures = capture->captures;

    captures->one[capture->index] = NULL;
    captures->running &= (uint8_t) ~(1u << capture->index);
    captures->all &= (uint8_t) ~(1u << capture->index);
    loop_del(captures->loop, &capture->io);
    close(capture->io.fd);
    free(capture);
}

static bool put(struct capture *capture, const struct capture_record *record, const uint8_t *bytes)
{
    uint8_t *at = capture->packet + capture->used;

    if (sizeof(capture->packet) - capture->used < sizeof(*record) + CAPTURE_PAD(record->captured))
        return false;
    memcpy(at, record, sizeof(*record));
    if (bytes)
        memcpy(at + sizeof(*record), bytes, record->captured);
    capture->used += sizeof(*record) + CAPTURE_PAD(record->captured);
    return true;
}

static void put_missed(struct capture *capture)
{
    struct capture_record record = { .kind = CAPTURE_MISSED };

    record.time_ns = batch_time_ns(capture->captures);
    for (; capture->n_missed > 0; --capture->n_missed) {
        const struct missed *missed = &capture->missed[capture->n_missed - 1];

        record.port_id = missed->port_id;
        record.length = missed->frames;
        if (!put(capture, &record, NULL))
            return;
    }
}

static void miss(struct capture *capture, uint32_t port_id)
{
    unsigned i = 0;

    while (i < capture->n_missed && capture->missed[i].port_id != port_id && i < MISSED_MAX - 1)
        ++i;
    if (i == capture->n_missed)
        capture->missed[capture->n_missed++] =
            (struct missed){ .port_id = i < MISSED_MAX - 1 ? port_id : 0 };
    ++capture->missed[i].frames;
}

/* True once the packet is empty. A reader that is gone ends the capture: *gone. */
static bool send_packet(struct capture *capture, bool *gone)
{
    ssize_t n = 0;

    *gone = false;
    if (!capture->used)
        return true;
    if (!capture->blocked)
        n = send(capture->io.fd, capture->packet, capture->used, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOBUFS || errno == ENOMEM))
        capture->blocked = loop_set(capture->captures->loop, &capture->io, EPOLLOUT) == 0;
    else if (n < 0)
        *gone = true;
    else if (n > 0)
        capture->used = 0;
    return n > 0;
}

static void capture_flush(struct capture *capture)
{
    bool gone;

    if (send_packet(capture, &gone) && capture->n_missed) {
        put_missed(capture);
        send_packet(capture, &gone);
    }
    if (gone)
        capture_free(capture);
}

static void on_room(struct loop_io *io, uint32_t revents)
{
    struct capture *capture = container(io, struct capture, io);

    capture->blocked = false;
    loop_set(capture->captures->loop, io, 0);
    capture_flush(capture);
}

void captures_init(struct captures *captures, struct loop *loop, struct capture_seen *seen)
{
    *captures = (struct captures){ .loop = loop, .seen = seen };
}

/* How many frames it has met so far: with a predecessor, or none. */
static uint32_t seen_so_far(struct capture_seen *seen, uint32_t id)
{
    if (seen->id != id) {
        seen->frames = 0;
        shared_barrier();
        seen->id = id;
    }
    return seen->frames;
}

int captures_begin(struct captures *captures, unsigned index, uint32_t id, int sock,
                   uint32_t snaplen, bool all)
{
    struct capture_record begun = { .kind = CAPTURE_BEGUN };
    struct capture *capture;
    int r;

    if (index >= CAPTURES_MAX || captures->one[index] || sock < 0)
        return -EINVAL;
    capture = calloc(1, sizeof(*capture));
    if (!capture)
        return -ENOMEM;
    capture->captures = captures;
    capture->index = index;
    capture->id = id;
    capture->snaplen = snaplen;
    capture->io.on_io = on_room;
    r = loop_add(captures->loop, &capture->io, sock, 0);
    if (r < 0) {
        free(capture);
        return r;
    }
    captures->one[index] = capture;
    captures->running |= (uint8_t)(1u << index);
    if (all)
        captures->all |= (uint8_t)(1u << index);
    captures->time_ns = 0;
    begun.time_ns = batch_time_ns(captures);
    begun.length = seen_so_far(&captures->seen[index], id);
    put(capture, &begun, NULL);
    captures_flush(captures);
    return 0;
}

void captures_end(struct captures *captures, unsigned index, uint32_t id)
{
    if (index < CAPTURES_MAX && captures->one[index] && captures->one[index]->id == id)
        capture_free(captures->one[index]);
}

static void take(struct capture *capture, struct capture_record *record, struct frame frame)
{
    bool gone;

    ++capture->captures->seen[capture->index].frames;
    record->captured = frame.len < capture->snaplen ? frame.len : capture->snaplen;
    /* Where the reader is gone, the flush will find it so again. */
    if (!put(capture, record, frame.data) &&
        !(send_packet(capture, &gone) && put(capture, record, frame.data)))
        miss(capture, record->port_id);
}

void captures_take(struct captures *captures, uint8_t who, uint32_t port_id, enum capture_kind kind,
                   const uint8_t *framed, size_t len, size_t limit)
{
    struct capture_record record = { .port_id = port_id, .kind = kind };
    struct frame frame;

    who &= captures->running;
    if (!who)
        return;
    record.time_ns = batch_time_ns(captures);
    for (size_t at = 0; at < limit && framing_next(framed + at, len - at, &frame) == 0;
         at += FRAMING_HEADER + frame.len) {
        record.length = frame.len;
        for (unsigned i = 0; i < CAPTURES_MAX && frame.len >= FRAME_MIN; ++i)
            if (who & 1u << i)
                take(captures->one[i], &record, frame);
    }
}

void captures_flush(struct captures *captures)
{
    for (unsigned i = 0; i < CAPTURES_MAX; ++i)
        if (captures->one[i])
            capture_flush(captures->one[i]);
    captures->time_ns = 0;
}
