/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The forwarder's loop. It owns copies of the ports' descriptors and nothing else: whatever it
 * must remember beyond its own death is in the shared memory, or known to the kernel.
 */
#include "relay/forwarder.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>
#include "relay/batch.h"
#include "relay/handover.h"
#include "relay/log.h"
#include "relay/pace.h"
#include "relay/report.h"
#include "relay/sandbox.h"
#include "relay/watch.h"
#include "relay/wire.h"

#define ROUND          (2 * 1024 * 1024) /* bytes that ports with much to say share, about */
#define TURN_ALONE     (256 * 1024)      /* of one, so that input and output stay in the cache */
#define TURN_MIN       (64 * 1024)       /* and the least of many, and where others talk too */
#define TRIM_MS        2000
#define TIMER_SLACK_NS 1000
#define MESSAGES_TURN  64

#define container(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

struct forwarder {
    struct loop loop;
    struct loop_io handover;
    struct loop_timer trim;
    struct shared shared;
    struct vswitch vswitch;
    struct batch batch;
    struct wire wire;
    struct pace pace;
    struct port *late[LOOP_EVENTS]; /* of this round, those with much to say */
    uint32_t n_late;
    bool has_talk;                   /* others were read in this round */
    struct port *dead[SHARED_PORTS]; /* closed when the round ends */
    uint32_t n_dead;
    struct report report;
    struct watch watch;
    bool crashed;
    bool ready; /* a predecessor's work is finished: frames may move */
    bool ended;
};

/* One network, one forwarder: the callbacks find it here. */
static struct forwarder *the_forwarder;

/* One that leaves is read only up to the end of the frame that it is in. */
static bool is_readable(const struct port *port)
{
    return !port->paused && !port->ingress.timer.armed &&
           (!port->leaving || port->record->c0 != port->record->c1);
}

static void port_interest(struct forwarder *f, struct port *port)
{
    uint32_t in = is_readable(port) ? EPOLLIN : 0;
    uint32_t out = port_queued(port) && !port->egress.timer.armed ? EPOLLOUT : 0;
    int r;

    if (port->wfd == port->rfd) {
        r = loop_set(&f->loop, &port->in, in | out);
    } else {
        r = loop_set(&f->loop, &port->in, in);
        if (r == 0)
            r = loop_set(&f->loop, &port->out, out);
    }
    if (r < 0)
        batch_kill_port(&f->batch, port, r);
}

static void release_leaving(struct forwarder *f, struct port *port)
{
    if (!port->leaving || port->dead || !port_is_between(port))
        return;
    port->released = true;
    batch_kill_port(&f->batch, port, -ECANCELED);
}

/* After whatever has moved it, outside a batch. */
static void port_settle(struct forwarder *f, struct port *port)
{
    port_interest(f, port);
    release_leaving(f, port);
}

static void port_flush(struct forwarder *f, struct port *port)
{
    int r = port_drain(port);

    if (r < 0) {
        batch_kill_port(&f->batch, port, r);
        return;
    }
    if (!port_queued(port))
        wire_drained(&f->wire, port);
    port_settle(f, port);
}

static void port_read(struct forwarder *f, struct port *port, size_t room)
{
    if (port->leaving && !is_readable(port))
        return;
    if (f->vswitch.mode == VSWITCH_WIRE) {
        if (!wire_may_read(&f->wire, port)) {
            port_interest(f, port);
            return;
        }
        room = wire_room(&f->wire, port, room);
    }
    room = throttle_room(&port->ingress, room);
    if (room == 0) {
        port_interest(f, port);
        return;
    }
    f->vswitch.now_ms = f->loop.now_ms;
    if (batch_run(&f->batch, port, room))
        throttle_took(&port->ingress, batch_moved(&f->batch));
    if (!port->ops->is_prompt)
        pace_read(&f->pace, &port->pace, port->counters, room);
    if (!f->trim.armed)
        loop_timer_in(&f->loop, &f->trim, TRIM_MS);
    if (port->leaving && !port->dead)
        port_settle(f, port);
}

/* Who has little to say does not wait for those with much, who share what a round may take. */
static void port_take_turn(struct forwarder *f, struct port *port)
{
    if (port->pace.is_bulk && f->n_late < LOOP_EVENTS) {
        f->late[f->n_late++] = port;
        return;
    }
    f->has_talk = true;
    port_read(f, port, f->loop.n_events > 1 ? TURN_MIN : TURN_ALONE);
}

/* Of several it pays to take all that lies in a socket before the next one's. */
static size_t turn_of_late(const struct forwarder *f)
{
    size_t turn;

    if (f->has_talk)
        return TURN_MIN;
    if (f->n_late == 1)
        return TURN_ALONE;
    turn = ROUND / f->n_late;
    if (turn < TURN_MIN)
        return TURN_MIN;
    return turn < SHARED_READ ? turn : SHARED_READ;
}

static void read_late(struct forwarder *f)
{
    size_t turn = f->n_late ? turn_of_late(f) : 0;

    for (uint32_t i = 0; i < f->n_late; ++i)
        if (!f->late[i]->dead)
            port_read(f, f->late[i], turn);
    f->n_late = 0;
    f->has_talk = false;
}

static void on_port_in(struct loop_io *io, uint32_t revents)
{
    struct port *port = container(io, struct port, in);

    if (!port->dead && (revents & (EPOLLOUT | EPOLLERR | EPOLLHUP)) && port_queued(port) &&
        port->wfd == port->rfd)
        port_flush(the_forwarder, port);
    if (!port->dead && (revents & (EPOLLIN | EPOLLERR | EPOLLHUP)))
        port_take_turn(the_forwarder, port);
}

static void on_port_out(struct loop_io *io, uint32_t revents)
{
    struct port *port = container(io, struct port, out);

    if (!port->dead)
        port_flush(the_forwarder, port);
}

static void on_ingress_due(struct loop_timer *timer)
{
    port_interest(the_forwarder, container(timer, struct port, ingress.timer));
}

static void on_egress_due(struct loop_timer *timer)
{
    struct port *port = container(timer, struct port, egress.timer);

    if (!port->dead)
        port_flush(the_forwarder, port);
}

static void on_queued(struct batch *batch, struct port *port)
{
    if (the_forwarder->ready)
        port_interest(the_forwarder, port);
}

static void on_resume(struct wire *wire, struct port *port)
{
    port_interest(the_forwarder, port);
}

/* The keeper has the descriptor too, so only shutdown() lets the peer know at once. */
static void on_dead(struct batch *batch, struct port *port)
{
    struct forwarder *f = the_forwarder;

    if (!port->released)
        shutdown(port->rfd, SHUT_RDWR);
    f->dead[f->n_dead++] = port;
}

static void bury(struct forwarder *f, struct port *port)
{
    uint32_t slot = port->slot;

    loop_del(&f->loop, &port->in);
    if (port->wfd != port->rfd)
        loop_del(&f->loop, &port->out);
    f->batch.ports[slot] = NULL;
    vswitch_close_port(&f->vswitch, (uint16_t)slot);
    wire_drained(&f->wire, port);
    shared_punch_carry(&f->shared, slot);
    shared_punch_queue(&f->shared, slot);
    report_gone(&f->report, slot, port->id, port->dead == -ECANCELED ? 0 : port->dead,
                port->released);
    port_free(port);
}

/* Once for each port; from then on the counter tells. */
static void tell_once(struct forwarder *f, const struct port *port, enum handover_notice what,
                      uint64_t dropped, bool *told)
{
    struct notice notice = { .slot = port->slot, .id = port->id, .what = what };

    if (dropped && !*told)
        *told = notices_put(&f->watch.notices, notice);
}

/* What can wait until frames have moved for a while. */
static void on_trim(struct loop_timer *timer)
{
    struct forwarder *f = the_forwarder;

    for (uint32_t slot = 0; slot < f->batch.n_slots; ++slot) {
        struct port *port = f->batch.ports[slot];

        if (!port)
            continue;
        port_trim(port);
        tell_once(f, port, NOTICE_TOO_LONG, port->counters->drop_size, &port->told_size);
        tell_once(f, port, NOTICE_SLOW, port->counters->drop_queue, &port->told_queue);
    }
}

/* Until all ports are there and the batch of a predecessor is finished none may be read: it would
 * overwrite that batch. */
static int port_listen(struct forwarder *f, struct port *port)
{
    int r;

    port->in.on_io = on_port_in;
    port->out.on_io = on_port_out;
    port->ingress.timer.on_timer = on_ingress_due;
    port->egress.timer.on_timer = on_egress_due;
    r = loop_add(&f->loop, &port->in, port->rfd, f->ready ? EPOLLIN : 0);
    if (r == 0 && port->wfd != port->rfd)
        r = loop_add(&f->loop, &port->out, port->wfd, 0);
    return r;
}

/* The input of a batch in CONSUME may have been let go in part. */
static bool is_tail_open(const struct forwarder *f, uint32_t slot, uint32_t id)
{
    const struct shared_batch *b = &f->shared.core->batch;

    return b->state == SHARED_CONSUME && b->in_slot == slot && b->in_id == id;
}

static int add_port(struct forwarder *f, const struct handover *message, int rfd, int wfd)
{
    struct port *port;
    int r;

    if (message->slot >= SHARED_PORTS || message->kind >= PORT_KIND_COUNT ||
        message->head_size > PORT_HEAD_MAX || f->batch.ports[message->slot])
        return -EPROTO;
    if (f->shared.core->port[message->slot].id != message->id) /* what was known of another port */
        vswitch_close_port(&f->vswitch, (uint16_t)message->slot);
    r = port_new(&port, &f->shared, message->kind, message->slot, message->id, rfd, wfd,
                 is_tail_open(f, message->slot, message->id));
    if (r < 0)
        return r;
    port_set_options(port, &f->loop, &message->options, f->vswitch.mode == VSWITCH_WIRE);
    port->head_size = message->head_size;
    port->captured = (uint8_t)message->captured;
    r = port_listen(f, port);
    if (r < 0) {
        port->rfd = port->wfd = -1; /* the caller closes them */
        port_free(port);
        return r;
    }
    f->batch.ports[port->slot] = port;
    vswitch_open_port(&f->vswitch, (uint16_t)port->slot, port->id, &port->options,
                      &f->shared.extra->pin[port->slot], &f->shared.extra->first[port->slot]);
    if (port->slot >= f->batch.n_slots)
        f->batch.n_slots = port->slot + 1;
    if (f->ready && port_queued(port))
        port_interest(f, port);
    return 0;
}

static void handle_port(struct forwarder *f, const struct handover *message, int fds[2])
{
    int r = -EMFILE;

    if (fds[0] >= 0)
        r = add_port(f, message, fds[0], fds[1] >= 0 ? fds[1] : fds[0]);
    if (r == 0) {
        fds[0] = fds[1] = -1;
        return;
    }
    log_debug("port %u is not taken: %s", message->id, strerror(-r));
    if (message->slot < SHARED_PORTS)
        report_gone(&f->report, message->slot, message->id, r, false);
}

/* The one that the message is about, NULL where it is gone. */
static struct port *named_port(struct forwarder *f, const struct handover *message)
{
    struct port *port = message->slot < SHARED_PORTS ? f->batch.ports[message->slot] : NULL;

    return port && port->id == message->id && !port->dead ? port : NULL;
}

static void handle_close(struct forwarder *f, const struct handover *message)
{
    struct port *port = named_port(f, message);

    if (port)
        batch_kill_port(&f->batch, port, -ECANCELED);
}

static void handle_leave(struct forwarder *f, const struct handover *message)
{
    struct port *port = named_port(f, message);

    if (!port)
        return;
    port->leaving = message->leaving;
    if (f->ready)
        port_settle(f, port);
}

static void handle_options(struct forwarder *f, const struct handover *message)
{
    struct port *port = named_port(f, message);

    if (!port)
        return;
    port_set_options(port, &f->loop, &message->options, f->vswitch.mode == VSWITCH_WIRE);
    f->vswitch.now_ms = f->loop.now_ms;
    vswitch_change_port(&f->vswitch, (uint16_t)port->slot, &port->options);
    if (f->ready)
        port_interest(f, port);
}

static void handle_captured(struct forwarder *f, const struct handover *message)
{
    struct port *port = named_port(f, message);

    if (port)
        port->captured = (uint8_t)message->captured;
}

static void handle_capture(struct forwarder *f, const struct handover *message, int fds[2])
{
    int r = captures_begin(&f->batch.captures, message->slot, message->id, fds[0], message->snaplen,
                           message->all);

    if (r == 0)
        fds[0] = -1;
    else
        log_debug("a capture cannot begin: %s", strerror(-r));
}

static void handle_config(struct forwarder *f, const struct handover *message)
{
    if (message->mode < VSWITCH_MODE_COUNT)
        f->vswitch.mode = message->mode;
    f->vswitch.guard.off = message->ignore_loops || message->mode == VSWITCH_WIRE;
    f->vswitch.storm = message->storm;
    f->vswitch.drop_link_local = message->drop_link_local;
    f->vswitch.now_ms = f->loop.now_ms;
    f->crashed = message->crashed;
    wire_init(&f->wire, &f->loop, &f->batch, message->stall_ms);
    f->wire.on_resume = on_resume;
}

static void handle_ready(struct forwarder *f)
{
    struct handover running = { .type = HANDOVER_RUNNING };

    for (uint32_t slot = 0; slot < SHARED_PORTS; ++slot)
        if (!f->batch.ports[slot])
            fdb_forget_port(&f->vswitch.fdb, (uint16_t)slot);
    f->vswitch.now_ms = f->loop.now_ms;
    batch_recover(&f->batch, f->crashed);
    f->ready = true;
    for (uint32_t slot = 0; slot < f->batch.n_slots; ++slot)
        if (f->batch.ports[slot] && !f->batch.ports[slot]->dead)
            port_settle(f, f->batch.ports[slot]);
    if (handover_send(HANDOVER_FD, &running, NULL, 0) < 0)
        log_debug("the keeper cannot be told that the forwarder runs");
}

static void handle_message(struct forwarder *f, const struct handover *message, int fds[2])
{
    switch (message->type) {
    case HANDOVER_CONFIG:
        handle_config(f, message);
        break;
    case HANDOVER_PORT:
        handle_port(f, message, fds);
        break;
    case HANDOVER_READY:
        handle_ready(f);
        break;
    case HANDOVER_OPTIONS:
        handle_options(f, message);
        break;
    case HANDOVER_LEAVE:
        handle_leave(f, message);
        break;
    case HANDOVER_CAPTURED:
        handle_captured(f, message);
        break;
    case HANDOVER_CAPTURE:
        handle_capture(f, message, fds);
        break;
    case HANDOVER_UNCAPTURE:
        captures_end(&f->batch.captures, message->slot, message->id);
        break;
    case HANDOVER_CLOSE:
        handle_close(f, message);
        break;
    case HANDOVER_STATS:
        report_stats(&f->report, message->serial);
        break;
    }
    for (int i = 0; i < HANDOVER_FDS_MAX; ++i)
        if (fds[i] >= 0)
            close(fds[i]);
}

static void receive(struct forwarder *f)
{
    struct handover message;
    int fds[HANDOVER_FDS_MAX];

    for (int n = 0; n < MESSAGES_TURN && !f->ended; ++n) {
        int r = handover_recv(HANDOVER_FD, &message, fds);

        if (r == -EAGAIN)
            return;
        if (r < 0)
            f->ended = true; /* the keeper is gone, and with it the reason to be here */
        else
            handle_message(f, &message, fds);
    }
}

/* What the keeper is to know; what does not go now goes when its socket is writable. */
static void tell(struct forwarder *f)
{
    int r = notices_tell(&f->watch.notices, HANDOVER_FD);

    if (r == 0)
        r = report_tell(&f->report, HANDOVER_FD);
    loop_set(&f->loop, &f->handover, r < 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void on_handover(struct loop_io *io, uint32_t revents)
{
    if (revents & (EPOLLIN | EPOLLHUP | EPOLLERR))
        receive(the_forwarder);
}

static int forwarder_run(struct forwarder *f)
{
    while (!f->ended) {
        int r = loop_round(&f->loop);

        if (r < 0)
            return r;
        read_late(f);
        watch_send(&f->watch);
        while (f->n_dead > 0)
            bury(f, f->dead[--f->n_dead]);
        watch_arm(&f->watch);
        if (report_is_due(&f->report) || f->watch.notices.n)
            tell(f);
        loop_rest(&f->loop, pace_round_ns(&f->pace, f->loop.now_ns));
    }
    return 0;
}

/* What outsiders must not guess. A successor keeps what others know us by. */
static int draw_secrets(struct shared_extra *extra, uint64_t key[2])
{
    if (!extra->fdb.seed && getrandom(&extra->fdb.seed, sizeof(extra->fdb.seed), 0) < 0)
        return -errno;
    if (!extra->relay && getrandom(&extra->relay, sizeof(extra->relay), 0) < 0)
        return -errno;
    return getrandom(key, 2 * sizeof(*key), 0) < 0 ? -errno : 0;
}

static int forwarder_prepare(struct forwarder *f)
{
    uint64_t key[2];
    int r = shared_own(HANDOVER_MEMORY_FD);

    if (r == 0)
        r = shared_map(&f->shared, HANDOVER_MEMORY_FD);
    if (r == 0)
        r = loop_init(&f->loop);
    if (r < 0)
        return r;
    r = draw_secrets(f->shared.extra, key);
    if (r < 0)
        return r;
    vswitch_init(&f->vswitch, &f->shared.extra->fdb, f->shared.extra->relay, key);
    f->batch.shared = &f->shared;
    f->batch.vswitch = &f->vswitch;
    f->report.batch = &f->batch;
    captures_init(&f->batch.captures, &f->loop, f->shared.extra->seen);
    f->batch.on_dead = on_dead;
    f->batch.on_queued = on_queued;
    wire_init(&f->wire, &f->loop, &f->batch, 0);
    watch_init(&f->watch, &f->loop, &f->batch);
    f->watch.on_queued = on_queued;
    f->wire.on_resume = on_resume;
    f->trim.on_timer = on_trim;
    f->handover.on_io = on_handover;
    r = loop_add(&f->loop, &f->handover, HANDOVER_FD, EPOLLIN);
    port_tap_prepare();
    return r < 0 ? r : sandbox_enter_forwarder();
}

/* The keeper decides what a signal to the whole group means, and ends us with itself. */
static void signals_prepare(void)
{
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_NAME, "netrelay-fwd");
    prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* also where a stopped one cannot see the end of file */
}

int forwarder_main(const char *network)
{
    int r;

    signals_prepare();
    the_forwarder = calloc(1, sizeof(*the_forwarder));
    r = the_forwarder ? forwarder_prepare(the_forwarder) : -ENOMEM;
    if (r == 0)
        r = forwarder_run(the_forwarder);
    if (r < 0)
        log_error("the forwarder cannot go on: %s", strerror(-r));
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
