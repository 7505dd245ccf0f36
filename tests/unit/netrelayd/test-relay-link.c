/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The test is the relay: the other end of a socket pair. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "common/ctl-io.h"
#include "daemon/relay-link.h"

#define DEADLINE_MS 10000

typedef struct {
    int relay; /* the relay's end */
    NrRelayLink *link;
    guint ready, changed, replies;
    guint deposited;  /* bit by bit: register, memory, port 1, ... */
    int ended, error; /* ended: 1 while alive */
    char *text;
} Fixture;

static void on_ready(gpointer data)
{
    ((Fixture *)data)->ready++;
}

static void on_changed(gpointer data)
{
    ((Fixture *)data)->changed++;
}

static void on_replaced(const char *how, gpointer data)
{
    g_free(((Fixture *)data)->text);
    ((Fixture *)data)->text = g_strdup(how);
}

static void on_ended(int error, gpointer data)
{
    Fixture *fixture = data;

    fixture->ended = error;
    g_clear_pointer(&fixture->link, nr_relay_link_free); /* as its owner does */
}

static void on_reply(int error, const char *text, gpointer data)
{
    Fixture *fixture = data;

    fixture->replies++;
    fixture->error = error;
    g_free(fixture->text);
    fixture->text = g_strdup(text);
}

static void on_deposited(enum ctl_deposit what, guint32 port_id, int fd, gpointer data)
{
    ((Fixture *)data)->deposited |= 1u << (what + port_id);
    close(fd);
}

static void on_port_gone(guint32 port_id, gpointer data)
{
    ((Fixture *)data)->deposited &= ~(1u << (CTL_DEPOSIT_PORT + port_id));
}

static const NrRelayLinkEvents events = { on_ready,     on_changed,   on_replaced,
                                          on_deposited, on_port_gone, on_ended };

static gboolean on_deadline(gpointer data)
{
    g_error("nothing came within %d ms", DEADLINE_MS);
    return G_SOURCE_REMOVE;
}

/* Turns the main loop until the condition holds. */
#define WAIT_FOR(condition)                                                                        \
    do {                                                                                           \
        guint deadline = g_timeout_add(DEADLINE_MS, on_deadline, NULL);                            \
        while (!(condition))                                                                       \
            g_main_context_iteration(NULL, TRUE);                                                  \
        g_source_remove(deadline);                                                                 \
    } while (0)

static void fixture_set_up(Fixture *fixture, gconstpointer data)
{
    int ends[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), ==,
                    0);
    fixture->relay = ends[1];
    fixture->ended = 1;
    fixture->link = nr_relay_link_new(ends[0], &events, fixture);
}

static void fixture_tear_down(Fixture *fixture, gconstpointer data)
{
    nr_relay_link_free(fixture->link);
    if (fixture->relay >= 0)
        close(fixture->relay);
    g_free(fixture->text);
}

/* What the manager asks: its serial. */
static guint32 expect(Fixture *fixture, enum ctl_type type, struct ctl_msg *msg, int *ret_fd)
{
    gint64 until_us = g_get_monotonic_time() + DEADLINE_MS * 1000;
    int fd = -1, r;

    /* The main loop may have to send what waits; nothing wakes it for our end. */
    while ((r = ctl_io_recv(fixture->relay, msg, &fd)) == -EAGAIN) {
        g_assert_cmpint(g_get_monotonic_time(), <, until_us);
        if (!g_main_context_iteration(NULL, FALSE))
            g_thread_yield();
    }
    g_assert_cmpint(r, ==, 0);
    g_assert_cmpint(ctl_msg_type(msg), ==, type);
    if (ret_fd)
        *ret_fd = fd;
    else
        g_assert_cmpint(fd, ==, -1);
    return ctl_msg_serial(msg);
}

static void say(Fixture *fixture, struct ctl_msg *msg)
{
    g_assert_cmpint(ctl_msg_end(msg), ==, 0);
    g_assert_cmpint(ctl_io_send(fixture->relay, msg, -1), ==, 0);
}

static void greet(Fixture *fixture, guint32 version)
{
    struct ctl_msg msg;
    guint32 serial = expect(fixture, CTL_HELLO, &msg, NULL);

    ctl_msg_begin(&msg, CTL_WELCOME, serial);
    ctl_put_u32(&msg, CTL_A_VERSION, version);
    ctl_put_str(&msg, CTL_A_NETWORK, "lab");
    ctl_put_u32(&msg, CTL_A_PID, 42);
    say(fixture, &msg);
}

static void become_ready(Fixture *fixture)
{
    struct ctl_msg msg;
    guint32 serial;

    greet(fixture, CTL_VERSION);
    WAIT_FOR(nr_relay_link_network(fixture->link)->name);
    serial = expect(fixture, CTL_DUMP, &msg, NULL);
    ctl_msg_begin(&msg, CTL_PORT, serial);
    ctl_put_u32(&msg, CTL_A_PORT_ID, 5);
    say(fixture, &msg);
    g_assert_false(nr_relay_link_is_ready(fixture->link));
    ctl_msg_begin(&msg, CTL_DONE, serial);
    say(fixture, &msg);
    WAIT_FOR(fixture->ready);
}

static void reply(Fixture *fixture, guint32 serial, guint32 error, const char *text, guint32 id)
{
    struct ctl_msg msg;

    ctl_msg_begin(&msg, CTL_REPLY, serial);
    ctl_put_u32(&msg, CTL_A_ERROR, error);
    ctl_put_str(&msg, CTL_A_ERROR_TEXT, text);
    ctl_put_u32(&msg, CTL_A_ENDPOINT_ID, id);
    say(fixture, &msg);
}

static void test_greeting(Fixture *fixture, gconstpointer data)
{
    become_ready(fixture);
    g_assert_cmpstr(nr_relay_link_network(fixture->link)->name, ==, "lab");
    g_assert_cmpint(nr_relay_link_network(fixture->link)->pid, ==, 42);
    g_assert_cmpuint(nr_relay_link_network(fixture->link)->ports->len, ==, 1);
}

static void test_another_forwarder(Fixture *fixture, gconstpointer data)
{
    struct ctl_msg msg;

    become_ready(fixture);
    ctl_msg_begin(&msg, CTL_EVENT_FORWARDER, 0);
    ctl_put_str(&msg, CTL_A_ERROR_TEXT, "the forwarder (pid 7) was ended by signal 9");
    say(fixture, &msg);
    WAIT_FOR(fixture->text);
    g_assert_cmpstr(fixture->text, ==, "the forwarder (pid 7) was ended by signal 9");
    g_assert_cmpuint(fixture->changed, ==, 0);
}

static void deposit(Fixture *fixture, guint32 what, guint32 port_id, int fd)
{
    struct ctl_msg msg;

    ctl_msg_begin(&msg, CTL_EVENT_DEPOSIT, 0);
    ctl_put_u32(&msg, CTL_A_DEPOSIT, what);
    if (port_id)
        ctl_put_u32(&msg, CTL_A_PORT_ID, port_id);
    g_assert_cmpint(ctl_msg_end(&msg), ==, 0);
    g_assert_cmpint(ctl_io_send(fixture->relay, &msg, fd), ==, 0);
}

static void test_deposits(Fixture *fixture, gconstpointer data)
{
    struct ctl_msg msg;
    uint32_t keeps = 0;
    guint32 serial = expect(fixture, CTL_HELLO, &msg, NULL);

    g_assert_true(ctl_get_u32(&msg, CTL_A_KEEPS, &keeps) && keeps == 1);
    g_assert_cmpuint(serial, !=, 0);
    deposit(fixture, CTL_DEPOSIT_REGISTER, 0, STDERR_FILENO);
    deposit(fixture, CTL_DEPOSIT_MEMORY, 0, STDERR_FILENO);
    deposit(fixture, CTL_DEPOSIT_PORT, 1, STDERR_FILENO);
    deposit(fixture, CTL_DEPOSIT_PORT, 2, STDERR_FILENO);
    WAIT_FOR(fixture->deposited == 0x1b);
    ctl_msg_begin(&msg, CTL_EVENT_PORT_GONE, 0);
    ctl_put_u32(&msg, CTL_A_PORT_ID, 1);
    say(fixture, &msg);
    WAIT_FOR(fixture->deposited == 0x13);
}

static void test_deposit_of_no_port(Fixture *fixture, gconstpointer data)
{
    deposit(fixture, CTL_DEPOSIT_PORT, 0, STDERR_FILENO);
    WAIT_FOR(fixture->ended != 1);
    g_assert_cmpint(fixture->ended, ==, -EPROTO);
    g_assert_cmpuint(fixture->deposited, ==, 0);
}

static void test_attach_with_descriptor(Fixture *fixture, gconstpointer data)
{
    struct ctl_msg msg;
    char text[64];
    guint32 serial;
    int fd = -1;

    become_ready(fixture);
    nr_relay_link_attach(fixture->link, "bridge:br0", NULL, STDERR_FILENO, NULL, on_reply, fixture);
    serial = expect(fixture, CTL_ATTACH, &msg, &fd);
    g_assert_cmpint(fd, >=, 0);
    close(fd);
    g_assert_true(ctl_get_str(&msg, CTL_A_ENDPOINT, text, sizeof(text)));
    g_assert_cmpstr(text, ==, "bridge:br0");
    reply(fixture, serial, 0, NULL, 3);
    WAIT_FOR(fixture->replies);
    g_assert_cmpint(fixture->error, ==, 0);
    g_assert_cmpuint(nr_relay_link_network(fixture->link)->endpoints->len, ==, 1);
    nr_relay_link_detach(fixture->link, 3, on_reply, fixture);
    reply(fixture, expect(fixture, CTL_DETACH, &msg, NULL), 0, NULL, 0);
    WAIT_FOR(fixture->replies == 2);
    g_assert_cmpuint(nr_relay_link_network(fixture->link)->endpoints->len, ==, 0);
}

static void test_refusal(Fixture *fixture, gconstpointer data)
{
    struct ctl_msg msg;

    become_ready(fixture);
    nr_relay_link_attach(fixture->link, "listen:127.0.0.1:1", NULL, -1, NULL, on_reply, fixture);
    reply(fixture, expect(fixture, CTL_ATTACH, &msg, NULL), EADDRINUSE, "taken by nc", 0);
    WAIT_FOR(fixture->replies);
    g_assert_cmpint(fixture->error, ==, -EADDRINUSE);
    g_assert_cmpstr(fixture->text, ==, "taken by nc");
    g_assert_cmpuint(nr_relay_link_network(fixture->link)->endpoints->len, ==, 0);
}

/* Every open request is answered, and then the end is told. */
static void test_death_with_open_requests(Fixture *fixture, gconstpointer data)
{
    become_ready(fixture);
    nr_relay_link_stop(fixture->link, on_reply, fixture);
    nr_relay_link_refresh(fixture->link, on_reply, fixture);
    close(fixture->relay);
    fixture->relay = -1;
    WAIT_FOR(fixture->ended != 1);
    g_assert_cmpint(fixture->ended, ==, -EPIPE);
    g_assert_cmpuint(fixture->replies, ==, 2);
    g_assert_cmpint(fixture->error, ==, -EPIPE);
}

static void test_silence(Fixture *fixture, gconstpointer data)
{
    become_ready(fixture);
    nr_relay_link_detach(fixture->link, 1, on_reply, fixture);
    WAIT_FOR(fixture->replies);
    g_assert_cmpint(fixture->error, ==, -ETIMEDOUT);
    g_assert_nonnull(fixture->link);
}

/* More than the socket takes: what is left is sent when there is room. */
static void test_full_socket(Fixture *fixture, gconstpointer data)
{
    struct ctl_msg msg;
    guint32 serial;

    become_ready(fixture);
    for (guint i = 0; i < 2000; i++)
        nr_relay_link_close_port(fixture->link, i + 100, on_reply, fixture);
    for (guint i = 0; i < 2000; i++) {
        serial = expect(fixture, CTL_CLOSE_PORT, &msg, NULL);
        reply(fixture, serial, 0, NULL, 0);
        WAIT_FOR(fixture->replies == i + 1);
    }
}

static void test_other_version(Fixture *fixture, gconstpointer data)
{
    greet(fixture, CTL_VERSION + 1);
    WAIT_FOR(fixture->ended != 1);
    g_assert_cmpint(fixture->ended, ==, -EPROTONOSUPPORT);
    g_assert_cmpuint(fixture->ready, ==, 0);
}

static void test_garbage(Fixture *fixture, gconstpointer data)
{
    static const char nonsense[64] = "nonsense";

    become_ready(fixture);
    g_assert_cmpint(send(fixture->relay, nonsense, sizeof(nonsense), 0), ==, sizeof(nonsense));
    WAIT_FOR(fixture->ended != 1);
    g_assert_null(fixture->link);
}

#define ADD(name, function)                                                                        \
    g_test_add("/relay-link/" name, Fixture, NULL, fixture_set_up, function, fixture_tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("greeting", test_greeting);
    ADD("another-forwarder", test_another_forwarder);
    ADD("deposits", test_deposits);
    ADD("deposit-of-no-port", test_deposit_of_no_port);
    ADD("attach-with-descriptor", test_attach_with_descriptor);
    ADD("refusal", test_refusal);
    ADD("death-with-open-requests", test_death_with_open_requests);
    ADD("silence", test_silence);
    ADD("full-socket", test_full_socket);
    ADD("other-version", test_other_version);
    ADD("garbage", test_garbage);
    return g_test_run();
}
