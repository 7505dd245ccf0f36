/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib.h>
#include "relay/rate.h"
#include "relay/throttle.h"

#define MS 1000000ull
#define S  (1000 * MS)

static struct rate rate;
static uint64_t now;

static void begin(uint32_t average, uint32_t peak, uint32_t burst)
{
    struct port_rate limit = { .average = average, .peak = peak, .burst = burst };

    now = 100 * S;
    rate_init(&rate, &limit, now);
}

/* What gets through in this time when there is always more, taken as soon as it may be. */
static uint64_t pour(uint64_t ns)
{
    uint64_t end = now + ns, passed = 0;

    for (; now < end; now += rate_wait_ns(&rate, now)) {
        size_t room = rate_room(&rate, now);

        if (room == 0)
            continue;
        passed += room;
        rate_take(&rate, room, now);
    }
    return passed;
}

static void near(uint64_t value, uint64_t wanted)
{
    g_assert_cmpuint(value, >=, wanted - wanted / 100 - 4096);
    g_assert_cmpuint(value, <=, wanted + wanted / 100 + 4096);
}

static void test_no_limit(void)
{
    begin(0, 0, 0);
    rate_take(&rate, 1 << 30, now);
    g_assert_cmpuint(rate_room(&rate, now), ==, SIZE_MAX);
    g_assert_cmpuint(rate_wait_ns(&rate, now), ==, 0);
}

static void test_average(void)
{
    static const uint32_t averages[] = { 1, 10, 1000, 125000, 4000000, PORT_RATE_MAX };

    for (size_t i = 0; i < G_N_ELEMENTS(averages); ++i) {
        begin(averages[i], 0, 0);
        near(pour(10 * S), averages[i] * 10240ull);
    }
}

static void test_a_bucket_begins_empty(void)
{
    begin(1000, 0, 500);
    g_assert_cmpuint(rate_room(&rate, now), ==, 0);
    near(pour(S), 1000 * 1024);
}

static void test_burst(void)
{
    begin(1000, 0, 500);
    now += 60 * S; /* full, and never more than that */
    g_assert_cmpuint(rate_room(&rate, now), ==, 500 * 1024);
    near(pour(S), 1500 * 1024);
    near(pour(S), 1000 * 1024);
}

static void test_peak(void)
{
    begin(1000, 2000, 500);
    now += 60 * S;
    near(pour(S / 4), 500 * 1024); /* of a full second at the peak, and */
    near(pour(S / 4), 500 * 1024); /* the burst lasts for half a one */
    near(pour(S), 1000 * 1024);
}

/* A frame may be more than what is in the bucket: it is waited for afterwards. */
static void test_debt(void)
{
    begin(10, 0, 1);
    now += S;
    g_assert_cmpuint(rate_room(&rate, now), ==, 2048);
    rate_take(&rate, 20480, now);
    g_assert_cmpuint(rate_room(&rate, now), ==, 0);
    g_assert_cmpuint(rate_wait_ns(&rate, now), ==, 2 * S);
    now += 2 * S;
    g_assert_cmpuint(rate_room(&rate, now), >=, 2048);
}

/* The longest bucket at the slowest and the fastest rate: nothing runs over. */
static void test_bounds(void)
{
    begin(1, 0, PORT_BURST_MAX);
    now += 1ull << 60;
    g_assert_cmpuint(rate_room(&rate, now), ==, PORT_BURST_MAX * 1024ull);
    begin(PORT_RATE_MAX, 0, PORT_BURST_MAX);
    now += 1ull << 60;
    near(rate_room(&rate, now), PORT_BURST_MAX * 1024ull);
}

/* Timers are late: at the average a bucket still holds what comes until then. */
static void test_late_timers(void)
{
    uint64_t passed = 0;

    begin(125000, 0, 1);
    for (int i = 0; i < 1000; ++i) {
        now += 3 * MS;
        passed += rate_room(&rate, now);
        rate_take(&rate, rate_room(&rate, now), now);
    }
    near(passed, 3 * 125000 * 1024ull);
}

/* A quarter of a second waits, but something does at any rate, and never more than is allowed. */
static void test_queue(void)
{
    const struct port_rate none = { 0 }, slow = { .average = 1 }, usual = { .average = 4000 };

    g_assert_cmpuint(throttle_queue_bound(&none, 12345), ==, 12345);
    g_assert_cmpuint(throttle_queue_bound(&slow, 1 << 30), ==, 64 * 1024);
    g_assert_cmpuint(throttle_queue_bound(&usual, 1 << 30), ==, 1000 * 1024);
    g_assert_cmpuint(throttle_queue_bound(&usual, 1000), ==, 1000);
}

/* Where nothing may pass the timer is set for when something may; another limit begins anew. */
static void test_timer(void)
{
    const struct port_rate limit = { .average = 100 };
    struct loop loop = { .now_ms = 1000, .now_ns = 1000 * MS };
    struct throttle throttle = { 0 };

    g_assert_cmpuint(throttle_room(&throttle, 5000), ==, 5000);
    throttle_set(&throttle, &loop, &limit);
    g_assert_cmpuint(throttle_room(&throttle, 5000), ==, 0);
    g_assert_true(throttle.timer.armed);
    throttle_set(&throttle, &loop, &limit);
    g_assert_false(throttle.timer.armed);
    g_assert_cmpuint(throttle_room(&throttle, 5000), ==, 0);
    loop.now_ms = throttle.timer.at_ms;
    loop.now_ns = loop.now_ms * MS;
    throttle_stop(&throttle);
    g_assert_cmpuint(throttle_room(&throttle, 1), ==, 1);
    g_assert_cmpuint(throttle_room(&throttle, 1 << 20), <, 1 << 20);
    g_assert_false(throttle.timer.armed);
    throttle_took(&throttle, 1 << 20);
    g_assert_cmpuint(throttle_room(&throttle, 1), ==, 0);
    g_assert_true(throttle.timer.armed);
    throttle_stop(&throttle);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/rate/no-limit", test_no_limit);
    g_test_add_func("/rate/average", test_average);
    g_test_add_func("/rate/begins-empty", test_a_bucket_begins_empty);
    g_test_add_func("/rate/burst", test_burst);
    g_test_add_func("/rate/peak", test_peak);
    g_test_add_func("/rate/debt", test_debt);
    g_test_add_func("/rate/bounds", test_bounds);
    g_test_add_func("/rate/late-timers", test_late_timers);
    g_test_add_func("/rate/queue", test_queue);
    g_test_add_func("/rate/timer", test_timer);
    return g_test_run();
}
