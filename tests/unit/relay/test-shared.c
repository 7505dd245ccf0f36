/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "relay/shared.h"

#define BOUND (100 * 1000)

static struct shared open_memory(void)
{
    struct shared shared = { .fd = -1 };
    int fd = shared_create(BOUND);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(shared_map(&shared, fd), ==, 0);
    return shared;
}

static void test_fresh(void)
{
    struct shared shared = open_memory();

    g_assert_cmpuint(shared.core->version, ==, SHARED_VERSION);
    g_assert_cmpuint(shared.core->queue_bound, ==, BOUND);
    g_assert_cmpuint(shared.core->queue_size, >=, BOUND + FRAMING_MAX);
    g_assert_cmpuint(shared.core->queue_size % SHARED_PAGE, ==, 0);
    g_assert_cmpuint(shared.core->batch.state, ==, SHARED_IDLE);
    close(shared.fd);
}

/* What is written before the end of a ring and beyond it is there again at its beginning. */
static void wrap(uint8_t *ring, size_t size)
{
    for (size_t i = 0; i < FRAMING_MAX; ++i)
        ring[size - 1000 + i] = (uint8_t)(i * 7);
    for (size_t i = 1000; i < FRAMING_MAX; ++i)
        g_assert_cmpuint(ring[i - 1000], ==, (uint8_t)(i * 7));
    ring[0] = 0xab;
    g_assert_cmpuint(ring[size], ==, 0xab);
}

static void test_rings_wrap(void)
{
    struct shared shared = open_memory();
    static const uint32_t slots[] = { 0, 1, SHARED_PORTS - 1 };

    for (size_t i = 0; i < G_N_ELEMENTS(slots); ++i) {
        uint8_t *carry = shared_map_carry(&shared, slots[i]);
        uint8_t *queue = shared_map_queue(&shared, slots[i]);

        g_assert_nonnull(carry);
        g_assert_nonnull(queue);
        wrap(carry, SHARED_CARRY);
        wrap(queue, shared.core->queue_size);
        shared_unmap_carry(carry);
        shared_unmap_queue(&shared, queue);
    }
    close(shared.fd);
}

static void test_rings_are_apart(void)
{
    struct shared shared = open_memory();
    uint8_t *rings[4] = { shared_map_carry(&shared, 4), shared_map_carry(&shared, 5),
                          shared_map_queue(&shared, 4), shared_map_queue(&shared, 5) };

    for (int i = 0; i < 4; ++i)
        memset(rings[i], i + 1, SHARED_CARRY);
    for (int i = 0; i < 4; ++i)
        for (size_t at = 0; at < SHARED_CARRY; at += 511)
            g_assert_cmpuint(rings[i][at], ==, i + 1);
    close(shared.fd);
}

/* Blocks of 512 bytes that the memory really takes. */
static long resident(int fd)
{
    struct stat info;

    g_assert_cmpint(fstat(fd, &info), ==, 0);
    return (long)info.st_blocks;
}

static void test_sparse_and_punched(void)
{
    struct shared shared = open_memory();
    uint8_t *queue = shared_map_queue(&shared, 9);
    long before = resident(shared.fd);

    g_assert_cmpint(before * 512, <, 1024 * 1024);
    memset(queue, 1, shared.core->queue_size);
    g_assert_cmpint(resident(shared.fd), >=, before + (long)(shared.core->queue_size / 512));
    shared_punch_queue(&shared, 9);
    g_assert_cmpint(resident(shared.fd), ==, before);
    g_assert_cmpuint(queue[0], ==, 0);
    close(shared.fd);
}

static void test_refused(void)
{
    struct shared shared = open_memory(), other;
    int empty = memfd_create("empty", MFD_CLOEXEC);

    g_assert_cmpint(ftruncate(shared.fd, 100), ==, -1); /* sealed: nobody can cut it off */
    g_assert_cmpint(errno, ==, EPERM);
    shared.core->version = SHARED_VERSION + 1;
    g_assert_cmpint(shared_map(&other, shared.fd), ==, -EPROTONOSUPPORT);
    shared.core->version = SHARED_VERSION;
    shared.core->queue_size = 4096;
    g_assert_cmpint(shared_map(&other, shared.fd), ==, -EPROTO);
    g_assert_cmpint(ftruncate(empty, 16 * 1024 * 1024), ==, 0);
    g_assert_cmpint(shared_map(&other, empty), ==, -EPROTO);
    close(empty);
    close(shared.fd);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/shared/fresh", test_fresh);
    g_test_add_func("/shared/rings-wrap", test_rings_wrap);
    g_test_add_func("/shared/rings-are-apart", test_rings_are_apart);
    g_test_add_func("/shared/sparse-and-punched", test_sparse_and_punched);
    g_test_add_func("/shared/refused", test_refused);
    return g_test_run();
}
