/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kinds of ports on real sockets: above all, that what the kernel says of a TCP socket is where
 * its port stands, whatever happened to it. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "relay/port.h"

static struct shared shared;

static void inet_pair(int type, int *ret_dialled, int *ret_accepted)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001) };
    socklen_t len = sizeof(address);
    int listening = socket(AF_INET, type | SOCK_CLOEXEC, 0);

    g_assert_cmpint(bind(listening, (struct sockaddr *)&address, len), ==, 0);
    g_assert_cmpint(getsockname(listening, (struct sockaddr *)&address, &len), ==, 0);
    *ret_dialled = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    if (type == SOCK_STREAM)
        g_assert_cmpint(listen(listening, 1), ==, 0);
    g_assert_cmpint(connect(*ret_dialled, (struct sockaddr *)&address, len), ==, 0);
    if (type == SOCK_STREAM) {
        *ret_accepted = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
        close(listening);
        return;
    }
    g_assert_cmpint(getsockname(*ret_dialled, (struct sockaddr *)&address, &len), ==, 0);
    g_assert_cmpint(connect(listening, (struct sockaddr *)&address, len), ==, 0);
    *ret_accepted = listening;
}

static void wait_readable(int fd)
{
    char c;

    g_assert_cmpint(recv(fd, &c, 1, MSG_PEEK), >=, 0);
}

static void expect(struct port *port, uint64_t consumed, uint64_t sent)
{
    uint64_t c, h;

    g_assert_cmpint(port->ops->positions(port, &c, &h), ==, 0);
    g_assert_cmpuint(c, ==, consumed);
    g_assert_cmpuint(h, ==, sent);
}

static void send_all(int fd, const char *bytes, size_t n, int flags)
{
    g_assert_cmpint(send(fd, bytes, n, flags), ==, (ssize_t)n);
}

static void tcp_positions_of(bool dialled)
{
    static char bytes[5000];
    struct iovec iov = { bytes, 3000 };
    struct port *port, *heir;
    uint64_t sent;
    struct pollfd hung_up = { .events = POLLRDHUP };
    int ours, theirs, fd, on = 1;

    inet_pair(SOCK_STREAM, dialled ? &ours : &theirs, dialled ? &theirs : &ours);
    setsockopt(ours, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
    hung_up.fd = ours;
    fd = dup(ours);
    g_assert_cmpint(port_new(&port, &shared, PORT_TCP, 5, dialled ? 10 : 11, ours, ours, false), ==,
                    0);
    sent = port->sent;
    g_assert_cmpuint(port->consumed, ==, 0);
    send_all(theirs, bytes, 5000, 0);
    wait_readable(ours);
    expect(port, 0, sent); /* unread is not consumed */
    g_assert_cmpint(port->ops->fill(port, shared.work, 4000), >, 0);
    expect(port, 0, sent); /* nor is what was only looked at */
    g_assert_cmpint(port->ops->consume(port, 1234), ==, 0);
    expect(port, 1234, sent);
    g_assert_cmpint(port->ops->send(port, &iov, 1), ==, 3000);
    expect(port, 1234, sent + 3000); /* whether the peer has read it or not */
    g_assert_cmpuint(port->sent, ==, sent + 3000);
    send_all(theirs, "!", 1, MSG_OOB);
    send_all(theirs, bytes, 10, 0);
    shutdown(theirs, SHUT_WR);
    g_assert_cmpint(poll(&hung_up, 1, 5000), ==, 1); /* all of it is in, to the FIN */
    expect(port, 1234, sent + 3000);                 /* a FIN is in, urgent data too */
    port->record->c0 = port->record->c1 = 1234;
    g_assert_cmpint(port_new(&heir, &shared, PORT_TCP, 5, port->id, fd, fd, false), ==, 0);
    g_assert_cmpuint(heir->consumed, ==, 1234);
    g_assert_cmpint(heir->ops->consume(heir, 5011), ==, 0);
    expect(heir, 5011, sent + 3000);
    port_free(heir);
    port_free(port);
    close(theirs);
}

static void test_tcp_accepted(void)
{
    tcp_positions_of(false);
}

static void test_tcp_dialled(void)
{
    tcp_positions_of(true);
}

static void test_tcp_positions_that_cannot_be(void)
{
    struct port *port;
    int ours, theirs;

    inet_pair(SOCK_STREAM, &theirs, &ours);
    shared.core->port[6].id = 77;
    shared.core->port[6].c0 = shared.core->port[6].c1 = 1; /* nothing was ever sent */
    g_assert_cmpint(port_new(&port, &shared, PORT_TCP, 6, 77, ours, ours, false), ==, -EPROTO);
    shared.core->port[6].c0 = shared.core->port[6].c1 = 0;
    shared.core->port[6].q_tail = 1ull << 40;
    g_assert_cmpint(port_new(&port, &shared, PORT_TCP, 6, 77, ours, ours, false), ==, -EPROTO);
    shared.core->port[6].q_tail = 0;
    g_assert_cmpint(port_new(&port, &shared, PORT_TCP, 6, 77, ours, ours, false), ==, 0);
    port_free(port);
    close(theirs);
}

/* A stream without counts: what is read is in the carry ring, where an heir finds it. */
static void test_pipe(void)
{
    static const uint8_t data[] = { 0, 0, 0, 14, 1, 2, 3 };
    g_autofree uint8_t *work = g_malloc(SHARED_WORK);
    struct port *port, *heir;
    int ends[2], fd;

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
    fd = dup(ends[0]);
    g_assert_cmpint(port_new(&port, &shared, PORT_PIPE, 7, 20, ends[0], ends[0], false), ==, 0);
    g_assert_cmpint(port->ops->fill(port, work, 1000), ==, 0); /* does not wait */
    send_all(ends[1], (const char *)data, sizeof(data), 0);
    g_assert_cmpint(port->ops->fill(port, work, 1000), ==, sizeof(data));
    g_assert_cmpmem(work, sizeof(data), data, sizeof(data));
    port_free(port);
    memset(work, 0, sizeof(data));
    g_assert_cmpint(port_new(&heir, &shared, PORT_PIPE, 7, 20, fd, fd, false), ==, 0);
    g_assert_cmpint(port_copy_carry(heir, work), ==, sizeof(data));
    g_assert_cmpmem(work, sizeof(data), data, sizeof(data));
    close(ends[1]);
    g_assert_cmpint(heir->ops->fill(heir, work, 1000), ==, -EPIPE);
    port_free(heir);
}

/* The batch that a port's input is of is being let go. */
static void begin_consume(const struct port *port, uint64_t end)
{
    struct shared_batch *b = &shared.core->batch;

    b->in_slot = port->slot;
    b->in_id = port->id;
    b->x = port->record->c0;
    b->end = b->cend = end;
    b->state = SHARED_CONSUME;
}

static void end_consume(struct port *port)
{
    port->record->c0 = port->record->c1 = shared.core->batch.cend;
    shared.core->batch.state = SHARED_IDLE;
}

/* However far a predecessor came in letting go, the heir goes on from there. */
static void unix_input_of(size_t let_go)
{
    g_autofree uint8_t *work = g_malloc(SHARED_WORK);
    struct port *port, *heir;
    char rest[16] = "";
    int ends[2], fd;

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
    fd = dup(ends[0]);
    shared.core->port[9].id = 0;
    g_assert_cmpint(port_new(&port, &shared, PORT_UNIX, 9, 40, ends[0], ends[0], false), ==, 0);
    g_assert_cmpint(port->ops->fill(port, work, 1000), ==, 0); /* does not wait */
    send_all(ends[1], "0123456789", 10, 0);
    send_all(ends[1], "abcdef", 6, 0);
    g_assert_cmpint(port->ops->fill(port, work, 1000), ==, 16);
    g_assert_cmpint(port->ops->fill(port, work, 12), ==, 12); /* nothing was let go */
    g_assert_cmpmem(work, 12, "0123456789ab", 12);
    begin_consume(port, 12);
    if (let_go > 0)
        g_assert_cmpint(port->ops->consume(port, let_go), ==, 0);
    port_free(port);

    g_assert_cmpint(port_new(&heir, &shared, PORT_UNIX, 9, 40, fd, fd, true), ==, 0);
    g_assert_cmpuint(heir->consumed, ==, let_go);
    g_assert_cmpint(heir->ops->consume(heir, 12), ==, 0);
    end_consume(heir);
    g_assert_cmpint(heir->ops->fill(heir, (uint8_t *)rest, sizeof(rest)), ==, 4);
    g_assert_cmpstr(rest, ==, "cdef");
    port_free(heir);
    close(ends[1]);
}

static void test_unix_in(void)
{
    static const size_t places[] = { 0, 12 };

    for (size_t i = 0; i < G_N_ELEMENTS(places); i++)
        unix_input_of(places[i]);
}

static void test_udp_in(void)
{
    g_autofree uint8_t *work = g_malloc(SHARED_WORK);
    struct port *port;
    struct frame frame = { 0 };
    ssize_t n, at = 0;
    int ours, theirs;

    inet_pair(SOCK_DGRAM, &ours, &theirs);
    g_assert_cmpint(port_new(&port, &shared, PORT_UDP, 8, 30, ours, ours, false), ==, 0);
    send_all(theirs, "first frame of all", 18, 0);
    send_all(theirs, "", 0, 0);
    send_all(theirs, "third", 5, 0);
    n = port->ops->fill(port, work, SHARED_READ);
    g_assert_cmpint(n, ==, 3 * FRAMING_HEADER + 18 + 5);
    g_assert_cmpuint(shared.extra->filled, ==, n);
    g_assert_cmpint(framing_next(work, (size_t)n, &frame), ==, 0);
    g_assert_cmpmem(frame.data, frame.len, "first frame of all", 18);
    at = FRAMING_HEADER + 18;
    g_assert_cmpint(framing_next(work + at, (size_t)(n - at), &frame), ==, 0);
    g_assert_cmpuint(frame.len, ==, 0);
    at += FRAMING_HEADER;
    g_assert_cmpint(framing_next(work + at, (size_t)(n - at), &frame), ==, 0);
    g_assert_cmpmem(frame.data, frame.len, "third", 5);
    port_free(port);
    close(theirs);
}

static size_t put_frame(uint8_t *at, uint32_t len, char c)
{
    framing_put_length(at, len);
    memset(at + FRAMING_HEADER, c, len);
    return FRAMING_HEADER + len;
}

/* One that is too long is dropped and counted, the others go; a peer that is away is no end. */
static void test_udp_out(void)
{
    g_autofree uint8_t *data = g_malloc(SHARED_WORK);
    size_t n = put_frame(data, 100, 'a');
    struct iovec iov = { .iov_base = data };
    struct port *port;
    char got[200];
    int ours, theirs;

    n += put_frame(data + n, FRAME_MAX, 'b');
    n += put_frame(data + n, 60, 'c');
    iov.iov_len = n;
    inet_pair(SOCK_DGRAM, &ours, &theirs);
    g_assert_cmpint(port_new(&port, &shared, PORT_UDP, 9, 40, ours, ours, false), ==, 0);
    g_assert_cmpint(port->ops->send(port, &iov, 1), ==, (ssize_t)n);
    g_assert_cmpuint(port->counters->drop_size, ==, 1);
    g_assert_cmpint(recv(theirs, got, sizeof(got), MSG_DONTWAIT), ==, 100);
    g_assert_cmpint(recv(theirs, got, sizeof(got), MSG_DONTWAIT), ==, 60);
    g_assert_cmpint(got[0], ==, 'c');
    g_assert_cmpuint(port->record->h, ==, n);
    close(theirs);
    for (int i = 0; i < 3; ++i)
        g_assert_cmpint(port->ops->send(port, &iov, 1), ==, (ssize_t)n);
    g_assert_cmpint(port->ops->fill(port, shared.work, 1000), ==, 0);
    g_assert_cmpuint(port->sent, ==, 4 * n);
    port_free(port);
}

/* Killed in the call itself: the frames are noted as gone, so none goes twice. */
static void test_udp_killed_in_the_call(void)
{
    g_autofree uint8_t *data = g_malloc(SHARED_WORK);
    struct iovec iov = { .iov_base = data };
    struct port *port;
    int ours, theirs, status;
    pid_t child;

    for (int i = 0; i < 10; ++i)
        iov.iov_len += put_frame(data + iov.iov_len, 100, 'a');
    inet_pair(SOCK_DGRAM, &ours, &theirs);
    g_assert_cmpint(port_new(&port, &shared, PORT_UDP, 10, 50, ours, ours, false), ==, 0);
    child = fork();
    if (child == 0) { /* no call but read, write and exit is allowed from here on */
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
        port->ops->send(port, &iov, 1);
        _exit(0);
    }
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    g_assert_cmpuint(port->record->h, ==, iov.iov_len);
    port_free(port);
    close(theirs);
}

/* The longest frame goes as well; a full queue is waited for; a peer that is gone is the end. */
static void test_dgram(void)
{
    g_autofree uint8_t *data = g_malloc0(SHARED_WORK);
    struct iovec iov = { .iov_base = data };
    char got[FRAME_MAX + 1];
    struct port *port;
    int ends[2], n = 0, size = 1024 * 1024;
    ssize_t sent;

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends), ==, 0);
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    g_assert_cmpint(port_new(&port, &shared, PORT_DGRAM, 12, 70, ends[0], ends[0], false), ==, 0);
    iov.iov_len = put_frame(data, FRAME_MAX, 'a');
    iov.iov_len += put_frame(data + iov.iov_len, 60, 'b');
    g_assert_cmpint(port->ops->send(port, &iov, 1), ==, (ssize_t)iov.iov_len);
    g_assert_cmpint(recv(ends[1], got, sizeof(got), MSG_DONTWAIT), ==, FRAME_MAX);
    g_assert_cmpint(recv(ends[1], got, sizeof(got), MSG_DONTWAIT), ==, 60);
    g_assert_cmpuint(port->record->h, ==, iov.iov_len);

    iov.iov_len = put_frame(data, 60, 'c');
    do {
        sent = port->ops->send(port, &iov, 1);
        n += sent > 0;
    } while (sent > 0);
    g_assert_cmpint(sent, ==, 0);
    g_assert_cmpuint(port->record->h, ==, port->sent);
    while (n-- > 0)
        g_assert_cmpint(recv(ends[1], got, sizeof(got), MSG_DONTWAIT), ==, 60);
    g_assert_cmpint(port->ops->send(port, &iov, 1), ==, FRAMING_HEADER + 60);

    g_assert_cmpint(send(ends[1], got, sizeof(got), MSG_DONTWAIT), ==, sizeof(got));
    send_all(ends[1], got, FRAME_MAX, 0);
    send_all(ends[1], got, 0, 0);
    g_assert_cmpint(port->ops->fill(port, shared.work, SHARED_READ), ==,
                    2 * FRAMING_HEADER + FRAME_MAX);
    g_assert_cmpuint(port->counters->drop_size, ==, 1);
    g_assert_cmpint(port->ops->fill(port, shared.work, SHARED_READ), ==, 0);
    close(ends[1]);
    g_assert_cmpint(port->ops->send(port, &iov, 1), <, 0);
    port_free(port);
}

/* Frames of one length that follow on one another are one message, the last may be shorter. */
static void test_udp_joins(void)
{
    static const uint32_t lengths[] = { 100, 100, 100, 60, 60, 200, 200, 70 };
    static const int wanted[] = { 360, 60, 470 };
    g_autofree uint8_t *data = g_malloc(SHARED_WORK);
    struct iovec iov = { .iov_base = data };
    int ours, theirs, on = 1;
    struct port *port;
    char got[1000];

    for (size_t i = 0; i < G_N_ELEMENTS(lengths); ++i)
        iov.iov_len += put_frame(data + iov.iov_len, lengths[i], 'a');
    inet_pair(SOCK_DGRAM, &ours, &theirs);
    if (setsockopt(theirs, IPPROTO_UDP, UDP_GRO, &on, sizeof(on)) < 0) {
        g_test_skip("this kernel puts no datagrams together");
        return;
    }
    g_assert_cmpint(port_new(&port, &shared, PORT_UDP, 11, 60, ours, ours, false), ==, 0);
    g_assert_cmpint(port->ops->send(port, &iov, 1), ==, (ssize_t)iov.iov_len);
    for (size_t i = 0; i < G_N_ELEMENTS(wanted); ++i)
        g_assert_cmpint(recv(theirs, got, sizeof(got), MSG_DONTWAIT), ==, wanted[i]);
    port_free(port);
    close(theirs);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_assert_cmpint(shared_map(&shared, shared_create(1024 * 1024)), ==, 0);
    g_test_add_func("/port/tcp-accepted", test_tcp_accepted);
    g_test_add_func("/port/tcp-dialled", test_tcp_dialled);
    g_test_add_func("/port/tcp-positions-that-cannot-be", test_tcp_positions_that_cannot_be);
    g_test_add_func("/port/pipe", test_pipe);
    g_test_add_func("/port/unix-in", test_unix_in);
    g_test_add_func("/port/udp-in", test_udp_in);
    g_test_add_func("/port/udp-out", test_udp_out);
    g_test_add_func("/port/udp-killed-in-the-call", test_udp_killed_in_the_call);
    g_test_add_func("/port/udp-joins", test_udp_joins);
    g_test_add_func("/port/dgram", test_dgram);
    return g_test_run();
}
