/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stations that talk to one another through the relay under test, in one process and one thread,
 * so that it always knows what is on its way. Every frame carries sender, receiver, its number in
 * that flow, its length, and the time; its filling follows from these, so a frame that is lost,
 * repeated, out of order, changed, cut or sent to the wrong station is seen.
 *
 *   load [--rate N] [--window BYTES] [--sizes MIN:MAX] [--broadcast N] [--hub]
 *        [--group N] s:FD|d:FD...
 *
 * s: a stream in QEMU framing, d: one frame per read and write. Stations of another group are
 * strangers. "ready" is printed when every station has heard every other one. A line on stdin is
 * answered with the counts since the last one; end of file stops the senders, waits for what is on
 * its way, and prints the last counts.
 *
 * Latency is measured from before the send to after the receive, less the time in which this
 * process itself did not run. A child that only echoes bytes is pinged all the time: what it is
 * late by is the machine's noise ("noise_ms"), not the relay's; so is the longest time that this
 * process itself was not let run ("pause_ms"). In "gap_ms" no station got any frame, at longest.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define STATIONS_MAX 64
#define FRAME_MAX    69632
#define HEADER       4
#define BUFFER       (512 * 1024)
#define MAGIC        0x4e52544cu
#define TYPE         0xb688 /* 0x88b6 on the wire: local experiments, the second of two */
#define BROADCAST    0xffffu
#define ANNOUNCE     0xfffeu
#define MS           1000000ull
#define LATE         (5 * MS) /* a round longer than this was not all ours */

struct __attribute__((packed)) content {
    uint8_t dst[6], src[6];
    uint16_t type;
    uint32_t magic;
    uint16_t group;
    uint32_t len;
    uint16_t from, to;
    uint64_t number;
    uint64_t sent_ns;
    uint64_t stolen_ns;
    uint32_t sum;
};

struct station {
    int fd;
    bool stream, closed;
    uint8_t *out, *in;
    size_t out_len, out_at, in_len;
    uint64_t sent[STATIONS_MAX + 1];     /* frames to each; last: broadcasts */
    uint64_t expected[STATIONS_MAX + 1]; /* unicast, from each */
    uint64_t expected_broadcast[STATIONS_MAX];
    bool heard[STATIONS_MAX];
    uint64_t on_the_way; /* bytes to it */
    uint64_t turns;
    double credit;
};

struct counts {
    uint64_t sent, received, bytes, lost, repeated, corrupt, stray;
    uint64_t latency_ns, noise_ns, pause_ns, stolen_ns, gap_ns;
};

static struct station stations[STATIONS_MAX];
static unsigned station_count;
static struct counts counts;
static uint64_t stolen_ns, counted_since_ns, sent_until_ns, received_ns;
static double rate;
static uint64_t window = 256 * 1024, broadcast_every;
static uint32_t size_min = 60, size_max = 1514;
static bool hub, sending = true;
static uint8_t group;
static int echo_fd = -1;
static uint64_t echo_sent_ns, echo_stolen_ns;

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static uint64_t mix(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9ull;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

static uint64_t seed_of(const struct content *c)
{
    return mix(c->number * 0x9e3779b97f4a7c15ull + ((uint64_t)c->from << 32 | c->to));
}

static uint32_t sum_of(const struct content *c)
{
    return (uint32_t)mix(seed_of(c) ^ mix(c->sent_ns ^ c->len) ^ c->stolen_ns);
}

static void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void station_mac(uint8_t mac[6], unsigned number)
{
    const uint8_t base[6] = { 0x52, 0x54, 0, 0x77, group, (uint8_t)number };

    memcpy(mac, base, 6);
}

/* The filling, written or compared, word by word. */
static void fill(uint8_t *data, size_t len, uint64_t seed)
{
    for (size_t i = 0; i < len; i += 8, seed += 0x9e3779b97f4a7c15ull)
        memcpy(data + i, &seed, len - i < 8 ? len - i : 8);
}

static bool filled(const uint8_t *data, size_t len, uint64_t seed)
{
    for (size_t i = 0; i < len; i += 8, seed += 0x9e3779b97f4a7c15ull)
        if (memcmp(data + i, &seed, len - i < 8 ? len - i : 8) != 0)
            return false;
    return true;
}

static uint32_t size_for(uint64_t seed)
{
    return size_min + (uint32_t)(mix(seed) % (size_max - size_min + 1));
}

static void build(uint8_t *frame, uint32_t len, unsigned from, unsigned to, uint64_t number)
{
    struct content c = { .type = TYPE, .magic = MAGIC, .len = len, .from = (uint16_t)from };

    c.group = group;
    c.to = (uint16_t)to;
    c.number = number;
    c.sent_ns = now_ns();
    c.stolen_ns = stolen_ns;
    c.sum = sum_of(&c);
    if (to >= ANNOUNCE)
        memset(c.dst, 0xff, 6);
    else
        station_mac(c.dst, to);
    station_mac(c.src, from);
    memcpy(frame, &c, sizeof(c));
    fill(frame + sizeof(c), len - sizeof(c), seed_of(&c));
}

/* A number that is not the expected one: what is between was lost, what lies before came twice. */
static void count_number(uint64_t *expected, uint64_t number)
{
    if (number < *expected) {
        ++counts.repeated;
        return;
    }
    counts.lost += number - *expected;
    *expected = number + 1;
}

static void count_latency(const struct content *c)
{
    uint64_t now = now_ns(), took = now - c->sent_ns, own = stolen_ns - c->stolen_ns;

    took = took > own ? took - own : 0;
    if (took > counts.latency_ns)
        counts.latency_ns = took;
    if (received_ns && now - received_ns > counts.gap_ns)
        counts.gap_ns = now - received_ns;
    received_ns = now;
}

static void on_frame(unsigned me, const uint8_t *frame, size_t len)
{
    struct station *s = &stations[me];
    struct content c = { 0 };

    memcpy(&c, frame, len < sizeof(c) ? len : sizeof(c));
    if (c.magic != MAGIC && c.type != TYPE)
        return; /* somebody else's: a kernel's IPv6 on a bridge, say */
    if (len >= sizeof(c) && c.magic == MAGIC && c.group != group) {
        counts.stray += !hub && c.to < ANNOUNCE;
        return;
    }
    if (len < sizeof(c) || c.magic != MAGIC || c.len != len || c.sum != sum_of(&c) ||
        c.from >= station_count || !filled(frame + sizeof(c), len - sizeof(c), seed_of(&c))) {
        ++counts.corrupt;
        return;
    }
    if (c.to == ANNOUNCE) {
        s->heard[c.from] = true;
        return;
    }
    if (c.to == BROADCAST)
        count_number(&s->expected_broadcast[c.from], c.number);
    else if (c.to == me)
        count_number(&s->expected[c.from], c.number);
    else {
        counts.stray += !hub;
        return;
    }
    ++counts.received;
    counts.bytes += len;
    s->on_the_way -= len < s->on_the_way ? len : s->on_the_way;
    count_latency(&c);
}

static void station_close(struct station *s)
{
    s->closed = true;
    close(s->fd);
}

static void parse_stream(unsigned me)
{
    struct station *s = &stations[me];
    size_t at = 0;

    while (s->in_len - at >= HEADER) {
        const uint8_t *p = s->in + at;
        uint32_t len = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];

        if (len > FRAME_MAX) {
            ++counts.corrupt; /* the stream is torn */
            station_close(s);
            return;
        }
        if (s->in_len - at - HEADER < len)
            break;
        on_frame(me, p + HEADER, len);
        at += HEADER + len;
    }
    memmove(s->in, s->in + at, s->in_len - at);
    s->in_len -= at;
}

static void station_read(unsigned me)
{
    struct station *s = &stations[me];

    for (int round = 0; round < (s->stream ? 1 : 64) && !s->closed; round++) {
        ssize_t n = read(s->fd, s->in + s->in_len, BUFFER - s->in_len);

        if (n < 0 && (errno == EAGAIN || errno == EINTR || (!s->stream && errno != EBADF)))
            return;
        if (n < 0 || (n == 0 && s->stream)) {
            station_close(s);
            return;
        }
        if (!s->stream) {
            on_frame(me, s->in, (size_t)n);
            continue;
        }
        s->in_len += (size_t)n;
        parse_stream(me);
    }
}

static void station_flush(struct station *s)
{
    while (!s->closed && s->out_at < s->out_len) {
        ssize_t n = write(s->fd, s->out + s->out_at, s->out_len - s->out_at);

        if (n < 0 && errno != EAGAIN && errno != EINTR && s->stream)
            station_close(s);
        if (n < 0)
            return;
        s->out_at += (size_t)n;
    }
    s->out_at = s->out_len = 0;
}

/* False where there is no room now. */
static bool put_frame(struct station *s, uint32_t len, unsigned from, unsigned to, uint64_t number)
{
    uint8_t frame[FRAME_MAX];

    if (!s->stream) {
        build(frame, len, from, to, number);
        return write(s->fd, frame, len) == (ssize_t)len;
    }
    if (BUFFER - s->out_len < HEADER + len)
        return false;
    s->out[s->out_len] = (uint8_t)(len >> 24);
    s->out[s->out_len + 1] = (uint8_t)(len >> 16);
    s->out[s->out_len + 2] = (uint8_t)(len >> 8);
    s->out[s->out_len + 3] = (uint8_t)len;
    build(s->out + s->out_len + HEADER, len, from, to, number);
    s->out_len += HEADER + len;
    return true;
}

static bool fits_window(unsigned to, unsigned me, uint32_t len)
{
    for (unsigned i = 0; i < station_count; i++)
        if (i != me && !stations[i].closed && (to == BROADCAST || i == to) &&
            stations[i].on_the_way + len > window)
            return false;
    return true;
}

static bool send_next(unsigned me)
{
    struct station *s = &stations[me];
    unsigned to = (me + 1 + (unsigned)(s->turns % (station_count - 1))) % station_count;
    unsigned slot;
    uint32_t len;

    if (broadcast_every && s->turns % broadcast_every == broadcast_every - 1)
        to = BROADCAST;
    slot = to == BROADCAST ? STATIONS_MAX : to;
    len = size_for(s->turns * 64 + me);
    if (to != BROADCAST && stations[to].closed) {
        ++s->turns;
        return true;
    }
    if (!fits_window(to, me, len) || !put_frame(s, len, me, to, s->sent[slot]))
        return false;
    ++s->turns;
    ++s->sent[slot];
    ++counts.sent;
    for (unsigned i = 0; i < station_count; i++)
        if (i != me && (to == BROADCAST || i == to))
            stations[i].on_the_way += len;
    return true;
}

static void station_send(unsigned me, double seconds)
{
    struct station *s = &stations[me];

    if (s->closed || !sending)
        return;
    s->credit += rate * seconds;
    if (s->credit > rate / 20 + 1) /* no burst after a pause of ours */
        s->credit = rate / 20 + 1;
    if (s->out_len == 0)
        for (int i = 0; i < 512 && (rate == 0 || s->credit >= 1); i++) {
            if (!send_next(me))
                break;
            s->credit -= 1;
        }
    station_flush(s);
}

static void report(bool last)
{
    uint64_t lost = counts.lost, now = now_ns();
    unsigned closed = 0;

    for (unsigned j = 0; j < station_count; j++) {
        closed += stations[j].closed;
        for (unsigned i = 0; last && i < station_count; i++)
            if (i != j)
                lost += stations[i].sent[j] - stations[j].expected[i] +
                        stations[i].sent[STATIONS_MAX] - stations[j].expected_broadcast[i];
    }
    printf("{\"sent\": %llu, \"received\": %llu, \"bytes\": %llu, \"lost\": %llu, "
           "\"repeated\": %llu, \"corrupt\": %llu, \"stray\": %llu, \"closed\": %u, "
           "\"latency_ms\": %.2f, \"noise_ms\": %.2f, \"pause_ms\": %.2f, \"stolen_ms\": %.2f, "
           "\"gap_ms\": %.2f, \"seconds\": %.3f}\n",
           (unsigned long long)counts.sent, (unsigned long long)counts.received,
           (unsigned long long)counts.bytes, (unsigned long long)lost,
           (unsigned long long)counts.repeated, (unsigned long long)counts.corrupt,
           (unsigned long long)counts.stray, closed, (double)counts.latency_ns / 1e6,
           (double)counts.noise_ns / 1e6, (double)counts.pause_ns / 1e6,
           (double)(stolen_ns - counts.stolen_ns) / 1e6, (double)counts.gap_ns / 1e6,
           (double)((last ? sent_until_ns : now) - counted_since_ns) / 1e9);
    fflush(stdout);
    counts = (struct counts){ .stolen_ns = stolen_ns };
    counted_since_ns = now;
}

static void echo_start(void)
{
    int pair[2];
    char byte;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        die("socketpair");
    if (fork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(pair[1], STDIN_FILENO);
        close_range(STDERR_FILENO + 1, ~0u, 0); /* no station's connection may live on here */
        while (read(STDIN_FILENO, &byte, 1) == 1 && write(STDIN_FILENO, &byte, 1) == 1)
            ;
        _exit(0);
    }
    close(pair[1]);
    echo_fd = pair[0];
    fcntl(echo_fd, F_SETFL, O_NONBLOCK);
}

static void echo_ping(void)
{
    uint64_t late, own = stolen_ns - echo_stolen_ns;
    char byte = 0;

    if (echo_sent_ns) {
        if (read(echo_fd, &byte, 1) != 1)
            return;
        late = now_ns() - echo_sent_ns;
        late = late > own ? late - own : 0;
        if (late > counts.noise_ns)
            counts.noise_ns = late;
        echo_sent_ns = 0;
    }
    if (write(echo_fd, &byte, 1) == 1) {
        echo_sent_ns = now_ns();
        echo_stolen_ns = stolen_ns;
    }
}

/* Time beyond what a round may need was taken from this process. */
static void count_stolen(uint64_t took_ns)
{
    if (took_ns > counts.pause_ns)
        counts.pause_ns = took_ns;
    if (took_ns > LATE)
        stolen_ns += took_ns - LATE;
}

/* What poll() waited beyond its timeout: nobody else is to blame for that. */
static void wait_for_something(struct pollfd *polls, int timeout_ms)
{
    uint64_t before = now_ns();

    for (unsigned i = 0; i < station_count; i++) {
        struct station *s = &stations[i];

        polls[i] = (struct pollfd){ .fd = s->closed ? -1 : s->fd, .events = POLLIN };
        if (s->out_at < s->out_len)
            polls[i].events |= POLLOUT;
    }
    polls[station_count] = (struct pollfd){ .fd = sending ? STDIN_FILENO : -1, .events = POLLIN };
    polls[station_count + 1] = (struct pollfd){ .fd = echo_fd, .events = POLLIN };
    poll(polls, station_count + 2, timeout_ms);
    count_stolen(now_ns() - before);
}

static void handle_input(const struct pollfd *polls)
{
    for (unsigned i = 0; i < station_count; i++) {
        if (polls[i].fd >= 0 && (polls[i].revents & (POLLIN | POLLHUP | POLLERR)))
            station_read(i);
        if (!stations[i].closed && (polls[i].revents & POLLOUT))
            station_flush(&stations[i]);
    }
    echo_ping();
}

static void handle_command(const struct pollfd *poll_stdin)
{
    char text[64];

    if (poll_stdin->fd < 0 || !poll_stdin->revents)
        return;
    if (read(STDIN_FILENO, text, sizeof(text)) > 0)
        report(false);
    else {
        sending = false;
        sent_until_ns = now_ns();
    }
}

static bool all_heard(void)
{
    for (unsigned i = 0; i < station_count; i++)
        for (unsigned j = 0; j < station_count; j++)
            if (i != j && !stations[i].heard[j])
                return false;
    return true;
}

static void introduce(struct pollfd *polls)
{
    uint64_t end = now_ns() + 10000 * MS;

    while (!all_heard()) {
        if (now_ns() > end) {
            fprintf(stderr, "load: not all stations heard one another within 10 s\n");
            exit(3);
        }
        for (unsigned i = 0; i < station_count; i++) {
            if (stations[i].out_len == 0)
                put_frame(&stations[i], size_min, i, ANNOUNCE, 0);
            station_flush(&stations[i]);
        }
        for (int round = 0; round < 20; round++) {
            wait_for_something(polls, 1);
            handle_input(polls);
        }
    }
    puts("ready");
    fflush(stdout);
}

static bool anything_on_the_way(void)
{
    for (unsigned i = 0; i < station_count; i++)
        if (!stations[i].closed && (stations[i].on_the_way || stations[i].out_len))
            return true;
    return false;
}

static void run(struct pollfd *polls)
{
    uint64_t last = now_ns(), end = 0, now, before;

    counted_since_ns = last;
    while (sending || (anything_on_the_way() && now_ns() < end)) {
        now = now_ns();
        before = counts.sent;
        for (unsigned i = 0; i < station_count; i++)
            if (sending)
                station_send(i, (double)(now - last) / 1e9);
            else
                station_flush(&stations[i]);
        last = now;
        count_stolen(now_ns() - now);
        wait_for_something(polls, rate == 0 && counts.sent != before ? 0 : 1);
        now = now_ns();
        handle_input(polls);
        handle_command(&polls[station_count]);
        count_stolen(now_ns() - now);
        if (sending)
            end = now_ns() + 3000 * MS;
    }
}

static void add_station(const char *text)
{
    struct station *s = &stations[station_count++];

    s->stream = text[0] == 's';
    s->fd = atoi(text + 2);
    s->in = malloc(BUFFER);
    s->out = malloc(BUFFER);
    if (!s->in || !s->out || fcntl(s->fd, F_SETFL, O_NONBLOCK) < 0)
        die(text);
}

static void read_arguments(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--hub") == 0)
            hub = true;
        else if (argv[i][0] != '-' && station_count < STATIONS_MAX)
            add_station(argv[i]);
        else if (i + 1 == argc)
            die("wrong arguments");
        else if (strcmp(argv[i], "--rate") == 0)
            rate = atof(argv[++i]);
        else if (strcmp(argv[i], "--window") == 0)
            window = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--group") == 0)
            group = (uint8_t)atoi(argv[++i]);
        else if (strcmp(argv[i], "--broadcast") == 0)
            broadcast_every = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--sizes") != 0 ||
                 sscanf(argv[++i], "%u:%u", &size_min, &size_max) != 2 || size_min > size_max ||
                 size_min < sizeof(struct content) || size_max > FRAME_MAX)
            die("wrong arguments");
    }
    if (station_count < 2)
        die("two stations at least");
}

int main(int argc, char **argv)
{
    struct pollfd polls[STATIONS_MAX + 2];

    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    read_arguments(argc, argv);
    echo_start();
    introduce(polls);
    run(polls);
    report(true);
    return 0;
}
