/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#define BATCH       (256 * 1024)
#define MS          1000000ull
#define STUCK_NS    (20 * MS)   /* nothing came for so long: what is on the way is lost */
#define LATE_NS     (1000 * MS) /* at the end: what comes later does not come */
#define ANNOUNCE_NS (20 * MS)
#define INTRODUCED  (30000 * MS) /* at the latest */
#define AT_ONCE     32           /* frames in a turn, where each is a write of its own */
#define EVENTS      64

struct flow {
    struct station *from;
    struct station **sinks;
    unsigned sink_count;
    struct batch batch;
    size_t at;         /* bytes of the batch that are sent */
    unsigned slot;     /* the frame `at` lies in */
    uint64_t numbered; /* frames with a number so far; the batch holds the last of them */
    uint64_t window;   /* in frames */
    uint64_t given_up; /* frames that nobody waits for any more */
    uint64_t moved_ns; /* when something last came or went */
    bool one_by_one;
    double rate; /* frames a second; 0: all that goes */
    double credit;
    uint64_t credited_ns;
};

static struct station stations[STATIONS_MAX];
static bool deaf[STATIONS_MAX], paced[STATIONS_MAX];
static unsigned station_count;
static struct flow flows[FLOWS_MAX];
static unsigned flow_count;
static uint64_t gap_ns;
static int epoll = -1;

uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 * MS + (uint64_t)t.tv_nsec;
}

int flows_add_station(const char *text)
{
    int r;

    if (station_count == STATIONS_MAX)
        return -E2BIG;
    r = station_init(&stations[station_count], text, station_count);
    return r < 0 ? r : (int)station_count++;
}

struct station *flows_station(unsigned index)
{
    return index < station_count ? &stations[index] : NULL;
}

void flows_deafen(struct station *s)
{
    deaf[s->index] = true;
}

static int add_sink(struct flow *f, struct station *s, unsigned to)
{
    if (s->batch)
        return -EBUSY;
    s->batch = &f->batch;
    s->expect_who = content_who(CONTENT_DATA, f->from->index, to);
    s->source = (int)f->from->index;
    paced[s->index] = f->rate > 0;
    f->sinks[f->sink_count++] = s;
    return 0;
}

static int add_sinks(struct flow *f, unsigned to)
{
    f->sinks = calloc(station_count, sizeof(struct station *));
    if (!f->sinks)
        return -ENOMEM;
    if (to != TO_ALL) {
        f->from->sink = (int)to;
        return add_sink(f, &stations[to], to);
    }
    for (unsigned i = 0; i < station_count; i++)
        if (&stations[i] != f->from && add_sink(f, &stations[i], to) < 0)
            return -EBUSY;
    return 0;
}

int flow_add(const char *text, const struct flow_options *o)
{
    struct flow *f = &flows[flow_count];
    size_t bytes = o->window / 2 < BATCH ? o->window / 2 : BATCH;
    unsigned from = STATIONS_MAX, to = TO_ALL;
    double rate = 0;
    int r;

    if (sscanf(text, "%u:%u:%lf", &from, &to, &rate) < 2 && !strstr(text, ":all"))
        return -EINVAL;
    if (flow_count == FLOWS_MAX || from >= station_count || (to != TO_ALL && to >= station_count))
        return -EINVAL;
    *f = (struct flow){ .from = &stations[from], .one_by_one = o->one_by_one, .rate = rate };
    r = batch_init(&f->batch, o->sizes, bytes, station_is_stream(f->from), CONTENT_DATA, from, to);
    if (r < 0)
        return r;
    f->slot = f->batch.count;
    f->at = batch_len(&f->batch);
    f->window = o->window * f->batch.count / batch_len(&f->batch);
    ++flow_count;
    return add_sinks(f, to);
}

/* Receiving */

static int watch_all(void)
{
    if (epoll >= 0)
        return 0;
    epoll = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; i < station_count && epoll >= 0; i++) {
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = &stations[i] };

        if (!deaf[i] && epoll_ctl(epoll, EPOLL_CTL_ADD, stations[i].fd, &event) < 0)
            return -errno;
    }
    return epoll < 0 ? -errno : 0;
}

static bool hear(struct station *s)
{
    uint64_t now;

    if (!station_read(s))
        return false;
    now = now_ns();
    if (!paced[s->index] && s->heard_ns && now - s->heard_ns > gap_ns)
        gap_ns = now - s->heard_ns;
    s->heard_ns = now;
    return true;
}

static bool hear_all(int timeout_ms)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(epoll, events, EVENTS, timeout_ms);
    bool heard = false;

    for (int i = 0; i < n; i++) {
        struct station *s = events[i].data.ptr;

        heard |= hear(s);
        if (s->closed)
            epoll_ctl(epoll, EPOLL_CTL_DEL, s->fd, NULL);
    }
    return heard;
}

/* The silence that has not ended yet counts too: else a relay that stands still has no gap. */
uint64_t flows_gap_ns(void)
{
    uint64_t longest = gap_ns, now = now_ns();

    for (unsigned i = 0; i < station_count; i++)
        if (!paced[i] && stations[i].heard_ns && now - stations[i].heard_ns > longest)
            longest = now - stations[i].heard_ns;
    gap_ns = 0;
    return longest;
}

/* Introduction */

static int announce(struct station *s)
{
    struct batch one;
    int r = batch_init(&one, "64", 64, station_is_stream(s), CONTENT_ANNOUNCE, s->index, TO_ALL);

    if (r < 0)
        return r;
    station_send(s, &one, 0, 0, 1);
    batch_done(&one);
    return 0;
}

static bool is_introduced(const struct station *s)
{
    return deaf[s->index] || ((s->source < 0 || s->heard_source) && (s->sink < 0 || s->heard_sink));
}

static bool all_introduced(void)
{
    for (unsigned i = 0; i < station_count; i++)
        if (!is_introduced(&stations[i]))
            return false;
    return true;
}

/* Sources, and the sinks they name; those of a flow to all need not be learned. */
static bool has_to_announce(unsigned index)
{
    for (unsigned i = 0; i < flow_count; i++)
        if (flows[i].from->index == index || flows[i].from->sink == (int)index)
            return true;
    return false;
}

int flows_introduce(void)
{
    uint64_t end = now_ns() + INTRODUCED, next;
    int r = watch_all();

    while (r == 0 && !all_introduced()) {
        if (now_ns() > end)
            return -ETIME;
        for (unsigned i = 0; i < station_count && r == 0; i++)
            if (has_to_announce(i))
                r = announce(&stations[i]);
        next = now_ns() + ANNOUNCE_NS;
        while (now_ns() < next && !all_introduced())
            hear_all(1);
    }
    return r;
}

/* Sending */

static uint64_t slowest(const struct flow *f)
{
    uint64_t least = f->numbered;

    for (unsigned i = 0; i < f->sink_count; i++)
        if (!deaf[f->sinks[i]->index] && !f->sinks[i]->closed && f->sinks[i]->next < least)
            least = f->sinks[i]->next;
    return least > f->given_up ? least : f->given_up;
}

/* A whole batch more fits, or what is on the way has not moved for so long that it is lost. */
static bool has_window(struct flow *f)
{
    if (f->numbered - slowest(f) + f->batch.count <= f->window)
        return true;
    for (unsigned i = 0; i < f->sink_count; i++)
        if (f->sinks[i]->heard_ns > f->moved_ns)
            f->moved_ns = f->sinks[i]->heard_ns;
    if (now_ns() - f->moved_ns > STUCK_NS)
        f->given_up = f->numbered;
    return false;
}

static bool is_done(const struct flow *f)
{
    return f->at == batch_len(&f->batch);
}

static unsigned may_send(struct flow *f)
{
    unsigned left = f->batch.count - f->slot;
    uint64_t now;

    if (f->rate == 0)
        return left;
    now = now_ns();
    f->credit += f->rate * (double)(now - f->credited_ns) / 1e9;
    f->credited_ns = now;
    if (f->credit > f->rate / 100 + 1) /* no burst after a pause of ours */
        f->credit = f->rate / 100 + 1;
    return f->credit < left ? (unsigned)f->credit : left;
}

static bool flow_push(struct flow *f, unsigned end)
{
    size_t before = f->at;

    f->at = station_send(f->from, &f->batch, before, f->slot, end);
    if (f->at == before)
        return false;
    if (is_done(f))
        f->slot = f->batch.count;
    while (f->slot < f->batch.count && f->batch.offset[f->slot + 1] <= f->at)
        ++f->slot;
    return f->at == f->batch.offset[end];
}

static bool flow_send(struct flow *f)
{
    size_t before = f->at;
    unsigned first, most;

    if (is_done(f)) {
        if (!has_window(f))
            return false;
        batch_number(&f->batch, f->numbered);
        f->numbered += f->batch.count;
        f->at = f->slot = 0;
        before = SIZE_MAX;
        f->moved_ns = now_ns();
    }
    first = f->slot;
    most = may_send(f);
    if (f->one_by_one)
        for (unsigned i = 0; i < most && i < AT_ONCE && flow_push(f, f->slot + 1); i++)
            ;
    else if (most)
        flow_push(f, f->slot + most);
    f->credit -= f->rate > 0 ? f->slot - first : 0;
    return f->at != before;
}

void flows_run(uint64_t until_ns)
{
    while (now_ns() < until_ns) {
        bool sent = false;

        for (unsigned i = 0; i < flow_count; i++)
            if (!flows[i].from->closed)
                sent |= flow_send(&flows[i]);
        hear_all(sent ? 0 : 1);
    }
}

/* A frame begun is finished first, or the stream would be torn. */
static void finish_batches(uint64_t until_ns)
{
    bool open = true;

    while (open && now_ns() < until_ns) {
        open = false;
        for (unsigned i = 0; i < flow_count; i++)
            if (!is_done(&flows[i]) && !flows[i].from->closed) {
                flow_push(&flows[i], flows[i].batch.count);
                open |= !is_done(&flows[i]);
            }
        hear_all(0);
    }
}

void flows_drain(void)
{
    uint64_t quiet;

    finish_batches(now_ns() + LATE_NS);
    quiet = now_ns();
    while (now_ns() - quiet < LATE_NS) {
        bool missing = false;

        for (unsigned i = 0; i < flow_count; i++)
            missing |= slowest(&flows[i]) < flows[i].numbered;
        if (!missing)
            break;
        if (hear_all(1))
            quiet = now_ns();
    }
    for (unsigned i = 0; i < flow_count; i++)
        for (unsigned k = 0; k < flows[i].sink_count; k++)
            if (!deaf[flows[i].sinks[k]->index])
                flows[i].sinks[k]->counts.lost += flows[i].numbered - flows[i].sinks[k]->next;
}

struct counts flows_counts(void)
{
    struct counts sum = { 0 };

    for (unsigned i = 0; i < station_count; i++) {
        const struct counts *c = &stations[i].counts;

        sum.frames += paced[i] ? 0 : c->frames;
        sum.bytes += paced[i] ? 0 : c->bytes;
        sum.lost += c->lost;
        sum.repeated += c->repeated;
        sum.corrupt += c->corrupt;
        sum.stray += c->stray;
    }
    return sum;
}

unsigned flows_closed(void)
{
    unsigned closed = 0;

    for (unsigned i = 0; i < station_count; i++)
        closed += stations[i].closed;
    return closed;
}
