/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include "common/ctl-io.h"
#include "common/scope.h"

/* The lowest free descriptor: it stays the same as long as none is leaked. */
static int next_fd(void)
{
    _cleanup_(closep) int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    g_assert_cmpint(fd, >=, 0);
    return fd;
}

static void make_pair(int pair[2])
{
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), ==, 0);
}

static void close_pair(int pair[2])
{
    close(pair[0]);
    close(pair[1]);
}

static void make_hello(struct ctl_msg *msg)
{
    ctl_msg_begin(msg, CTL_HELLO, 9);
    ctl_put_u32(msg, CTL_A_VERSION, CTL_VERSION);
    g_assert_cmpint(ctl_msg_end(msg), ==, 0);
}

static void send_raw(int sock, const void *bytes, size_t len, const int *fds, size_t count)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(8 * sizeof(int))] = { 0 };
    struct iovec iov = { .iov_base = (void *)bytes, .iov_len = len };
    struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (count > 0) {
        struct cmsghdr *c;

        header.msg_control = control;
        header.msg_controllen = CMSG_SPACE(count * sizeof(int));
        c = CMSG_FIRSTHDR(&header);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(c), fds, count * sizeof(int));
    }
    g_assert_cmpint(sendmsg(sock, &header, 0), ==, (ssize_t)len);
}

static void test_plain(void)
{
    struct ctl_msg out, in;
    int pair[2], fd = 5;

    make_pair(pair);
    make_hello(&out);
    g_assert_cmpint(ctl_io_recv(pair[1], &in, &fd), ==, -EAGAIN);
    g_assert_cmpint(fd, ==, -1);
    g_assert_cmpint(ctl_io_send(pair[0], &out, -1), ==, 0);
    g_assert_cmpint(ctl_io_recv(pair[1], &in, &fd), ==, 0);
    g_assert_cmpint(fd, ==, -1);
    g_assert_cmpmem(in.buf, in.len, out.buf, out.len);
    close_pair(pair);
}

static void test_descriptor(void)
{
    _cleanup_(closep) int sent = open("/dev/null", O_RDONLY);
    struct stat a, b;
    struct ctl_msg msg;
    int pair[2], fd;

    make_pair(pair);
    make_hello(&msg);
    g_assert_cmpint(ctl_io_send(pair[0], &msg, sent), ==, 0);
    g_assert_cmpint(fcntl(sent, F_GETFD), ==, 0); /* still the sender's */
    g_assert_cmpint(ctl_io_recv(pair[1], &msg, &fd), ==, 0);
    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(fcntl(fd, F_GETFD) & FD_CLOEXEC, ==, FD_CLOEXEC);
    g_assert_cmpint(fstat(sent, &a), ==, 0);
    g_assert_cmpint(fstat(fd, &b), ==, 0);
    g_assert_cmpuint(a.st_rdev, ==, b.st_rdev);
    close(fd);
    close_pair(pair);
}

static void test_end(void)
{
    struct ctl_msg msg;
    int pair[2], fd;

    make_pair(pair);
    make_hello(&msg);
    close(pair[0]);
    g_assert_cmpint(ctl_io_recv(pair[1], &msg, &fd), ==, -EPIPE);
    make_hello(&msg);
    g_assert_cmpint(ctl_io_send(pair[1], &msg, -1), ==, -EPIPE);
    close(pair[1]);
}

static void test_full(void)
{
    struct ctl_msg msg;
    int pair[2], fd, sent = 0, received = 0, r;

    make_pair(pair); /* blocking ones: the calls themselves must not wait */
    make_hello(&msg);
    while ((r = ctl_io_send(pair[0], &msg, -1)) == 0)
        sent++;
    g_assert_cmpint(r, ==, -EAGAIN);
    g_assert_cmpint(sent, >, 0);
    while ((r = ctl_io_recv(pair[1], &msg, &fd)) == 0)
        received++;
    g_assert_cmpint(r, ==, -EAGAIN);
    g_assert_cmpint(received, ==, sent);
    close_pair(pair);
}

/* What is refused leaves no descriptor behind, and the next message is read as if nothing was. */
static void check_refused(const void *bytes, size_t len, size_t fd_count, int error)
{
    struct ctl_msg hello, msg;
    int pair[2], fds[8], fd = 0, before;

    make_pair(pair);
    before = next_fd();
    for (size_t i = 0; i < fd_count; i++)
        fds[i] = pair[0];
    send_raw(pair[0], bytes, len, fds, fd_count);
    g_assert_cmpint(ctl_io_recv(pair[1], &msg, &fd), ==, error);
    g_assert_cmpint(fd, ==, -1);
    g_assert_cmpint(next_fd(), ==, before);

    make_hello(&hello);
    g_assert_cmpint(ctl_io_send(pair[0], &hello, -1), ==, 0);
    g_assert_cmpint(ctl_io_recv(pair[1], &msg, &fd), ==, 0);
    close_pair(pair);
}

static void test_malformed(void)
{
    struct ctl_msg hello, other;
    char zeros[2 * CTL_MSG_MAX] = { 0 };

    make_hello(&hello);
    check_refused("x", 1, 0, -EPROTO);
    check_refused("x", 1, 1, -EPROTO);
    check_refused(hello.buf, hello.len - 1, 1, -EPROTO);
    other = hello;
    other.buf[0]++;
    check_refused(other.buf, other.len, 1, -EPROTONOSUPPORT);
    memcpy(zeros, hello.buf, hello.len);
    check_refused(zeros, sizeof(zeros), 0, -EPROTO);
    check_refused(zeros, sizeof(zeros), 1, -EPROTO);
}

/* Longer than any message, and its beginning is a good one. */
static void test_too_long(void)
{
    char bytes[CTL_MSG_MAX + 1] = { 0 };
    g_autofree char *filler = g_strnfill(CTL_MSG_MAX - 12 - 4, 'x');
    struct ctl_msg msg;

    ctl_msg_begin(&msg, CTL_HELLO, 1);
    ctl_put_str(&msg, CTL_A_LABEL, filler);
    g_assert_cmpint(ctl_msg_end(&msg), ==, 0);
    memcpy(bytes, msg.buf, msg.len);
    check_refused(bytes, sizeof(bytes), 1, -EPROTO);
}

static void test_too_many_descriptors(void)
{
    struct ctl_msg hello;

    make_hello(&hello);
    for (size_t count = 2; count <= 8; count++)
        check_refused(hello.buf, hello.len, count, -EPROTO);
}

/* The message came with a descriptor that could not be taken: it is not taken for one without. */
static void test_no_room_for_descriptor(void)
{
    struct rlimit limit, none;
    struct ctl_msg hello, msg;
    int pair[2], fd, r;

    make_pair(pair);
    make_hello(&hello);
    g_assert_cmpint(ctl_io_send(pair[0], &hello, pair[0]), ==, 0);
    g_assert_no_errno(getrlimit(RLIMIT_NOFILE, &limit));
    none = limit;
    none.rlim_cur = (rlim_t)next_fd();
    g_assert_no_errno(setrlimit(RLIMIT_NOFILE, &none));
    r = ctl_io_recv(pair[1], &msg, &fd);
    g_assert_no_errno(setrlimit(RLIMIT_NOFILE, &limit));
    g_assert_cmpint(r, ==, -EPROTO);
    g_assert_cmpint(fd, ==, -1);
    close_pair(pair);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ctl-io/plain", test_plain);
    g_test_add_func("/ctl-io/descriptor", test_descriptor);
    g_test_add_func("/ctl-io/end", test_end);
    g_test_add_func("/ctl-io/full", test_full);
    g_test_add_func("/ctl-io/malformed", test_malformed);
    g_test_add_func("/ctl-io/too-long", test_too_long);
    g_test_add_func("/ctl-io/no-room-for-descriptor", test_no_room_for_descriptor);
    g_test_add_func("/ctl-io/too-many-descriptors", test_too_many_descriptors);
    return g_test_run();
}
