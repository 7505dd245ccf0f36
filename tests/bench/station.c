/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "station.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define INBOX    (512 * 1024)
#define MANY     64         /* datagrams in a call, and reads of a TAP in a row */
#define ROOM     (9 * 1024) /* for one of many datagrams */
#define GSO_MAX  65000
#define GSO_SEGS 64

struct station_kind {
    char letter;
    unsigned (*read)(struct station *s);
    size_t (*send)(struct station *s, const struct batch *b, size_t at, unsigned slot,
                   unsigned end);
};

bool station_hub;
static uint8_t inbox[INBOX + HEADER + FRAME_MAX]; /* all stations': they are read one by one */

_Static_assert(sizeof(inbox) >= (size_t)MANY * ROOM, "room for many datagrams");

/* Receiving */

static void set_next(struct station *s, uint64_t number)
{
    s->next = number;
    s->slot = (unsigned)(number % s->batch->count);
}

/* A frame of our flow, not the next one: what lies between is lost, an older one came twice. */
static bool other_number(struct station *s, uint64_t number, size_t len)
{
    if (number < s->next) {
        ++s->counts.repeated;
        return false;
    }
    s->counts.lost += number - s->next;
    set_next(s, number);
    s->counts.corrupt += len != batch_frame_len(s->batch, s->slot);
    set_next(s, number + 1);
    ++s->counts.frames;
    s->counts.bytes += len;
    return true;
}

static void announced(struct station *s, int from)
{
    s->heard_source |= from == s->source;
    s->heard_sink |= from == s->sink;
}

/* Whatever is not the next frame of our flow. */
static bool unexpected(struct station *s, const uint8_t *frame, size_t len)
{
    struct tag tag = { 0 };
    unsigned from, to;

    memcpy(&tag, frame, len < sizeof(tag) ? len : sizeof(tag));
    from = (unsigned)(tag.who >> 16) & 0xffff;
    to = (unsigned)tag.who & 0xffff;
    if (s->batch && tag.who == s->expect_who)
        return other_number(s, tag.number, len);
    if (tag.who == content_who(CONTENT_ANNOUNCE, from, TO_ALL))
        announced(s, (int)from);
    else if (tag.who == content_who(CONTENT_DATA, from, to))
        s->counts.stray += !station_hub;
    return false; /* somebody else's: a kernel's own on a bridge, say */
}

static inline bool take(struct station *s, const uint8_t *frame, size_t len)
{
    uint64_t who = 0, number = 0;

    if (len >= sizeof(struct tag)) {
        memcpy(&who, frame + offsetof(struct tag, who), sizeof(who));
        memcpy(&number, frame + offsetof(struct tag, number), sizeof(number));
    }
    if (!s->batch || who != s->expect_who || number != s->next ||
        len != batch_frame_len(s->batch, s->slot))
        return unexpected(s, frame, len);
    if (--s->until_check == 0) {
        s->until_check = CHECK_EVERY;
        s->counts.corrupt += !batch_equals(s->batch, s->slot, frame, len);
    }
    ++s->next;
    if (++s->slot == s->batch->count)
        s->slot = 0;
    ++s->counts.frames;
    s->counts.bytes += len;
    return true;
}

static size_t frame_len(const uint8_t *p)
{
    return (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
}

static void torn(struct station *s)
{
    ++s->counts.corrupt;
    s->closed = true;
}

static unsigned stream_read(struct station *s)
{
    size_t have = s->carry_len, at = 0;
    unsigned taken = 0;
    ssize_t n;

    memcpy(inbox, s->carry, have);
    n = read(s->fd, inbox + have, INBOX);
    if (n <= 0) {
        s->closed |= n == 0 || (errno != EAGAIN && errno != EINTR);
        return 0;
    }
    have += (size_t)n;
    while (have - at >= HEADER) {
        size_t len = frame_len(inbox + at);

        if (len > FRAME_MAX) {
            torn(s);
            return taken;
        }
        if (have - at - HEADER < len)
            break;
        taken += take(s, inbox + at + HEADER, len);
        at += HEADER + len;
    }
    s->carry_len = have - at;
    memcpy(s->carry, inbox + at, s->carry_len);
    return taken;
}

static unsigned datagram_read(struct station *s)
{
    static struct mmsghdr several[MANY];
    static struct iovec room[MANY];
    unsigned taken = 0;
    int n;

    for (unsigned i = 0; i < MANY; i++) {
        room[i] = (struct iovec){ inbox + (size_t)i * ROOM, ROOM };
        several[i].msg_hdr = (struct msghdr){ .msg_iov = &room[i], .msg_iovlen = 1 };
    }
    n = recvmmsg(s->fd, several, s->one_by_one ? 1 : MANY, 0, NULL);
    for (int i = 0; i < n; i++)
        taken += take(s, room[i].iov_base, several[i].msg_len);
    return taken;
}

static unsigned tap_read(struct station *s)
{
    unsigned taken = 0;

    for (int i = 0; i < (s->one_by_one ? 1 : MANY); i++) {
        ssize_t n = read(s->fd, inbox, FRAME_MAX);

        if (n <= 0)
            break;
        taken += take(s, inbox, (size_t)n);
    }
    return taken;
}

static int joined_size(struct msghdr *msg, size_t len)
{
    int size = (int)len;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c))
        if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO)
            memcpy(&size, CMSG_DATA(c), sizeof(size));
    return size > 0 ? size : (int)len;
}

static unsigned joined_read(struct station *s)
{
    unsigned taken = 0;

    for (int i = 0; i < (s->one_by_one ? 1 : 8); i++) {
        _Alignas(struct cmsghdr) char control[64];
        struct iovec room = { inbox, FRAME_MAX };
        struct msghdr msg = { .msg_iov = &room,
                              .msg_iovlen = 1,
                              .msg_control = control,
                              .msg_controllen = sizeof(control) };
        ssize_t n = recvmsg(s->fd, &msg, 0);
        size_t size, at = 0;

        if (n <= 0)
            break;
        for (size = (size_t)joined_size(&msg, (size_t)n); at < (size_t)n; at += size)
            taken += take(s, inbox + at, (size_t)n - at < size ? (size_t)n - at : size);
    }
    return taken;
}

/* Sending */

static size_t stream_send(struct station *s, const struct batch *b, size_t at, unsigned slot,
                          unsigned end)
{
    ssize_t n = write(s->fd, b->data + at, b->offset[end] - at);

    if (n < 0)
        s->closed |= errno != EAGAIN && errno != EINTR;
    return n < 0 ? at : at + (size_t)n;
}

static size_t datagram_send(struct station *s, const struct batch *b, size_t at, unsigned slot,
                            unsigned end)
{
    static struct mmsghdr several[MANY];
    static struct iovec pieces[MANY];
    unsigned count = end - slot < MANY ? end - slot : MANY;
    int n;

    for (unsigned i = 0; i < count; i++) {
        pieces[i] = (struct iovec){ b->data + b->offset[slot + i], batch_frame_len(b, slot + i) };
        several[i].msg_hdr = (struct msghdr){ .msg_iov = &pieces[i], .msg_iovlen = 1 };
    }
    n = sendmmsg(s->fd, several, count, 0);
    return n <= 0 ? at : b->offset[slot + (unsigned)n];
}

static size_t tap_send(struct station *s, const struct batch *b, size_t at, unsigned slot,
                       unsigned end)
{
    for (unsigned most = slot + MANY; slot < end && slot < most; slot++)
        if (write(s->fd, b->data + b->offset[slot], batch_frame_len(b, slot)) < 0)
            break;
    return b->offset[slot];
}

/* How many frames from here on the kernel can cut out of one send: equal ones. */
static unsigned cuttable(const struct batch *b, unsigned slot, unsigned end)
{
    size_t size = batch_frame_len(b, slot), sum = size;
    unsigned count = 1;

    while (slot + count < end && count < GSO_SEGS && batch_frame_len(b, slot + count) == size &&
           sum + size <= GSO_MAX) {
        sum += size;
        ++count;
    }
    return count;
}

static size_t joined_send(struct station *s, const struct batch *b, size_t at, unsigned slot,
                          unsigned end)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(uint16_t))] = { 0 };
    uint16_t size = (uint16_t)batch_frame_len(b, slot);
    unsigned count = cuttable(b, slot, end);
    struct iovec piece = { b->data + at, b->offset[slot + count] - at };
    struct msghdr msg = { .msg_iov = &piece,
                          .msg_iovlen = 1,
                          .msg_control = control,
                          .msg_controllen = sizeof(control) };
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

    c->cmsg_level = SOL_UDP;
    c->cmsg_type = UDP_SEGMENT;
    c->cmsg_len = CMSG_LEN(sizeof(size));
    memcpy(CMSG_DATA(c), &size, sizeof(size));
    return sendmsg(s->fd, &msg, 0) < 0 ? at : b->offset[slot + count];
}

static const struct station_kind kinds[] = {
    { 's', stream_read, stream_send },
    { 'd', datagram_read, datagram_send },
    { 't', tap_read, tap_send },
    { 'g', joined_read, joined_send },
};

unsigned station_read(struct station *s)
{
    return s->kind->read(s);
}

size_t station_send(struct station *s, const struct batch *b, size_t at, unsigned slot,
                    unsigned end)
{
    return s->kind->send(s, b, at, slot, end);
}

bool station_is_stream(const struct station *s)
{
    return s->kind->letter == 's';
}

int station_init(struct station *s, const char *text, unsigned index)
{
    const int yes = 1;

    *s = (struct station){ .index = index, .until_check = CHECK_EVERY, .source = -1, .sink = -1 };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (text[0] == kinds[i].letter && text[1] == ':')
            s->kind = &kinds[i];
    if (!s->kind)
        return -EINVAL;
    s->fd = atoi(text + 2);
    s->carry = malloc(HEADER + FRAME_MAX);
    if (!s->carry)
        return -ENOMEM;
    if (fcntl(s->fd, F_SETFL, O_NONBLOCK) < 0)
        return -errno;
    if (s->kind->letter == 'g' && setsockopt(s->fd, SOL_UDP, UDP_GRO, &yes, sizeof(yes)) < 0)
        return -errno;
    return 0;
}
