/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A port of the forwarder: where frames enter and leave. It has copies of descriptors, a record
 * and counters in the shared memory, and the operations of its kind; nobody else knows kinds.
 * Input and output are bytes in QEMU's framing for every kind: kinds that have datagrams put the
 * lengths before them and take them off.
 */
#ifndef NR_RELAY_PORT_H
#define NR_RELAY_PORT_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/uio.h>
#include "common/port-options.h"
#include "relay/loop.h"
#include "relay/pace.h"
#include "relay/shared.h"
#include "relay/throttle.h"

enum port_kind {
    PORT_TCP,
    PORT_UNIX, /* a stream */
    PORT_PIPE, /* a byte stream without any counts: pipe, terminal, file */
    PORT_UDP,
    PORT_TAP,
    PORT_DGRAM, /* a UNIX socket of datagrams */
    PORT_KIND_COUNT,
};

#define PORT_HEAD_MAX 64 /* a virtio header with all that was ever added to it */

struct port;

struct port_ops {
    const char *name;
    bool datagrams; /* input is whole frames, put into the work area and gone from the kernel */
    bool is_prompt; /* nobody gains where its input gathers: what comes fast comes joined */
    /* Where the kernel or the record says the port stands. Negative errno: it is dead. */
    int (*positions)(struct port *port, uint64_t *ret_consumed, uint64_t *ret_sent);
    /*
     * Puts input into work, which has room for SHARED_WORK bytes, starting with what the carry
     * ring holds; about room bytes of new input at most. Returns how much is there from c0 on;
     * 0: nothing new; negative errno: dead, -EPIPE at the stream's end. Datagrams: calls
     * port_filled() after each.
     */
    ssize_t (*fill)(struct port *port, uint8_t *work, size_t room);
    /* Lets the input up to position go. 0 or negative errno. */
    int (*consume)(struct port *port, uint64_t position);
    /* Framed bytes that are done with, sent or dropped and counted; fewer: it would have to wait.
     * Moves port->sent. Negative errno: dead. */
    ssize_t (*send)(struct port *port, const struct iovec *iov, size_t n);
};

struct port {
    const struct port_ops *ops;
    struct shared *shared;
    uint32_t slot;
    uint32_t id;
    int rfd;
    int wfd; /* often the same */
    struct loop_io in;
    struct loop_io out; /* added where wfd is another one */
    struct shared_port *record;
    struct port_counters *counters;
    uint8_t *carry; /* rings, mapped at their first use */
    uint8_t *queue;
    bool carry_used; /* pages to be given back once empty */
    bool queue_used;
    struct port_options options;
    uint8_t captured; /* by whom: see capture.h */
    struct pace_port pace;
    bool paused;   /* a wire's other end is full: not read */
    bool leaving;  /* to be let go of once it is between two frames; nothing new is sent to it */
    bool released; /* it is, and dead without an end for its peer */
    struct throttle ingress, egress;
    uint64_t queue_bound; /* bytes that may wait in its queue */
    uint64_t consumed;    /* C, where the kernel is its witness */
    uint64_t sent;        /* H */
    bool told_size;       /* that it drops frames for their length */
    bool told_queue;      /* or for want of room in its queue */
    uint32_t joined_max;  /* longer frames do not leave in one call's message with others */
    int peeked;           /* UNIX: the offset of its next peek; -1: not known */
    bool cut;             /* a stream: what is queued may not begin with a whole frame */
    uint32_t head_size;   /* TAP: of the virtio header before each frame */
    int dead;             /* 0, or why: negative errno; it is closed at the end of the round */
};

extern const struct port_ops port_tcp_ops, port_unix_ops, port_pipe_ops, port_udp_ops, port_tap_ops,
    port_dgram_ops;

/* Before the sandbox: what TAPs need of the kernel for this process. */
void port_tap_prepare(void);

/*
 * Takes over both descriptors. A slot whose record has this id is carried on with: -EPROTO where
 * what it says cannot be. tail_open: the port's input is under way, so it may stand beyond c1.
 */
int port_new(struct port **ret, struct shared *shared, enum port_kind kind, uint32_t slot,
             uint32_t id, int rfd, int wfd, bool tail_open);
void port_free(struct port *port);

/* What may enter and leave; the switch is told by the caller. pushes_back: nothing is to be lost
 * where it leaves slowly. */
void port_set_options(struct port *port, struct loop *loop, const struct port_options *options,
                      bool pushes_back);

static inline uint64_t port_position(const struct port *port)
{
    return port->record->q_tail > port->sent ? port->record->q_tail : port->sent;
}
static inline uint64_t port_queued(const struct port *port)
{
    return port_position(port) - port->sent;
}
/* Between two frames, in and out; not inside a batch. */
static inline bool port_is_between(const struct port *port)
{
    return port->record->c0 == port->record->c1 && port_queued(port) == 0;
}
/* The ring's bytes from this position on; a whole ring lies there. NULL where memory is short. */
uint8_t *port_carry_at(struct port *port, uint64_t position);
uint8_t *port_queue_at(struct port *port, uint64_t position);
/* Copies what the carry ring holds to work; its length, or negative errno. */
ssize_t port_copy_carry(struct port *port, uint8_t *work);
/* For kinds that send frame by frame: this one was given up for a reason (a counter). */
void port_count_refused(struct port *port, uint64_t *reason, uint32_t len);
/*
 * The sending of kinds whose output has no witness: in calls as long as call_length() says of what
 * is left of a run, each noted. One that is taken in part leaves the port cut.
 */
typedef size_t port_call_length(const struct port *port, const uint8_t *run, size_t len);
ssize_t port_send_by_calls(struct port *port, const struct iovec *iov, size_t n,
                           port_call_length *call_length);
/* Notes for a successor how many bytes of datagrams the work area holds. */
void port_filled(struct port *port, size_t bytes);
/* How much of its output the far end has taken off the kernel, where the kernel says so. */
uint64_t port_taken(const struct port *port);
/* A frame of our own, between batches: queued, where there is room, and sent with what is queued. 0
 * or negative errno: the port is dead. */
int port_send_own(struct port *port, struct frame frame);
/* Sends from the queue. 0 or negative errno. */
int port_drain(struct port *port);
/* Gives back the memory of empty rings. */
void port_trim(struct port *port);
/* For kinds that send frame by frame: the next frame of iov from byte offset *at on, its bytes
 * whole; false at the end. */
struct port_walk {
    const struct iovec *iov;
    size_t n;
    size_t offset; /* in iov[0] */
};
bool port_walk_next(struct port_walk *walk, struct frame *ret);

#endif
