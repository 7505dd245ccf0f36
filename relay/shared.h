/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory of a network: what must outlast the forwarder, so that one that is killed at any
 * moment is followed by another which loses, repeats and tears no frame. The keeper makes it and
 * never looks into it; exactly one forwarder at a time maps it.
 *
 * Nothing in it is a flag that could lie; everything is a position in a stream, and the kernel is
 * the witness of how far a stream really is:
 *   C(p)  consumed: bytes received on p less those still in its socket
 *   H(p)  handed over: bytes of p acknowledged and those still in its socket
 * For ports whose kernel side keeps no counts, c1 and h below are noted instead.
 *
 * A batch of one port's input goes through four steps; batch.c has them:
 *   IDLE     nothing is under way; input lies in the port's carry ring [c0, c1) and its socket
 *   SEND     committed: the work area has [x, cend), the runs say who gets what of [x, end), and
 *            start[] where each output stood. It will be done exactly once.
 *   CONSUME  all outputs have it, in their sockets or queues; only the input must be let go
 * and IDLE again. An output's position is P(p) = max(q_tail, H); its queue holds [H, q_tail).
 *
 * Stores of a dead thread are seen in program order, so compiler barriers are enough.
 *
 * All but struct shared_extra is frozen as version 1, where it lies and what it means: every later
 * program can go on with what one of today leaves, and the other way round. What is in shared_extra
 * is lost where the two know different ones: counters, what was learned, datagrams in hand.
 */
#ifndef NR_RELAY_SHARED_H
#define NR_RELAY_SHARED_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include "relay/capture.h"
#include "relay/fdb.h"
#include "relay/filter.h"
#include "relay/framing.h"

#define SHARED_MAGIC 0x796c72746e0a3176ull
#ifndef SHARED_VERSION /* a test makes one of another version */
#define SHARED_VERSION 1
#endif
#define SHARED_PORTS     4096
#define SHARED_PAGE      4096
#define SHARED_WORK      (163 * SHARED_PAGE)  /* 512 KiB and two frames */
#define SHARED_READ      (512 * 1024)         /* at most, of new input in a batch */
#define SHARED_EXTRA     (1024 * SHARED_PAGE) /* the room for struct shared_extra */
#define SHARED_RUNS      61440                /* the worst W: 18 bytes and an empty frame in turn */
#define SHARED_CARRY     (128 * 1024) /* ring: the beginning of a frame, or a read of a pipe */
#define SHARED_QUEUE_MIN 4096
#define SHARED_QUEUE_MAX (256 * 1024 * 1024)

_Static_assert(SHARED_WORK >= SHARED_READ + 2 * FRAMING_MAX, "work area");
_Static_assert(SHARED_RUNS >= SHARED_WORK / (2 * FRAMING_HEADER + FRAME_MIN) * 2 + 2, "runs");
_Static_assert(SHARED_PORTS <= FDB_PORTS, "ports");

enum shared_state {
    SHARED_IDLE,
    SHARED_SEND,
    SHARED_CONSUME,
};

enum {
    VERDICT_FLOOD = 0xfffe, /* all ports but the sender's */
    VERDICT_NONE = 0xffff,  /* nobody */
};

struct shared_run {
    uint32_t end;     /* offset from x */
    uint16_t verdict; /* slot of a port, or one of the above */
    uint16_t frames;
};

struct shared_member {
    uint32_t slot;
    uint32_t id; /* the port that had the slot at the commit */
    uint64_t start;
};

struct shared_batch {
    uint32_t state; /* enum shared_state: one store moves it */
    uint32_t tries; /* forwarders that crashed on it */
    uint32_t in_slot;
    uint32_t in_id;
    uint64_t x;
    uint64_t end;
    uint64_t cend;
    uint32_t n_runs;
    uint32_t n_members;
};

struct shared_port {
    uint32_t id; /* 0: never used; written last */
    uint32_t reserved;
    uint64_t c0;     /* first byte not yet processed */
    uint64_t c1;     /* end of what is in the carry ring; consumed, between batches */
    uint64_t h;      /* handed over, for ports without the kernel's witness */
    uint64_t q_tail; /* end of the queue; not above H: it is empty */
};

struct shared_core {
    uint64_t magic;
    uint32_t version;
    uint32_t n_ports;
    uint64_t queue_bound; /* bytes that may wait in a port's queue */
    uint64_t queue_size;  /* its ring */
    struct shared_batch batch;
    struct shared_port port[SHARED_PORTS];
    struct shared_member member[SHARED_PORTS];
    struct shared_run run[SHARED_RUNS];
};

_Static_assert(offsetof(struct shared_core, batch) == 32, "frozen");
_Static_assert(offsetof(struct shared_core, batch.x) == 48, "frozen");
_Static_assert(offsetof(struct shared_core, batch.n_runs) == 72, "frozen");
_Static_assert(offsetof(struct shared_core, port) == 80, "frozen");
_Static_assert(offsetof(struct shared_core, port[1].q_tail) == 152, "frozen");
_Static_assert(offsetof(struct shared_core, member) == 163920, "frozen");
_Static_assert(offsetof(struct shared_core, member[1].start) == 163944, "frozen");
_Static_assert(offsetof(struct shared_core, run) == 229456, "frozen");
_Static_assert(offsetof(struct shared_core, run[1].verdict) == 229468, "frozen");
_Static_assert(sizeof(struct shared_core) == 720976, "frozen");

/* Counters seen from the port; see ctl-proto.h. */
struct port_counters {
    uint64_t rx_frames, rx_bytes, tx_frames, tx_bytes;
    uint64_t drop_queue, drop_runt, drop_size, drop_stranger, drop_error;
    uint64_t drop_filter, drop_loop, drop_storm;
};

/* Not frozen. */
struct shared_extra {
    uint32_t version;
    uint32_t reading_slot; /* whose input is being read; id 0: nobody's */
    uint32_t reading_id;
    uint32_t filled;   /* bytes of datagrams in the work area, read but not yet committed */
    uint32_t captured; /* of the batch: 0, or 1 for its input, and 1 for each output so far */
    struct capture_seen seen[CAPTURES_MAX];
    struct port_counters counters[SHARED_PORTS];
    uint8_t read_crashes[SHARED_PORTS]; /* forwarders that crashed on its input, in a row */
    struct filter_pin pin[SHARED_PORTS];
    struct filter_pin first[SHARED_PORTS]; /* the address that a port's first frame came from */
    uint64_t relay;                        /* who we are to other relays; 0: not yet known */
    struct fdb_table fdb;
};

_Static_assert(sizeof(struct shared_extra) <= SHARED_EXTRA, "extra");

struct shared {
    int fd;
    struct shared_core *core;
    uint8_t *work;
    struct shared_extra *extra;
};

/* Orders stores for a successor: the compiler must keep them, the processor does. */
static inline void shared_barrier(void)
{
    atomic_signal_fence(memory_order_seq_cst);
}

/* A sealed, sparse memfd that is the caller's, or negative errno. */
int shared_create(uint64_t queue_bound);
/* Equal numbers, and one forwarder can go on with what another one left. */
uint32_t shared_version(void);
/* Waits until whoever had it before is dead, and keeps it from any other process until we are. */
int shared_own(int fd);
/* Whether it can be mapped. -EPROTONOSUPPORT: another version; -EPROTO: none of ours. */
int shared_check(int fd);
/* Maps it, where that check passes; fd becomes shared's. */
int shared_map(struct shared *shared, int fd);
/* A port's rings, mapped twice in a row: any position modulo the size has a whole ring after it.
 * NULL where memory is short. */
uint8_t *shared_map_carry(const struct shared *shared, uint32_t slot);
uint8_t *shared_map_queue(const struct shared *shared, uint32_t slot);
void shared_unmap_carry(uint8_t *ring);
void shared_unmap_queue(const struct shared *shared, uint8_t *ring);
/* Gives the memory of an empty ring back. */
void shared_punch_carry(const struct shared *shared, uint32_t slot);
void shared_punch_queue(const struct shared *shared, uint32_t slot);

#endif
