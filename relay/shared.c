/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/shared.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/scope.h"

#ifndef EXTRA_VERSION /* a test makes one of another version */
#define EXTRA_VERSION 7
#endif
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* What a core begins with. */
struct core_head {
    uint64_t magic;
    uint32_t version, n_ports;
    uint64_t queue_bound, queue_size;
};
_Static_assert(offsetof(struct shared_core, batch) == sizeof(struct core_head), "head of the core");

static uint64_t page_up(uint64_t n)
{
    return (n + SHARED_PAGE - 1) / SHARED_PAGE * SHARED_PAGE;
}

static uint64_t work_offset(void)
{
    return page_up(sizeof(struct shared_core));
}

static uint64_t extra_offset(void)
{
    return work_offset() + SHARED_WORK;
}

static uint64_t carry_offset(uint32_t slot)
{
    return extra_offset() + SHARED_EXTRA + (uint64_t)slot * SHARED_CARRY;
}

static uint64_t queue_offset(uint64_t queue_size, uint32_t slot)
{
    return carry_offset(SHARED_PORTS) + slot * queue_size;
}

uint32_t shared_version(void)
{
    return SHARED_VERSION;
}

int shared_own(int fd)
{
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int r;

    do {
        r = fcntl(fd, F_SETLKW, &whole) < 0 ? -errno : 0;
    } while (r == -EINTR);
    return r;
}

int shared_create(uint64_t queue_bound)
{
    _cleanup_(closep) int fd = memfd_create("netrelay", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    const struct core_head head = {
        .magic = SHARED_MAGIC,
        .version = SHARED_VERSION,
        .n_ports = SHARED_PORTS,
        .queue_bound = queue_bound,
        /* One cut frame goes in whatever the bound says. */
        .queue_size = page_up(queue_bound + FRAMING_MAX),
    };

    if (fd < 0)
        return -errno;
    if (ftruncate(fd, (off_t)queue_offset(head.queue_size, SHARED_PORTS)) < 0)
        return -errno;
    if (pwrite(fd, &head, sizeof(head), 0) != sizeof(head))
        return -EIO;
    if (fcntl(fd, F_ADD_SEALS, SEALS) < 0)
        return -errno;
    return steal_fd(&fd);
}

/* Whole, and it stays so: reading on where a file has ended is deadly. */
static bool has_size(int fd, uint64_t size)
{
    struct stat status;
    int seals = fcntl(fd, F_GET_SEALS);

    return seals >= 0 && (seals & SEALS) == SEALS && fstat(fd, &status) == 0 &&
           (uint64_t)status.st_size == size;
}

int shared_check(int fd)
{
    struct core_head head;

    if (pread(fd, &head, sizeof(head), 0) != sizeof(head) || head.magic != SHARED_MAGIC)
        return -EPROTO;
    if (head.version != SHARED_VERSION)
        return -EPROTONOSUPPORT;
    if (head.n_ports != SHARED_PORTS || head.queue_bound > SHARED_QUEUE_MAX ||
        head.queue_size != page_up(head.queue_bound + FRAMING_MAX) ||
        !has_size(fd, queue_offset(head.queue_size, SHARED_PORTS)))
        return -EPROTO;
    return 0;
}

static void punch(int fd, uint64_t offset, uint64_t size)
{
    if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)size) < 0)
        return; /* it stays allocated, which is no more than it may be */
}

/* What a program of another version has put there is nothing to us. */
static void begin_extra(const struct shared *shared)
{
    struct shared_extra *extra = shared->extra;

    if (extra->version && extra->version != EXTRA_VERSION) {
        punch(shared->fd, extra_offset(), SHARED_EXTRA);
        if (extra->version)
            memset(extra, 0, sizeof(*extra));
    }
    shared_barrier();
    extra->version = EXTRA_VERSION;
}

int shared_map(struct shared *shared, int fd)
{
    int r = shared_check(fd);
    uint8_t *base;

    if (r < 0)
        return r;
    base = mmap(NULL, carry_offset(0), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED)
        return -errno;
    shared->fd = fd;
    shared->core = (struct shared_core *)base;
    shared->work = base + work_offset();
    shared->extra = (struct shared_extra *)(base + extra_offset());
    begin_extra(shared);
    return 0;
}

static uint8_t *map_twice(int fd, uint64_t offset, size_t size)
{
    uint8_t *base = mmap(NULL, 2 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (base == MAP_FAILED)
        return NULL;
    for (int i = 0; i < 2; ++i) {
        uint8_t *half = base + (size_t)i * size;

        if (mmap(half, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, (off_t)offset) ==
            MAP_FAILED) {
            munmap(base, 2 * size);
            return NULL;
        }
    }
    return base;
}

uint8_t *shared_map_carry(const struct shared *shared, uint32_t slot)
{
    return map_twice(shared->fd, carry_offset(slot), SHARED_CARRY);
}

uint8_t *shared_map_queue(const struct shared *shared, uint32_t slot)
{
    size_t size = shared->core->queue_size;

    return map_twice(shared->fd, queue_offset(size, slot), size);
}

void shared_unmap_carry(uint8_t *ring)
{
    if (ring)
        munmap(ring, 2 * SHARED_CARRY);
}

void shared_unmap_queue(const struct shared *shared, uint8_t *ring)
{
    if (ring)
        munmap(ring, 2 * shared->core->queue_size);
}

void shared_punch_carry(const struct shared *shared, uint32_t slot)
{
    punch(shared->fd, carry_offset(slot), SHARED_CARRY);
}

void shared_punch_queue(const struct shared *shared, uint32_t slot)
{
    size_t size = shared->core->queue_size;

    punch(shared->fd, queue_offset(size, slot), size);
}
