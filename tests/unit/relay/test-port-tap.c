/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A port on a real TAP with virtio headers: what a packet socket on the device sees of it. */
#include <fcntl.h>
#include <glib.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "net/link.h"
#include "net/tap.h"
#include "netns.h"
#include "packets.h"
#include "relay/port.h"

#define FRAMES 10
#define SIZE   1000

static struct shared shared;
static uint8_t data[SHARED_WORK];

static struct port *new_port(uint32_t slot, char name[TAP_NAME_MAX])
{
    int fd = tap_create("t%d", name);
    struct port *port;

    g_assert_cmpint(fd, >=, 0);
    netns_link_up(name, true);
    g_assert_cmpint(port_new(&port, &shared, PORT_TAP, slot, 10 + slot, fd, fd, false), ==, 0);
    port->head_size = (uint32_t)tap_head_size(fd);
    g_assert_cmpint(port->head_size, ==, 10);
    return port;
}

/* Hears what the port writes, and nothing else. */
static int listen_on(const char *name)
{
    struct sockaddr_ll address = { .sll_family = AF_PACKET,
                                   .sll_protocol = 0x0008, /* IPv4 */
                                   .sll_ifindex = (int)if_nametoindex(name) };
    int sock = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    g_assert_no_errno(bind(sock, (struct sockaddr *)&address, sizeof(address)));
    return sock;
}

/* Segments in order, framed, from data on. */
static struct iovec make_flow(void)
{
    struct packets p = { .flags = 0x10 };
    struct iovec iov = { data, 0 };
    static uint8_t payload[SIZE];

    for (unsigned i = 0; i < FRAMES; ++i) {
        size_t len = packets_make(data + iov.iov_len + FRAMING_HEADER, &p, payload, SIZE, false);

        framing_put_length(data + iov.iov_len, (uint32_t)len);
        iov.iov_len += FRAMING_HEADER + len;
        p.sequence += SIZE;
        ++p.id;
    }
    return iov;
}

static void test_joins(void)
{
    char name[TAP_NAME_MAX], got[2 * FRAMES * SIZE];
    struct iovec iov = make_flow();
    struct port *port;
    int sock;

    if (netns_skip_without_tun())
        return;
    port = new_port(1, name);
    sock = listen_on(name);
    g_assert_cmpint(port->ops->send(port, &iov, 1), ==, (ssize_t)iov.iov_len);
    g_assert_cmpint(recv(sock, got, sizeof(got), 0), ==, 54 + FRAMES * SIZE);
    g_assert_cmpint(recv(sock, got, sizeof(got), 0), <, 0);
    g_assert_cmpuint(port->record->h, ==, iov.iov_len);
    g_assert_cmpuint(port->sent, ==, iov.iov_len);
    port->joined_max = 0; /* as after a refusal */
    g_assert_cmpint(port->ops->send(port, &iov, 1), ==, (ssize_t)iov.iov_len);
    for (int i = 0; i < FRAMES; ++i)
        g_assert_cmpint(recv(sock, got, sizeof(got), 0), ==, 54 + SIZE);
    close(sock);
    port_free(port);
}

/* All frames that were to go in one piece are given up, and counted, each. */
static void test_down(void)
{
    struct iovec iov = make_flow();
    char name[TAP_NAME_MAX];
    struct port *port;

    if (netns_skip_without_tun())
        return;
    port = new_port(2, name);
    netns_link_up(name, false);
    port->counters->tx_frames = FRAMES;
    port->counters->tx_bytes = iov.iov_len - FRAMES * FRAMING_HEADER;
    g_assert_cmpint(port->ops->send(port, &iov, 1), ==, (ssize_t)iov.iov_len);
    g_assert_cmpuint(port->counters->drop_error, ==, FRAMES);
    g_assert_cmpuint(port->counters->tx_frames, ==, 0);
    g_assert_cmpuint(port->counters->tx_bytes, ==, 0);
    port_free(port);
}

/* Has a child send, which is killed in its first call that is not read, write or exit. */
static void send_and_be_killed(struct port *port, const struct iovec *iov, bool with_ring)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        if (with_ring)
            port_tap_prepare();
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
        port->ops->send(port, iov, 1);
        _exit(0);
    }
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* Killed in the call itself: what it wrote in one piece is noted as gone, and no more. */
static void test_killed_in_the_call(void)
{
    struct iovec iov = make_flow();
    char name[TAP_NAME_MAX];
    struct port *port;

    if (netns_skip_without_tun())
        return;
    port = new_port(3, name);
    data[iov.iov_len / FRAMES * 5 + FRAMING_HEADER + 13] ^= 1; /* the sixth is not of the flow */
    send_and_be_killed(port, &iov, false);
    g_assert_cmpuint(port->record->h, ==, iov.iov_len / 2);
    port_free(port);
}

/* Frames of no flow leave together: killed in the call, all of them are noted as gone. */
static void test_killed_with_small_ones(void)
{
    struct iovec iov = make_flow();
    char name[TAP_NAME_MAX];
    struct port *port;

    if (netns_skip_without_tun())
        return;
    port = new_port(4, name);
    port->joined_max = 0;
    send_and_be_killed(port, &iov, true);
    g_assert_cmpuint(port->record->h, ==, iov.iov_len);
    port_free(port);
}

/* A pipe of a page in place of the device, which takes three: the others wait, in their order. */
static void test_waits(void)
{
    struct iovec iov = make_flow();
    size_t one = iov.iov_len / FRAMES, frame = one - FRAMING_HEADER;
    static uint32_t slot = 6;
    char got[4096];
    struct port *port;
    int ends[2];

    g_assert_no_errno(pipe2(ends, O_NONBLOCK | O_CLOEXEC));
    g_assert_cmpint(fcntl(ends[1], F_SETPIPE_SZ, 4096), ==, 4096);
    g_assert_cmpint(port_new(&port, &shared, PORT_TAP, slot++, 16, ends[1], ends[1], false), ==, 0);
    g_assert_cmpint(port->ops->send(port, &iov, 1), ==, 3 * one);
    g_assert_cmpuint(port->record->h, ==, 3 * one);
    for (size_t sent = 3; sent < FRAMES; sent += 3) {
        struct iovec rest = { data + sent * one, iov.iov_len - sent * one };

        g_assert_cmpint(read(ends[0], got, sizeof(got)), ==, 3 * frame);
        for (size_t i = 0; i < 3; i++)
            g_assert_cmpmem(got + i * frame, frame, data + (sent - 3 + i) * one + FRAMING_HEADER,
                            frame);
        g_assert_cmpint(port->ops->send(port, &rest, 1), ==, MIN(3, FRAMES - sent) * one);
    }
    g_assert_cmpuint(port->counters->drop_error + port->counters->drop_size, ==, 0);
    close(ends[0]);
    port_free(port);
}

/* A device that is gone ends the port; frames before that one are counted as nothing. */
static void test_gone(void)
{
    struct iovec iov = make_flow();
    char name[TAP_NAME_MAX];
    struct port *port;

    if (netns_skip_without_tun())
        return;
    port = new_port(5, name);
    port->joined_max = 0;
    g_assert_cmpint(link_remove((int)if_nametoindex(name)), ==, 0);
    g_assert_cmpint(port->ops->send(port, &iov, 1), ==, -EBADFD);
    g_assert_cmpuint(port->counters->drop_error, ==, 0);
    g_assert_cmpuint(port->record->h, ==, 0);
    port_free(port);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    netns_enter();
    g_assert_cmpint(shared_map(&shared, shared_create(1024 * 1024)), ==, 0);
    g_test_add_func("/port-tap/joins", test_joins);
    g_test_add_func("/port-tap/down", test_down);
    g_test_add_func("/port-tap/killed-in-the-call", test_killed_in_the_call);
    g_test_add_func("/port-tap/killed-with-small-ones", test_killed_with_small_ones);
    g_test_add_func("/port-tap/gone", test_gone);
    g_test_add_func("/port-tap/waits", test_waits);
    port_tap_prepare();
    g_test_add_func("/port-tap/waits-with-a-ring", test_waits);
    return g_test_run();
}
