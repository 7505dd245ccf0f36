/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The round trip. The process blocks in read() for each frame, so both the relay and it are woken
 * for every one, as two guests would be. A flow beside it runs in a process of its own, and this
 * one goes before it on their CPU (SCHED_FIFO): what is measured is the relay, not the wait for a
 * CPU that the load of the benchmark itself keeps busy.
 */
#include "modes.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "watch.h"

#define SAMPLES_MAX 1000000
#define SLICE_NS    10000000ull
#define INTRODUCED  100 /* frames each way, for the relay to warm up with */
#define LOST_S      30  /* beyond the time that is measured: a frame has been lost */

/* What the flow's process tells while it runs. */
struct beside {
    volatile int state; /* 1: it flows; negative errno */
    struct counts counts;
};

struct direction {
    struct station *from, *to;
    struct batch batch;
    uint64_t number;
};

static uint64_t samples[SAMPLES_MAX];

static int compare(const void *a, const void *b)
{
    uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;

    return one < other ? -1 : one > other;
}

static double percentile_us(unsigned count, double part)
{
    unsigned at = (unsigned)((double)count * part);

    return count ? (double)samples[at < count ? at : count - 1] / 1e3 : 0;
}

static void on_alarm(int number)
{
    static const char text[] = "bench-load: a frame of the round trip did not arrive\n";

    (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
    _exit(1);
}

/* Never returns. */
static void flow_beside(struct beside *shared)
{
    int r;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    r = flows_introduce();
    if (r == 0)
        flows_run(now_ns() + 10 * SLICE_NS);
    for (shared->state = r < 0 ? r : 1; r == 0;) {
        flows_run(now_ns() + SLICE_NS);
        shared->counts = flows_counts();
    }
    _exit(1);
}

static int start_beside(struct beside **ret_shared, pid_t *ret_pid)
{
    struct beside *shared =
        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (shared == MAP_FAILED)
        return -errno;
    *ret_pid = fork();
    if (*ret_pid < 0)
        return -errno;
    if (*ret_pid == 0)
        flow_beside(shared);
    while (shared->state == 0)
        usleep(1000);
    *ret_shared = shared;
    return shared->state < 0 ? shared->state : 0;
}

static int direction_init(struct direction *d, struct station *from, struct station *to)
{
    int r = batch_init(&d->batch, "64", 64, station_is_stream(from), CONTENT_DATA, from->index,
                       to->index);

    d->from = from;
    d->to = to;
    d->number = 0;
    to->batch = &d->batch;
    to->expect_who = content_who(CONTENT_DATA, from->index, to->index);
    to->one_by_one = true;
    return r;
}

static void send_next(struct direction *d)
{
    batch_number(&d->batch, d->number++);
    station_send(d->from, &d->batch, 0, 0, 1);
}

/* One frame, and it has arrived. */
static int go(struct direction *d)
{
    send_next(d);
    while (d->to->next < d->number && !d->to->closed)
        station_read(d->to);
    return d->to->closed ? -EPIPE : 0;
}

static bool has_heard(const struct direction *d)
{
    return d->to->next >= INTRODUCED;
}

/* Both are learned by a switch, and whatever else it had for them is out of the way. */
static int introduce(struct direction *there, struct direction *back)
{
    uint64_t end = now_ns() + LOST_S * 1000000000ull;

    while (!has_heard(there) || !has_heard(back)) {
        if (now_ns() > end)
            return -ETIME;
        send_next(there);
        send_next(back);
        usleep(1000);
        station_read(there->to);
        station_read(back->to);
    }
    while (station_read(there->to) + station_read(back->to) > 0)
        usleep(1000);
    there->to->counts = back->to->counts = (struct counts){ 0 };
    return 0;
}

static int measure(struct direction *there, struct direction *back, double seconds,
                   unsigned *ret_count)
{
    uint64_t start = now_ns(), end = start + (uint64_t)(seconds * 1e9), now;
    unsigned count = 0;
    int r = 0;

    while (start < end && count < SAMPLES_MAX && r == 0) {
        r = go(there);
        if (r == 0)
            r = go(back);
        now = now_ns();
        samples[count++] = now - start;
        start = now;
    }
    *ret_count = count;
    return r;
}

static void report(unsigned count, double seconds, uint64_t cpu_ns, uint64_t beside_frames,
                   const struct counts *wrong)
{
    qsort(samples, count, sizeof(samples[0]), compare);
    printf("{\"p50_us\": %.2f, \"p99_us\": %.2f, \"p999_us\": %.2f, \"max_us\": %.2f, "
           "\"round_trips\": %u, \"seconds\": %.4f, \"cpu_ns\": %llu, "
           "\"beside_frames_per_s\": %.0f, \"lost\": %llu, \"repeated\": %llu, \"corrupt\": %llu, "
           "\"stray\": %llu, \"closed\": 0}\n",
           percentile_us(count, 0.5), percentile_us(count, 0.99), percentile_us(count, 0.999),
           percentile_us(count, 1), count, seconds, (unsigned long long)cpu_ns,
           (double)beside_frames / seconds, (unsigned long long)wrong->lost,
           (unsigned long long)wrong->repeated, (unsigned long long)wrong->corrupt,
           (unsigned long long)wrong->stray);
}

static int measure_and_report(struct direction *there, struct direction *back,
                              const struct mode_options *o, struct beside *beside)
{
    const struct counts *a = &there->to->counts, *b = &back->to->counts;
    uint64_t cpu = watch_cpu_ns(), began = now_ns(), before = beside ? beside->counts.frames : 0;
    struct counts wrong;
    unsigned count;
    double seconds;
    int r = measure(there, back, o->seconds, &count);

    seconds = (double)(now_ns() - began) / 1e9;
    cpu = watch_cpu_ns() - cpu;
    wrong = (struct counts){ .lost = a->lost + b->lost,
                             .repeated = a->repeated + b->repeated,
                             .corrupt = a->corrupt + b->corrupt,
                             .stray = a->stray + b->stray };
    if (beside)
        wrong.corrupt += beside->counts.corrupt + beside->counts.lost + beside->counts.repeated;
    if (r == 0)
        report(count, seconds, cpu, beside ? beside->counts.frames - before : 0, &wrong);
    return r;
}

int mode_ping(const struct mode_options *o)
{
    struct station *one = flows_station(o->ping_one), *other = flows_station(o->ping_other);
    const struct sched_param first = { .sched_priority = 1 };
    struct direction there, back;
    struct beside *beside = NULL;
    pid_t pid = 0;
    int r;

    if (!one || !other || direction_init(&there, one, other) < 0 ||
        direction_init(&back, other, one) < 0)
        return -EINVAL;
    flows_deafen(one); /* they are ours, not the flows' */
    flows_deafen(other);
    if (o->has_flows) {
        r = start_beside(&beside, &pid);
        if (r < 0)
            return r;
        if (sched_setscheduler(0, SCHED_FIFO, &first) < 0)
            fprintf(stderr, "bench-load: no SCHED_FIFO: the round trip waits for the flow's CPU\n");
    }
    r = introduce(&there, &back);
    signal(SIGALRM, on_alarm);
    alarm((unsigned)o->seconds + LOST_S);
    fcntl(one->fd, F_SETFL, 0);
    fcntl(other->fd, F_SETFL, 0);
    if (r == 0)
        r = measure_and_report(&there, &back, o, beside);
    if (pid > 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    return r;
}
