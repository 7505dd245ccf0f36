/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <gio/gio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "daemon/dbus-pipe.h"

#define DEADLINE_S 15

/* A pipe, and the two that it is between. */
typedef struct {
    int client, gdbus;
    NrDbusPipe *pipe;
    gboolean ended;
} Fixture;

static void on_ended(gpointer data)
{
    Fixture *f = data;

    f->ended = TRUE;
    g_clear_pointer(&f->pipe, nr_dbus_pipe_free);
}

static void set_up(Fixture *f, const void *waiting, gsize length)
{
    g_autoptr(GByteArray) first = g_byte_array_new();
    int left[2], right[2];

    g_byte_array_append(first, waiting, (guint)length);
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, left), ==, 0);
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, right), ==, 0);
    *f = (Fixture){ .client = left[0], .gdbus = right[0] };
    f->pipe = nr_dbus_pipe_new(left[1], right[1], first, on_ended, f);
}

static void tear_down(Fixture *f)
{
    nr_dbus_pipe_free(f->pipe);
    close(f->client);
    close(f->gdbus);
}

/* A method call with so many bytes of argument. */
static GBytes *message_of(gsize size)
{
    g_autoptr(GDBusMessage) message =
        g_dbus_message_new_method_call(NULL, "/", "org.example.Test", "Test");
    g_autofree char *text = g_strnfill(size, 'x');
    gsize length;
    guchar *blob;

    g_dbus_message_set_body(message, g_variant_new("(s)", text));
    g_dbus_message_set_serial(message, 1);
    blob = g_dbus_message_to_blob(message, &length, G_DBUS_CAPABILITY_FLAGS_NONE, NULL);
    return g_bytes_new_take(blob, length);
}

static gboolean on_deadline(gpointer data)
{
    g_error("nothing has come of it for %d s", DEADLINE_S);
    return G_SOURCE_REMOVE;
}

/* Sends all of it and reads it at the other end, as it comes. */
static void goes_through(int from, int to, GBytes *sent)
{
    guint deadline = g_timeout_add_seconds(DEADLINE_S, on_deadline, NULL);
    g_autoptr(GByteArray) got = g_byte_array_new();
    gsize length, done = 0;
    const guint8 *data = g_bytes_get_data(sent, &length);

    while (got->len < length) {
        guint8 part[5000];
        ssize_t n = send(from, data + done, length - done, MSG_NOSIGNAL);

        done += n > 0 ? (gsize)n : 0;
        while (g_main_context_iteration(NULL, FALSE))
            ;
        n = recv(to, part, sizeof(part), 0);
        if (n > 0)
            g_byte_array_append(got, part, (guint)n);
    }
    g_assert_cmpmem(got->data, got->len, data, length);
    g_source_remove(deadline);
}

static void wait_for_end(Fixture *f)
{
    guint deadline = g_timeout_add_seconds(DEADLINE_S, on_deadline, NULL);

    while (!f->ended)
        g_main_context_iteration(NULL, TRUE);
    g_source_remove(deadline);
}

static void test_both_ways(void)
{
    g_autoptr(GBytes) small = message_of(10);
    g_autoptr(GBytes) large = message_of(NR_DBUS_MESSAGE_MAX - 500);
    g_autoptr(GBytes) answer = message_of(3 * 1000 * 1000); /* all that we say is our matter */
    Fixture f;

    set_up(&f, NULL, 0);
    for (guint i = 0; i < 3; i++) {
        goes_through(f.client, f.gdbus, small);
        goes_through(f.client, f.gdbus, large);
        goes_through(f.gdbus, f.client, answer);
    }
    g_assert_false(f.ended);
    tear_down(&f);
}

static void test_what_came_before(void)
{
    g_autoptr(GBytes) small = message_of(10);
    char got[500];
    gsize length;
    const guint8 *data = g_bytes_get_data(small, &length);
    guint deadline = g_timeout_add_seconds(DEADLINE_S, on_deadline, NULL);
    Fixture f;

    set_up(&f, data, length);
    while (recv(f.gdbus, got, sizeof(got), MSG_PEEK) != (ssize_t)length)
        g_main_context_iteration(NULL, TRUE);
    g_source_remove(deadline);
    tear_down(&f);
}

/* Looked at by its header, before anything of it is kept. */
static void test_too_long(void)
{
    g_autoptr(GBytes) small = message_of(10);
    g_autoptr(GBytes) large = message_of(NR_DBUS_MESSAGE_MAX);
    char got[100];
    Fixture f;

    set_up(&f, NULL, 0);
    goes_through(f.client, f.gdbus, small);
    g_assert_cmpint(send(f.client, g_bytes_get_data(large, NULL), 16, 0), ==, 16);
    wait_for_end(&f);
    g_assert_cmpint(recv(f.gdbus, got, sizeof(got), 0), ==, 0);
    g_assert_cmpint(recv(f.client, got, sizeof(got), 0), ==, 0);
    tear_down(&f);
}

static void test_no_message(void)
{
    Fixture f;

    set_up(&f, NULL, 0);
    g_assert_cmpint(send(f.client, "GET / HTTP/1.1\r\n\r\n", 18, 0), ==, 18);
    wait_for_end(&f);
    tear_down(&f);
}

static void send_fd(int sock, int fd, const void *data, gsize length)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    struct iovec iov = { .iov_base = (void *)data, .iov_len = length };
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
    };

    control.header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
                                       .cmsg_level = SOL_SOCKET,
                                       .cmsg_type = SCM_RIGHTS };
    memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
    g_assert_cmpint(sendmsg(sock, &message, 0), ==, (ssize_t)length);
}

/* 1 with a descriptor, 0 with a byte alone, -1 with nothing. */
static int received_fd(int sock)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    char byte;
    struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
    };
    int fd;

    if (recvmsg(sock, &message, 0) != 1)
        return -1;
    if (!CMSG_FIRSTHDR(&message))
        return 0;
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
    close(fd);
    return 1;
}

static int wait_for_fd(int sock)
{
    guint deadline = g_timeout_add_seconds(DEADLINE_S, on_deadline, NULL);
    int got;

    while ((got = received_fd(sock)) < 0)
        g_main_context_iteration(NULL, TRUE);
    g_source_remove(deadline);
    return got;
}

/* One comes to the client, once; from the client comes none. */
static void test_descriptors(void)
{
    g_autoptr(GBytes) small = message_of(10);
    gsize length;
    const guint8 *data = g_bytes_get_data(small, &length);
    Fixture f;

    set_up(&f, NULL, 0);
    send_fd(f.gdbus, 0, "x", 1);
    g_assert_cmpint(wait_for_fd(f.client), ==, 1);
    send_fd(f.client, 0, data, length);
    g_assert_cmpint(wait_for_fd(f.gdbus), ==, 0);
    tear_down(&f);
}

/* The client is through, and GDBus may read what it said; then GDBus closes. */
static void test_ends(void)
{
    g_autoptr(GBytes) small = message_of(10);
    gsize length;
    const guint8 *data = g_bytes_get_data(small, &length);
    char got[500];
    Fixture f;

    set_up(&f, NULL, 0);
    g_assert_cmpint(send(f.client, data, length, 0), ==, (ssize_t)length);
    shutdown(f.client, SHUT_WR);
    while (g_main_context_iteration(NULL, FALSE))
        ;
    g_assert_false(f.ended);
    g_assert_cmpint(recv(f.gdbus, got, sizeof(got), 0), ==, (ssize_t)length);
    g_assert_cmpint(recv(f.gdbus, got, sizeof(got), 0), ==, 0);
    close(f.gdbus);
    wait_for_end(&f);
    f.gdbus = -1;
    tear_down(&f);
}

/* GDBus closes on a client that takes nothing: nobody waits for it. */
static void test_deaf_client(void)
{
    static const char zeros[1000];
    Fixture f;

    set_up(&f, NULL, 0);
    do
        while (g_main_context_iteration(NULL, FALSE))
            ;
    while (send(f.gdbus, zeros, sizeof(zeros), MSG_NOSIGNAL) > 0);
    g_assert_cmpint(errno, ==, EAGAIN);
    g_assert_false(f.ended);
    close(f.gdbus);
    wait_for_end(&f);
    f.gdbus = -1;
    tear_down(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/dbus-pipe/both-ways", test_both_ways);
    g_test_add_func("/dbus-pipe/what-came-before", test_what_came_before);
    g_test_add_func("/dbus-pipe/too-long", test_too_long);
    g_test_add_func("/dbus-pipe/no-message", test_no_message);
    g_test_add_func("/dbus-pipe/descriptors", test_descriptors);
    g_test_add_func("/dbus-pipe/ends", test_ends);
    g_test_add_func("/dbus-pipe/deaf-client", test_deaf_client);
    return g_test_run();
}
