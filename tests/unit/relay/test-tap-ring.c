/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes to a real TAP through a ring: their order, their faults, what the ring refuses. */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "net/tap.h"
#include "netns.h"
#include "relay/tap-ring.h"

#define LENGTH 60
#define BAD    7 /* this one is no frame */

static uint8_t frames[TAP_RING_WRITES][64 + LENGTH];
static struct tap_write writes[TAP_RING_WRITES];

/* Each has its number behind its type. */
static void make_writes(int tap)
{
    size_t head = (size_t)tap_head_size(tap);

    for (unsigned i = 0; i < TAP_RING_WRITES; ++i) {
        memset(frames[i], 0, sizeof(frames[i]));
        memcpy(frames[i] + head, "\xff\xff\xff\xff\xff\xff\x02\0\0\0\0\1\x88\xb5", 14);
        frames[i][head + 14] = (uint8_t)i;
        writes[i] = (struct tap_write){ frames[i], head + LENGTH, 1 };
    }
}

static int listen_on(const char *name)
{
    struct sockaddr_ll address = { .sll_family = AF_PACKET,
                                   .sll_protocol = GUINT16_TO_BE(0x88b5),
                                   .sll_ifindex = (int)if_nametoindex(name) };
    int sock = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    g_assert_no_errno(bind(sock, (struct sockaddr *)&address, sizeof(address)));
    return sock;
}

/* All arrive in order, and what is none is passed over. */
static void write_to_tap(struct tap_ring *ring)
{
    char name[TAP_NAME_MAX];
    uint8_t got[256];
    int tap, sock;

    if (netns_skip_without_tun())
        return;
    tap = tap_create("r%d", name);
    netns_link_up(name, true);
    sock = listen_on(name);
    make_writes(tap);
    writes[BAD].len = 1;
    tap_ring_write(ring, tap, writes, TAP_RING_WRITES);
    for (unsigned i = 0; i < TAP_RING_WRITES; ++i) {
        g_assert_cmpint(writes[i].result, ==, i == BAD ? -EINVAL : 0);
        if (i == BAD)
            continue;
        g_assert_cmpint(recv(sock, got, sizeof(got), 0), ==, LENGTH);
        g_assert_cmpuint(got[14], ==, i);
    }
    g_assert_cmpint(recv(sock, got, sizeof(got), 0), <, 0);
    close(sock);
    close(tap);
}

static void test_in_order(void)
{
    struct tap_ring ring = { 0 };

    tap_ring_open(&ring);
    if (!ring.is_there) {
        g_test_skip("this kernel has no io_uring for us");
        return;
    }
    write_to_tap(&ring);
    write_to_tap(&ring); /* and again, on another one */
    g_assert_true(ring.is_there);
    io_uring_queue_exit(&ring.uring);
}

/* No descriptor is to be had, so there is no ring. */
static void test_without_a_ring(void)
{
    struct rlimit was, none = { 0 };
    struct tap_ring ring = { 0 };

    g_assert_no_errno(getrlimit(RLIMIT_NOFILE, &was));
    none.rlim_max = was.rlim_max;
    g_assert_no_errno(setrlimit(RLIMIT_NOFILE, &none));
    tap_ring_open(&ring);
    g_assert_no_errno(setrlimit(RLIMIT_NOFILE, &was));
    g_assert_false(ring.is_there);
    write_to_tap(&ring);
}

/* What a ring that fails leaves undone is told, and the next ones go without it. */
static void test_a_ring_that_fails(void)
{
    struct tap_ring ring = { 0 };
    int other = open("/dev/null", O_RDWR | O_CLOEXEC);

    tap_ring_open(&ring);
    if (!ring.is_there) {
        g_test_skip("this kernel has no io_uring for us");
        return;
    }
    g_assert_cmpint(dup2(other, ring.uring.ring_fd), ==, ring.uring.ring_fd);
    memset(writes, 0, sizeof(writes));
    tap_ring_write(&ring, other, writes, 2);
    g_assert_cmpint(writes[0].result, ==, -EIO);
    g_assert_cmpint(writes[1].result, ==, -EIO);
    g_assert_false(ring.is_there);
    write_to_tap(&ring);
    close(other);
}

/* A file that might wait, whatever it is told, is written to without the ring. */
static void test_a_file_that_waits(void)
{
    struct tap_ring ring = { 0 };
    int fd = open("/proc/thread-self/comm", O_RDWR | O_CLOEXEC);
    char got[16] = "";

    tap_ring_open(&ring);
    writes[0] = (struct tap_write){ (const uint8_t *)"one", 3, -EIO };
    writes[1] = (struct tap_write){ (const uint8_t *)"two", 3, -EIO };
    tap_ring_write(&ring, fd, writes, 2);
    g_assert_cmpint(pread(fd, got, sizeof(got), 0), ==, 4);
    g_assert_cmpstr(got, ==, "two\n");
    g_assert_cmpint(writes[0].result, ==, 0);
    g_assert_cmpint(writes[1].result, ==, 0);
    close(fd);
}

/* Nor opens it files, nor takes it other orders. */
static void test_nothing_but_writes(void)
{
    struct io_uring_sqe *entry;
    struct io_uring_cqe *answer;
    struct tap_ring ring = { 0 };
    int fd = 0;

    tap_ring_open(&ring);
    if (!ring.is_there) {
        g_test_skip("this kernel has no io_uring for us");
        return;
    }
    entry = io_uring_get_sqe(&ring.uring);
    io_uring_prep_openat(entry, AT_FDCWD, "/dev/null", O_RDONLY, 0);
    g_assert_cmpint(io_uring_submit_and_wait(&ring.uring, 1), ==, 1);
    g_assert_cmpint(io_uring_wait_cqe(&ring.uring, &answer), ==, 0);
    g_assert_cmpint(answer->res, ==, -EACCES);
    io_uring_cqe_seen(&ring.uring, answer);
    g_assert_cmpint(
        syscall(SYS_io_uring_register, ring.uring.ring_fd, IORING_REGISTER_FILES, &fd, 1), <, 0);
    g_assert_cmpint(errno, ==, EACCES);
    io_uring_queue_exit(&ring.uring);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    netns_enter();
    g_test_add_func("/tap-ring/in-order", test_in_order);
    g_test_add_func("/tap-ring/without-a-ring", test_without_a_ring);
    g_test_add_func("/tap-ring/a-ring-that-fails", test_a_ring_that_fails);
    g_test_add_func("/tap-ring/a-file-that-waits", test_a_file_that_waits);
    g_test_add_func("/tap-ring/nothing-but-writes", test_nothing_but_writes);
    return g_test_run();
}
