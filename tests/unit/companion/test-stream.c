/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "companion/stream.h"

/* Two streams, each the other's far end. */
struct fixture {
    struct stream here, there;
    int fd[2];
};

static void set_up(struct fixture *f, gconstpointer unused)
{
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, f->fd), ==, 0);
    stream_init(&f->here, f->fd[0]);
    stream_init(&f->there, f->fd[1]);
}

static void tear_down(struct fixture *f, gconstpointer unused)
{
    close(f->fd[0]);
    close(f->fd[1]);
}

static void fill_frame(uint8_t *frame, uint32_t number, uint32_t len)
{
    for (uint32_t i = 0; i < len; ++i)
        frame[i] = (uint8_t)(number + i);
}

static void assert_frame(struct frame frame, uint32_t number, uint32_t len)
{
    g_assert_cmpuint(frame.len, ==, len);
    for (uint32_t i = 0; i < len; ++i)
        g_assert_cmpuint(frame.data[i], ==, (uint8_t)(number + i));
}

static uint32_t length_of(uint32_t number)
{
    static const uint32_t lengths[] = { 14, 60, 1514, 9014, 0, FRAME_MAX, 61 };

    return lengths[number % G_N_ELEMENTS(lengths)];
}

/* Frames of all sizes through buffers that are full most of the time: all arrive, in order. */
static void test_through(struct fixture *f, gconstpointer unused)
{
    static uint8_t frame[FRAME_MAX];
    uint32_t put = 0, got = 0;

    while (got < 2000) {
        struct frame next;

        while (put < 2000) {
            fill_frame(frame, put, length_of(put));
            if (!stream_put(&f->here, frame, length_of(put)))
                break;
            ++put;
        }
        g_assert_cmpint(stream_flush(&f->here), ==, 0);
        if (stream_events(&f->there) & POLLIN)
            g_assert_cmpint(stream_fill(&f->there), ==, 0);
        for (int n = 0; n < 3 && stream_peek(&f->there, &next) == 0; ++n) {
            assert_frame(next, got, length_of(got));
            ++got;
            stream_skip(&f->there, next);
        }
    }
    g_assert_cmpuint(f->there.in_start, ==, f->there.in_end);
}

/* Who does not take frames is asked for no more, and what has no room is refused whole. */
static void test_full(struct fixture *f, gconstpointer unused)
{
    static uint8_t frame[9014];
    struct frame next;
    uint32_t put = 0, got = 0;

    for (;;) {
        fill_frame(frame, put, sizeof(frame));
        if (!stream_put(&f->here, frame, sizeof(frame)))
            break;
        ++put;
        g_assert_cmpint(stream_flush(&f->here), ==, 0);
        if (stream_events(&f->there) & POLLIN)
            g_assert_cmpint(stream_fill(&f->there), ==, 0);
    }
    g_assert_false(stream_has_room(&f->here, sizeof(frame)));
    g_assert_true(stream_events(&f->here) & POLLOUT);
    g_assert_false(stream_events(&f->there) & POLLIN);
    while (got < put) {
        while (stream_peek(&f->there, &next) == 0) {
            assert_frame(next, got, sizeof(frame));
            ++got;
            stream_skip(&f->there, next);
        }
        g_assert_cmpint(stream_flush(&f->here), ==, 0);
        g_assert_cmpint(stream_fill(&f->there), ==, 0);
    }
    g_assert_false(stream_events(&f->here) & POLLOUT);
}

static void test_nonsense(struct fixture *f, gconstpointer unused)
{
    const uint8_t nonsense[] = { 0, 1, 0x10, 1 }; /* one byte longer than any frame */
    struct frame next;

    g_assert_cmpint(write(f->fd[0], nonsense, sizeof(nonsense)), ==, sizeof(nonsense));
    g_assert_cmpint(stream_peek(&f->there, &next), ==, FRAMING_E_MORE);
    g_assert_cmpint(stream_fill(&f->there), ==, 0);
    g_assert_cmpint(stream_peek(&f->there, &next), ==, -EPROTO);
    g_assert_false(stream_put(&f->here, nonsense, FRAME_MAX + 1));
}

static void test_end(struct fixture *f, gconstpointer unused)
{
    g_assert_cmpint(stream_fill(&f->there), ==, 0);
    shutdown(f->fd[0], SHUT_RDWR);
    g_assert_cmpint(stream_fill(&f->there), ==, -EPIPE);
    g_assert_true(stream_put(&f->there, "frame", 5));
    g_assert_cmpint(stream_flush(&f->there), <, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/stream/through", struct fixture, NULL, set_up, test_through, tear_down);
    g_test_add("/stream/full", struct fixture, NULL, set_up, test_full, tear_down);
    g_test_add("/stream/nonsense", struct fixture, NULL, set_up, test_nonsense, tear_down);
    g_test_add("/stream/end", struct fixture, NULL, set_up, test_end, tear_down);
    return g_test_run();
}
