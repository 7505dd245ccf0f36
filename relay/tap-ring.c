/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/tap-ring.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

/* By the system call: the library of Debian 12 does not export its own names for it. */
static int register_with(struct tap_ring *ring, unsigned what, void *of, unsigned n)
{
    return syscall(SYS_io_uring_register, ring->uring.ring_fd, what, of, n) < 0 ? -errno : 0;
}

/* Once it is enabled it takes no other orders. */
static int restrict_to_writes(struct tap_ring *ring)
{
    struct io_uring_restriction writes = { .opcode = IORING_RESTRICTION_SQE_OP,
                                           .sqe_op = IORING_OP_WRITE };
    int r = register_with(ring, IORING_REGISTER_RESTRICTIONS, &writes, 1);

    return r < 0 ? r : register_with(ring, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

void tap_ring_open(struct tap_ring *ring)
{
    struct io_uring_params params = { .flags = IORING_SETUP_R_DISABLED |
                                               IORING_SETUP_SINGLE_ISSUER |
                                               IORING_SETUP_DEFER_TASKRUN };

    if (io_uring_queue_init_params(TAP_RING_WRITES, &ring->uring, &params) < 0)
        return;
    ring->is_there = restrict_to_writes(ring) == 0;
    if (!ring->is_there)
        io_uring_queue_exit(&ring->uring);
}

static void write_one(int fd, struct tap_write *of)
{
    of->result = write(fd, of->bytes, of->len) < 0 ? -errno : 0;
}

static void put(struct tap_ring *ring, int fd, struct tap_write *writes, unsigned n)
{
    for (unsigned i = 0; i < n; ++i) {
        struct io_uring_sqe *entry = io_uring_get_sqe(&ring->uring);

        io_uring_prep_write(entry, fd, writes[i].bytes, (unsigned)writes[i].len, 0);
        entry->rw_flags = RWF_NOWAIT; /* O_NONBLOCK alone has a full device waited for */
        io_uring_sqe_set_data(entry, &writes[i]);
        writes[i].result = -EIO; /* of one that is never answered */
    }
}

/* How many have been answered. What the ring cannot do without waiting is done here. */
static unsigned reap(struct tap_ring *ring, int fd)
{
    struct io_uring_cqe *answer;
    unsigned head, n = 0;

    io_uring_for_each_cqe(&ring->uring, head, answer)
    {
        struct tap_write *of = io_uring_cqe_get_data(answer);

        of->result = answer->res < 0 ? answer->res : 0;
        if (answer->res == -EOPNOTSUPP)
            write_one(fd, of);
        ++n;
    }
    io_uring_cq_advance(&ring->uring, n);
    return n;
}

void tap_ring_write(struct tap_ring *ring, int fd, struct tap_write *writes, unsigned n)
{
    unsigned answered = 0;

    if (!ring->is_there || n == 1) {
        for (unsigned i = 0; i < n; ++i)
            write_one(fd, &writes[i]);
        return;
    }
    put(ring, fd, writes, n);
    while (answered < n) {
        int r = io_uring_submit_and_wait(&ring->uring, n - answered);

        if (r < 0 && r != -EINTR) { /* not to be trusted again */
            ring->is_there = false;
            io_uring_queue_exit(&ring->uring);
            return;
        }
        answered += reap(ring, fd);
    }
}
