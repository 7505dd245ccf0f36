/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <glib.h>
#include <unistd.h>
#include "relay/loop.h"

static struct loop loop;
static int calls;

static void count(struct loop_io *io, uint32_t revents)
{
    ++calls;
}

static struct loop_io both[2];

static void delete_both(struct loop_io *io, uint32_t revents)
{
    ++calls;
    loop_del(&loop, &both[0]);
    loop_del(&loop, &both[1]);
}

/* Both are ready in one round; the first one that is called deletes both. */
static void test_deleted_in_its_round(void)
{
    int pipes[2][2];

    calls = 0;
    loop_init(&loop);
    for (int i = 0; i < 2; ++i) {
        g_assert_cmpint(pipe(pipes[i]), ==, 0);
        g_assert_cmpint(write(pipes[i][1], "x", 1), ==, 1);
        both[i].on_io = delete_both;
        g_assert_cmpint(loop_add(&loop, &both[i], pipes[i][0], EPOLLIN), ==, 0);
    }
    g_assert_cmpint(loop_round(&loop), ==, 0);
    g_assert_cmpint(calls, ==, 1);
    loop_done(&loop);
    for (int i = 0; i < 2; ++i) {
        close(pipes[i][0]);
        close(pipes[i][1]);
    }
}

/* What epoll cannot wait for is ready in each round; and not when nothing is asked of it. */
static void test_always_ready(void)
{
    struct loop_io io = { .on_io = count };
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    calls = 0;
    loop_init(&loop);
    g_assert_cmpint(loop_add(&loop, &io, fd, EPOLLIN), ==, 0);
    loop_round(&loop);
    loop_round(&loop);
    g_assert_cmpint(calls, ==, 2);
    loop_set(&loop, &io, 0);
    loop_del(&loop, &io);
    g_assert_null(loop.always);
    loop_done(&loop);
    close(fd);
}

static struct loop_timer timers[3];
static int order[8], n_order;

static void on_timer(struct loop_timer *timer)
{
    order[n_order++] = (int)(timer - timers);
    if (timer == &timers[1] && n_order == 1) {
        loop_timer_stop(&loop, &timers[0]);
        loop_timer_in(&loop, timer, 5); /* again */
    }
}

static void test_timers(void)
{
    loop_init(&loop);
    n_order = 0;
    for (int i = 0; i < 3; ++i)
        timers[i].on_timer = on_timer;
    loop_timer_in(&loop, &timers[2], 60);
    loop_timer_in(&loop, &timers[0], 30);
    loop_timer_in(&loop, &timers[1], 90);
    loop_timer_in(&loop, &timers[1], 1); /* moved to the front */
    while (loop.timers)
        g_assert_cmpint(loop_round(&loop), ==, 0);
    g_assert_cmpint(n_order, ==, 3);
    g_assert_cmpint(order[0], ==, 1);
    g_assert_cmpint(order[1], ==, 1);
    g_assert_cmpint(order[2], ==, 2);
    loop_done(&loop);
}

/* An io that asks for nothing is not told of a hang-up either, again and again. */
static void test_hang_up_is_silent(void)
{
    struct loop_io io = { .on_io = count };
    int ends[2];

    calls = 0;
    n_order = 0;
    g_assert_cmpint(pipe(ends), ==, 0);
    loop_init(&loop);
    loop_add(&loop, &io, ends[0], EPOLLIN);
    loop_set(&loop, &io, 0);
    close(ends[1]);
    loop_timer_in(&loop, &timers[2], 20);
    while (loop.timers)
        loop_round(&loop);
    g_assert_cmpint(calls, ==, 0);
    loop_set(&loop, &io, EPOLLIN);
    loop_round(&loop);
    g_assert_cmpint(calls, ==, 1);
    loop_del(&loop, &io);
    loop_done(&loop);
    close(ends[0]);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/loop/deleted-in-its-round", test_deleted_in_its_round);
    g_test_add_func("/loop/always-ready", test_always_ready);
    g_test_add_func("/loop/timers", test_timers);
    g_test_add_func("/loop/hang-up-is-silent", test_hang_up_is_silent);
    return g_test_run();
}
