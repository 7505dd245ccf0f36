/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The batch and its succession, with sockets that are played: their counts, and what went out of
 * them, lie in memory which outlasts the process, like a kernel's. A fuse ends the process at the
 * k-th touch of a socket, for every k, also in the middle of a send; a successor takes over, and
 * may be ended itself. In the end every frame must have come out whole, once and in order, also
 * between frames of the forwarder's own.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "relay/batch.h"
#include "relay/log.h"

#define N_PORTS  3
#define N_FRAMES 120 /* of each of the two that send */
#define BYTES    (2 * 1024 * 1024)
#define BOUND    (8 * 1024 * 1024)
#define DIED     9
#define OWN      0xee /* in place of a sender: a frame of the forwarder's own */

struct played {
    uint8_t in[BYTES];
    size_t in_len;
    size_t consumed;
    uint8_t out[BYTES];
    size_t out_len;
    size_t capacity; /* how far out_len may go just now */
};

struct world {
    int fuse;       /* touches until the end; negative: none */
    unsigned n_own; /* frames of the forwarder's own */
    struct played port[N_PORTS];
};

static struct world *world;

static void touch(void)
{
    if (world->fuse == 0)
        _exit(DIED);
    if (world->fuse > 0)
        --world->fuse;
}

static int played_positions(struct port *port, uint64_t *ret_consumed, uint64_t *ret_sent)
{
    *ret_consumed = world->port[port->slot].consumed;
    *ret_sent = world->port[port->slot].out_len;
    return 0;
}

static ssize_t played_fill(struct port *port, uint8_t *work, size_t room)
{
    struct played *played = &world->port[port->slot];
    ssize_t carry = port_copy_carry(port, work);
    size_t n = MIN(room, played->in_len - played->consumed);

    touch();
    memcpy(work + carry, played->in + played->consumed, n);
    return n ? carry + (ssize_t)n : 0;
}

static int played_consume(struct port *port, uint64_t position)
{
    struct played *played = &world->port[port->slot];

    touch();
    played->consumed += (position - played->consumed) / 2;
    touch();
    played->consumed = position;
    touch();
    return 0;
}

/* Takes a part, may be ended in the middle of the call, takes the rest. */
static ssize_t played_send(struct port *port, const struct iovec *iov, size_t n)
{
    struct played *played = &world->port[port->slot];
    ssize_t done = 0;

    touch();
    for (size_t i = 0; i < n; ++i) {
        size_t len = MIN(iov[i].iov_len, played->capacity - played->out_len);

        memcpy(played->out + played->out_len, iov[i].iov_base, len);
        played->out_len += len / 2;
        touch();
        played->out_len += len - len / 2;
        done += (ssize_t)len;
        port->sent += len;
        if (len < iov[i].iov_len)
            break;
    }
    touch();
    return done;
}

#define PLAYED                                                                                     \
    {                                                                                              \
        .name = "played", .positions = played_positions, .fill = played_fill,                      \
        .consume = played_consume, .send = played_send,                                            \
    }
const struct port_ops port_tcp_ops = PLAYED, port_unix_ops = PLAYED, port_pipe_ops = PLAYED,
                      port_udp_ops = PLAYED, port_tap_ops = PLAYED, port_dgram_ops = PLAYED;

/* Some runts, some large, all telling who sent them and as which; the last one is cut off. */
static void make_input(uint8_t from)
{
    struct played *played = &world->port[from];

    for (uint32_t i = 0; i < N_FRAMES; ++i) {
        uint32_t len = i % 10 == 3   ? 0
                       : i % 10 == 7 ? 13
                       : i % 25 == 4 ? 60000
                                     : 20 + i * 13 % 3000;
        uint8_t *at = played->in + played->in_len;

        framing_put_length(at, len);
        memset(at + FRAMING_HEADER, (int)(i * 31 + from), len);
        if (len >= FRAME_MIN) {
            memset(at + FRAMING_HEADER, 0xff, MAC_LEN);
            at[FRAMING_HEADER + 6] = 0x52;
            at[FRAMING_HEADER + 12] = from;
            at[FRAMING_HEADER + 13] = (uint8_t)i;
        }
        played->in_len += FRAMING_HEADER + len;
    }
    played->in_len -= 100;
}

static unsigned n_own; /* frames of the forwarder's own that came out */

/* What came out of a port: each sender's frames whole and in order. Returns how many. */
static unsigned check_output(uint8_t to, bool complete)
{
    const struct played *played = &world->port[to];
    size_t at = 0, expected_at[N_PORTS] = { 0 };
    unsigned n = 0;

    while (at < played->out_len) {
        struct frame frame = { 0 }, want = { 0 };
        uint8_t from;

        g_assert_cmpint(framing_next(played->out + at, played->out_len - at, &frame), ==, 0);
        g_assert_cmpuint(frame.len, >=, FRAME_MIN);
        from = frame.data[12];
        if (from == OWN) {
            g_assert_cmpuint(frame.len, ==, FRAME_PAD);
            at += FRAMING_HEADER + frame.len;
            ++n_own;
            continue;
        }
        g_assert_cmpuint(from, <, N_PORTS);
        g_assert_cmpuint(from, !=, to);
        do { /* the next one of its sender that is no runt */
            const struct played *sender = &world->port[from];

            g_assert_cmpint(framing_next(sender->in + expected_at[from],
                                         sender->in_len - expected_at[from], &want),
                            ==, 0);
            expected_at[from] += FRAMING_HEADER + want.len;
        } while (want.len < FRAME_MIN || (!complete && want.data[13] != frame.data[13]));
        g_assert_cmpmem(frame.data, frame.len, want.data, want.len);
        at += FRAMING_HEADER + frame.len;
        ++n;
    }
    return n;
}

static int n_dead;

static void on_dead(struct batch *batch, struct port *port)
{
    ++n_dead;
}

static void on_queued(struct batch *batch, struct port *port)
{
}

static struct batch *batch_open(int fd)
{
    struct batch *batch = g_new0(struct batch, 1);

    batch->shared = g_new0(struct shared, 1);
    batch->vswitch = g_new0(struct vswitch, 1);
    batch->vswitch->mode = VSWITCH_HUB;
    batch->on_dead = on_dead;
    batch->on_queued = on_queued;
    g_assert_cmpint(shared_map(batch->shared, dup(fd)), ==, 0);
    fdb_init(&batch->vswitch->fdb, &batch->shared->extra->fdb);
    for (uint32_t slot = 0; slot < N_PORTS; ++slot) {
        const struct shared_batch *b = &batch->shared->core->batch;
        bool tail_open = b->state == SHARED_CONSUME && b->in_slot == slot;
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        g_assert_cmpint(port_new(&batch->ports[slot], batch->shared, PORT_TCP, slot, slot + 1, null,
                                 null, tail_open),
                        ==, 0);
    }
    batch->n_slots = N_PORTS;
    return batch;
}

static void batch_close(struct batch *batch)
{
    for (uint32_t slot = 0; slot < N_PORTS; ++slot)
        port_free(batch->ports[slot]);
    close(batch->shared->fd);
    g_free(batch->vswitch);
    g_free(batch->shared);
    g_free(batch);
}

static int captures_to = -1; /* a socket; negative: nothing is captured */

static void begin_capture(struct batch *batch)
{
    static struct loop loop;

    g_assert_cmpint(loop_init(&loop), ==, 0);
    captures_init(&batch->captures, &loop, batch->shared->extra->seen);
    g_assert_cmpint(captures_begin(&batch->captures, 0, 1, dup(captures_to), FRAME_MIN, true), ==,
                    0);
    for (uint32_t slot = 0; slot < N_PORTS; ++slot)
        batch->ports[slot]->captured = 1;
}

/* Frames that came out of the capture, and those that are known to be missing. */
static unsigned count_captured(int reader)
{
    static uint8_t packet[CAPTURE_PACKET_MAX];
    unsigned n = 0;
    ssize_t len;

    while ((len = recv(reader, packet, sizeof(packet), MSG_DONTWAIT)) > 0)
        for (size_t at = 0; at < (size_t)len;) {
            struct capture_record record;

            memcpy(&record, packet + at, sizeof(record));
            at += sizeof(record) + CAPTURE_PAD(record.captured);
            g_assert_cmpint(record.kind, !=, CAPTURE_MISSED);
            if (record.kind != CAPTURE_BEGUN)
                ++n;
            else
                g_assert_cmpuint(record.length, >=, n);
            n = MAX(n, record.kind == CAPTURE_BEGUN ? record.length : 0);
        }
    return n;
}

/* It is whole or not there at all, whenever the forwarder ends. */
static void send_own(struct port *port)
{
    uint8_t data[FRAME_PAD] = { [12] = OWN };

    ++world->n_own;
    g_assert_cmpint(port_send_own(port, (struct frame){ .data = data, .len = sizeof(data) }), ==,
                    0);
}

/* A forwarder's life: takes over, moves all there is while the sockets take more and more. */
static void live(int fd, bool crashed, size_t room, size_t step)
{
    struct batch *batch = batch_open(fd);
    bool more = true;

    if (captures_to >= 0)
        begin_capture(batch);
    batch_recover(batch, crashed);
    while (more) {
        more = false;
        for (uint32_t slot = 0; slot < N_PORTS; ++slot) {
            struct port *port = batch->ports[slot];
            struct played *played = &world->port[slot];

            if (port->dead)
                continue;
            if (batch_run(batch, port, room)) {
                send_own(batch->ports[(slot + 1) % N_PORTS]);
                more = true;
            }
            played->capacity = MIN(played->capacity + step, BYTES);
            g_assert_cmpint(port_drain(port), ==, 0);
            more |= port_queued(port) > 0;
        }
    }
    for (uint32_t slot = 0; slot < N_PORTS; ++slot)
        port_trim(batch->ports[slot]);
}

/* Whether it was ended by the fuse. */
static bool live_in_a_child(int fd, int fuse, bool crashed, size_t room, size_t step)
{
    int status;
    pid_t pid;

    world->fuse = fuse;
    pid = fork();
    if (pid == 0) {
        live(fd, crashed, room, step);
        _exit(0);
    }
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert_true(WIFEXITED(status));
    g_assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == DIED);
    return WEXITSTATUS(status) == DIED;
}

static void begin_world(void)
{
    memset(world, 0, sizeof(*world));
    make_input(0);
    make_input(1);
}

static unsigned frames_of_a_sender(void)
{
    unsigned n = 0;

    for (uint32_t i = 0; i < N_FRAMES; ++i)
        n += i % 10 != 3 && i % 10 != 7;
    return n - 1; /* the last one is cut off */
}

static void check_world(void)
{
    unsigned n = frames_of_a_sender();

    n_own = 0;
    g_assert_cmpuint(check_output(0, true), ==, n);
    g_assert_cmpuint(check_output(1, true), ==, n);
    g_assert_cmpuint(check_output(2, true), ==, 2 * n);
}

struct load {
    size_t room, step;
    bool captured;
};

static void test_every_touch(gconstpointer data)
{
    const struct load *load = data;
    int deaths = 0;

    for (int k = 0;; ++k) {
        int fd = shared_create(BOUND), fuse = k, tries = 0, pair[2];

        g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), ==, 0);
        captures_to = load->captured ? pair[1] : -1;
        begin_world();
        while (live_in_a_child(fd, fuse, false, load->room, load->step)) {
            ++deaths;
            fuse = ++tries > 3 ? -1 : (k * 7 + tries * 5) % 13; /* the successors die too */
        }
        check_world();
        if (load->captured) /* each where it came in, and where it went out */
            g_assert_cmpuint(count_captured(pair[0]), ==, 6 * frames_of_a_sender());
        close(pair[0]);
        close(pair[1]);
        close(fd);
        g_assert_cmpuint(n_own, <=, world->n_own);
        if (!tries) { /* k was more than it takes */
            g_assert_cmpuint(n_own, ==, world->n_own);
            break;
        }
    }
    g_test_message("ended %d times", deaths);
    g_assert_cmpint(deaths, >, 100);
    captures_to = -1;
}

/* A batch whose reader crashes is tried once more; then its port is closed, and what others had
 * begun to get of it is ended whole. */
static void test_given_up(void)
{
    struct batch *batch;
    int fd = shared_create(BOUND), fuse;

    begin_world();
    for (fuse = 0;; ++fuse) { /* to the middle of a send that has begun */
        close(fd);
        fd = shared_create(BOUND);
        begin_world();
        world->port[1].capacity = BYTES;
        g_assert_true(live_in_a_child(fd, fuse, false, SHARED_READ, 50000));
        if (world->port[1].out_len > 1000)
            break;
    }
    world->fuse = -1;
    n_dead = 0;
    batch = batch_open(fd);
    g_assert_cmpuint(batch->shared->core->batch.state, ==, SHARED_SEND);
    batch->shared->core->batch.tries = 1; /* another one crashed before it did anything */
    batch_recover(batch, true);
    g_assert_cmpint(n_dead, ==, 1);
    g_assert_cmpint(batch->ports[batch->shared->core->batch.in_slot]->dead, ==, -EBADMSG);
    g_assert_cmpuint(batch->shared->core->batch.state, ==, SHARED_IDLE);
    for (uint32_t slot = 0; slot < N_PORTS; ++slot) {
        world->port[slot].capacity = BYTES;
        g_assert_cmpint(port_drain(batch->ports[slot]), ==, 0);
        check_output((uint8_t)slot, false);
    }
    batch_close(batch);
    close(fd);
}

/* As where a forwarder crashed while it read this port. */
static void crash_on(struct batch *batch, uint32_t slot)
{
    batch->shared->extra->reading_slot = slot;
    batch->shared->extra->reading_id = batch->ports[slot]->id;
    batch_recover(batch, true);
}

/* Others that are read in between change nothing of it; its own input, read well, does. */
static void test_input_given_up(void)
{
    int fd = shared_create(BOUND);
    struct batch *batch;

    begin_world();
    world->fuse = -1;
    n_dead = 0;
    batch = batch_open(fd);
    crash_on(batch, 1);
    batch_run(batch, batch->ports[1], SHARED_READ);
    crash_on(batch, 1);
    crash_on(batch, 0);
    batch_run(batch, batch->ports[1], SHARED_READ);
    g_assert_cmpint(n_dead, ==, 0);
    crash_on(batch, 0);
    g_assert_cmpint(n_dead, ==, 1);
    g_assert_cmpint(batch->ports[0]->dead, ==, -EBADMSG);
    batch_close(batch);
    close(fd);
}

/* Whole frames are dropped where the queue is full, and counted; nothing is torn. */
static void test_bound(void)
{
    int fd = shared_create(100000);
    struct batch *batch;
    struct port *port;
    unsigned n;

    begin_world();
    world->fuse = -1;
    world->port[1].capacity = world->port[2].capacity = 1000; /* cuts a frame, then takes nothing */
    batch = batch_open(fd);
    while (batch_run(batch, batch->ports[0], SHARED_READ))
        ;
    port = batch->ports[2];
    g_assert_cmpuint(port_queued(port), <=, 100000);
    g_assert_cmpuint(port_queued(port), >, 30000);
    g_assert_cmpuint(port->counters->drop_queue, >, 10);
    world->port[2].capacity = BYTES;
    g_assert_cmpint(port_drain(port), ==, 0);
    n = check_output(2, false);
    g_assert_cmpuint(n + port->counters->drop_queue, ==, frames_of_a_sender());
    g_assert_cmpuint(port->counters->tx_frames, ==, n);
    g_assert_cmpuint(batch->ports[0]->counters->rx_frames, ==, frames_of_a_sender());
    g_assert_cmpuint(batch->ports[0]->counters->drop_runt, ==, N_FRAMES / 5);
    batch_close(batch);
    close(fd);
}

/* A length that cannot be: what came before it is forwarded, the port is closed, nobody else. */
static void test_bad_length(void)
{
    int fd = shared_create(BOUND);
    struct batch *batch;

    begin_world();
    world->fuse = -1;
    world->port[1].capacity = BYTES;
    framing_put_length(world->port[0].in + 24 + 37, FRAME_MAX + 1); /* in place of the third */
    n_dead = 0;
    batch = batch_open(fd);
    batch_run(batch, batch->ports[0], SHARED_READ);
    g_assert_cmpint(n_dead, ==, 1);
    g_assert_cmpint(batch->ports[0]->dead, ==, -EMSGSIZE);
    g_assert_cmpuint(check_output(1, true), ==, 2);
    g_assert_cmpuint(batch->shared->core->batch.state, ==, SHARED_IDLE);
    batch_close(batch);
    close(fd);
}

/* A port's input grows by one frame between stations, who are named by a number. */
static void say(uint8_t from, uint8_t dst, uint8_t src)
{
    struct played *played = &world->port[from];
    uint8_t data[FRAME_MIN] = { [0] = 0x52, [5] = dst, [6] = 0x52, [11] = src };

    framing_put_length(played->in + played->in_len, sizeof(data));
    memcpy(played->in + played->in_len + FRAMING_HEADER, data, sizeof(data));
    played->in_len += FRAMING_HEADER + sizeof(data);
}

/* "DST<SRC" of each frame that ever came out of a port. */
static void assert_heard(uint8_t to, const char *expected)
{
    const struct played *played = &world->port[to];
    g_autoptr(GString) text = g_string_new(NULL);
    struct frame frame;

    for (size_t at = 0; framing_next(played->out + at, played->out_len - at, &frame) == 0;
         at += FRAMING_HEADER + frame.len)
        g_string_append_printf(text, "%s%u<%u", at ? " " : "", frame.data[5], frame.data[11]);
    g_assert_cmpstr(text->str, ==, expected);
}

/* Frames go the way of the one before them only where both of their addresses are its own: with
 * another receiver they go elsewhere, with another sender there is somebody to learn. */
static void test_runs(void)
{
    static const uint64_t key[2] = { 1, 2 };
    int fd = shared_create(BOUND);
    struct batch *batch;

    memset(world, 0, sizeof(*world));
    world->fuse = -1;
    batch = batch_open(fd);
    batch->vswitch->mode = VSWITCH_SWITCH;
    vswitch_init(batch->vswitch, &batch->shared->extra->fdb, 1, key);
    for (uint8_t slot = 0; slot < N_PORTS; ++slot)
        world->port[slot].capacity = BYTES;
    say(1, 10, 20);
    say(2, 10, 30);
    say(0, 20, 10);
    say(0, 20, 10);
    say(0, 30, 10);
    say(0, 30, 11);
    say(0, 30, 11);
    for (uint8_t turn = 0; turn < N_PORTS; ++turn)
        batch_run(batch, batch->ports[(turn + 1) % N_PORTS], SHARED_READ);
    say(1, 11, 20);
    batch_run(batch, batch->ports[1], SHARED_READ);
    assert_heard(0, "10<20 10<30 11<20");
    assert_heard(1, "10<30 20<10 20<10");
    assert_heard(2, "10<20 30<10 30<11 30<11");
    batch_close(batch);
    close(fd);
}

int main(int argc, char **argv)
{
    static const struct load quick = { SHARED_READ, BYTES }, slow = { SHARED_READ / 2, 30000 },
                             dribble = { 5000, 3000 }, captured = { 60000, BYTES, true };

    g_test_init(&argc, &argv, NULL);
    log_open("", LOG_LEVEL_ERROR);
    world = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    g_test_add_data_func("/batch/ended-at-every-touch", &quick, test_every_touch);
    g_test_add_data_func("/batch/ended-at-every-touch-slow-readers", &slow, test_every_touch);
    g_test_add_data_func("/batch/ended-at-every-touch-captured", &captured, test_every_touch);
    if (g_test_thorough())
        g_test_add_data_func("/batch/ended-at-every-touch-dribble", &dribble, test_every_touch);
    g_test_add_func("/batch/given-up", test_given_up);
    g_test_add_func("/batch/input-given-up", test_input_given_up);
    g_test_add_func("/batch/bound", test_bound);
    g_test_add_func("/batch/bad-length", test_bad_length);
    g_test_add_func("/batch/runs", test_runs);
    return g_test_run();
}
