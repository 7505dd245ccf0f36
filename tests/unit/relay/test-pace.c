/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib.h>
#include "relay/pace.h"

struct side {
    struct pace_port port;
    struct port_counters counters;
};

static struct pace pace;
static struct side one, other;
static uint64_t now;

static void begin(void)
{
    pace = (struct pace){ 0 };
    one = other = (struct side){ 0 };
    now = 1000000000;
}

static void say(struct side *from, uint64_t frames, uint64_t frame_len)
{
    struct side *to = from == &one ? &other : &one;

    from->counters.rx_frames += frames;
    from->counters.rx_bytes += frames * frame_len;
    to->counters.tx_frames += frames;
    pace_read(&pace, &from->port, &from->counters, 65536);
}

/* A round in which `from` said so many frames, so long after the one before; what rest it earns. */
static uint32_t round_of(struct side *from, uint64_t frames, uint64_t gap_ns)
{
    now += gap_ns;
    say(from, frames, 1514);
    return pace_round_ns(&pace, now);
}

static void test_frame_by_frame(void)
{
    int rested = 0;

    begin();
    for (int i = 0; i < 100; ++i)
        rested += round_of(&one, 1, 7000) > 0;
    g_assert_cmpint(rested, >, 50);
    for (int i = 0; i < 100; ++i) /* as it is once it rests */
        g_assert_cmpuint(round_of(&one, 8, PACE_ROUND_NS + 10000), ==, PACE_ROUND_NS);
}

/* However fast: a frame for a frame, or a few for one. */
static void test_answers(void)
{
    for (uint64_t answer = 1; answer <= 8; ++answer) {
        begin();
        for (int i = 0; i < 1000; ++i) {
            g_assert_cmpuint(round_of(&one, 1, 2000), ==, 0);
            g_assert_cmpuint(round_of(&other, answer, 2000), ==, 0);
        }
    }
}

/* A bulk transfer: its acknowledgements are no answers that somebody waits for. */
static void test_acknowledgements(void)
{
    int rested = 0;

    begin();
    for (int i = 0; i < 1000; ++i) {
        for (int k = 0; k < 20; ++k)
            rested += round_of(&one, 1, 4000) > 0;
        g_assert_cmpuint(round_of(&other, 1, 1000), ==, 0);
    }
    g_assert_cmpint(rested, >, 5000);
}

static void test_after_a_flood(void)
{
    int rested = 0;

    begin();
    for (int i = 0; i < 1000; ++i)
        round_of(&one, 4, 20000);
    for (int i = 0; i < 1000; ++i) {
        rested += round_of(&one, 1, 5000) > 0;
        rested += round_of(&other, 1, 5000) > 0;
    }
    g_assert_cmpint(rested, <=, 20);
}

/* Where a rest would gather next to nothing, or where there is much already. */
static void test_not_worth_it(void)
{
    begin();
    for (int i = 0; i < 1000; ++i)
        g_assert_cmpuint(round_of(&one, 1, 40000), ==, 0);
    begin();
    for (int i = 0; i < 1000; ++i)
        g_assert_cmpuint(round_of(&one, 100, 100000), ==, 0);
    begin();
    for (int i = 0; i < 100; ++i) { /* bursts, and long silence between them */
        g_assert_cmpuint(round_of(&one, 5, 1000000000), ==, 0);
    }
}

/* Whoever writes much at once is not helped by a rest, however few frames it is. */
static void test_large_frames(void)
{
    begin();
    for (int i = 0; i < 1000; ++i) {
        now += 60000;
        say(&one, 28, 9014);
        g_assert_cmpuint(pace_round_ns(&pace, now), ==, 0);
    }
}

/* Several at a time, each frame by frame. */
static void test_many_ports(void)
{
    begin();
    for (int i = 0; i < 100; ++i) {
        now += 80000;
        for (int k = 0; k < 4; ++k) {
            say(&one, 16, 1514);
            pace_read(&pace, &other.port, &other.counters, 65536);
        }
        if (i > 10)
            g_assert_cmpuint(pace_round_ns(&pace, now), ==, PACE_ROUND_NS);
        else
            pace_round_ns(&pace, now);
    }
}

/* Rounds without frames, of messages and timers, change nothing. */
static void test_empty_rounds(void)
{
    begin();
    for (int i = 0; i < 100; ++i)
        round_of(&one, 8, 30000);
    g_assert_cmpuint(pace_round_ns(&pace, now), ==, 0);
    g_assert_cmpuint(round_of(&one, 0, 100), ==, 0);
    g_assert_cmpuint(round_of(&one, 8, 30000), ==, PACE_ROUND_NS);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pace/frame-by-frame", test_frame_by_frame);
    g_test_add_func("/pace/answers", test_answers);
    g_test_add_func("/pace/acknowledgements", test_acknowledgements);
    g_test_add_func("/pace/after-a-flood", test_after_a_flood);
    g_test_add_func("/pace/not-worth-it", test_not_worth_it);
    g_test_add_func("/pace/large-frames", test_large_frames);
    g_test_add_func("/pace/many-ports", test_many_ports);
    g_test_add_func("/pace/empty-rounds", test_empty_rounds);
    return g_test_run();
}
