/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One guard, whose ports are played by hand: what makes it suspicious, and whom it believes. */
#include <glib.h>
#include <string.h>
#include "relay/loopguard.h"

#define PORTS 4
#define US    500 /* relays with lower numbers go before us */

static struct loopguard *guard;
static uint64_t now_ms;
static unsigned told[LOOPGUARD_CHANGES];

static void on_change(struct loopguard *of, uint16_t slot, enum loopguard_change what,
                      uint16_t other)
{
    ++told[what];
}

/* The port in slot n has the id 10 + n. */
static void begin(void)
{
    guard = g_new0(struct loopguard, 1);
    now_ms = 1000000;
    memset(told, 0, sizeof(told));
    loopguard_init(guard, US, (uint64_t[2]){ 1, 2 });
    guard->on_change = on_change;
    for (uint16_t slot = 0; slot < PORTS; ++slot)
        loopguard_open_port(guard, slot, 10u + slot, false);
}

static void end(void)
{
    g_clear_pointer(&guard, g_free);
}

/* A broadcast; frames with one number are alike. */
static enum loopguard_view flood(uint16_t in, unsigned number)
{
    uint8_t data[FRAME_PAD] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54 };

    memcpy(data + 20, &number, sizeof(number));
    return loopguard_flood(guard, in, (struct frame){ .data = data, .len = sizeof(data) }, false,
                           now_ms);
}

/* Time passes, and what goes out meanwhile is lost. */
static void pass(uint64_t ms)
{
    for (uint64_t until_ms = now_ms + ms; now_ms < until_ms;) {
        now_ms = guard->due_ms ? MAX(now_ms, MIN(guard->due_ms, until_ms)) : until_ms;
        if (guard->due_ms && now_ms >= guard->due_ms)
            loopguard_tick(guard, now_ms);
        guard->n_out = 0;
    }
}

static void come_in(uint16_t in, const uint8_t probe[PROBE_LEN])
{
    uint8_t copy[PROBE_LEN];

    memcpy(copy, probe, PROBE_LEN);
    g_assert_true(
        loopguard_take(guard, in, (struct frame){ .data = copy, .len = PROBE_LEN }, now_ms));
}

/* Makes a port suspect, and takes the probe that goes out of it. */
static void provoke(uint16_t slot, uint8_t ret_probe[PROBE_LEN])
{
    static unsigned number = 1000;

    flood(PORTS - 1, ++number);
    for (unsigned i = 0; i < 5; ++i) {
        g_assert_cmpuint(guard->n_out, ==, 0);
        flood(slot, number);
    }
    g_assert_cmpuint(guard->n_out, ==, 1);
    g_assert_cmpuint(guard->out[0].slot, ==, slot);
    memcpy(ret_probe, guard->out[0].frame, PROBE_LEN);
    guard->n_out = 0;
}

/* Goes on for so long, while each probe comes back by the port at the other end. */
static void loop(uint16_t one, uint16_t two, uint64_t ms)
{
    for (uint64_t until_ms = now_ms + ms; now_ms < until_ms; ++now_ms) {
        if (guard->due_ms && now_ms >= guard->due_ms)
            loopguard_tick(guard, now_ms);
        for (uint32_t i = 0, n = guard->n_out; i < n; ++i)
            if (guard->out[i].slot == one || guard->out[i].slot == two)
                come_in(guard->out[i].slot == one ? two : one, guard->out[i].frame);
        guard->n_out = 0;
    }
}

static bool blocked(uint16_t slot)
{
    return loopguard_is_blocked(guard, slot);
}

static void test_what_anybody_may_say(void)
{
    begin();
    for (unsigned i = 0; i < 100; ++i, ++now_ms) /* the same, again and again */
        g_assert_cmpint(flood(0, 1), ==, LOOPGUARD_NEW);
    for (uint16_t slot = 0; slot < PORTS; ++slot) /* four who say one thing */
        g_assert_cmpint(flood(slot, 2), !=, LOOPGUARD_TOO_MANY);
    for (unsigned i = 0; i < 100; ++i) { /* one address, to and fro */
        g_assert_cmpint(flood(i % 2, 3), ==, LOOPGUARD_NEW);
        pass(100);
    }
    g_assert_cmpuint(guard->n_out, ==, 0);
    g_assert_cmpuint(guard->serial, ==, 0); /* no probe at all */
    end();
}

/* A copy that comes at once does not move its station. */
static void test_copies(void)
{
    begin();
    g_assert_cmpint(flood(0, 1), ==, LOOPGUARD_NEW);
    for (unsigned i = 0; i < 4; ++i)
        g_assert_cmpint(flood(1 + i % 2, 1), ==, LOOPGUARD_COPY);
    for (unsigned i = 0; i < 1000; ++i)
        g_assert_cmpint(flood(1 + i % 2, 1), ==, LOOPGUARD_TOO_MANY);
    g_assert_cmpint(flood(1, 2), ==, LOOPGUARD_NEW); /* another frame */
    pass(20);
    g_assert_cmpint(flood(2, 2), ==, LOOPGUARD_NEW); /* whoever says it later has moved */
    pass(60000);
    for (unsigned i = 0; i < 100; ++i) /* it is as if it had never been heard */
        g_assert_cmpint(flood(1 + i % 2, 2) == LOOPGUARD_TOO_MANY, ==, i > 4);
    end();
}

/* Frames are one only where their length, their beginning and their end are. */
static void test_what_is_alike(void)
{
    begin();
    for (uint32_t len = FRAME_MIN; len < 200; ++len) {
        uint8_t data[200] = { 0xff };
        struct frame frame = { .data = data, .len = len };

        g_assert_cmpint(loopguard_flood(guard, 0, frame, false, now_ms), ==, LOOPGUARD_NEW);
        for (uint32_t at = 0; at < len; ++at) {
            if (at >= 64 && at + 8 < len)
                continue;
            data[at] ^= 1;
            g_assert_cmpint(loopguard_flood(guard, 1, frame, false, now_ms), ==, LOOPGUARD_NEW);
            data[at] ^= 1;
        }
        g_assert_cmpint(loopguard_flood(guard, 1, frame, false, now_ms), ==, LOOPGUARD_COPY);
        now_ms += 2000;
    }
    end();
}

/* Nothing comes back: it is no loop, and may go on within reason. */
static void test_a_fast_flap(void)
{
    unsigned passed = 0;

    begin();
    for (unsigned i = 0; i < 100; ++i, pass(10))
        flood(i % 2, 1);
    g_assert_cmpuint(guard->serial, >, 0);
    for (unsigned i = 0; i < 50; ++i, pass(20))
        passed += flood(i % 2, 2) == LOOPGUARD_NEW;
    g_assert_cmpuint(passed, ==, 50);
    for (unsigned i = 0; i < 10000; ++i)
        passed += flood(i % 2, 3) == LOOPGUARD_NEW;
    g_assert_cmpuint(passed, <, 150);
    for (uint16_t slot = 0; slot < PORTS; ++slot)
        g_assert_false(blocked(slot));
    end();
}

static void test_block_and_open(void)
{
    uint8_t probe[PROBE_LEN];
    uint64_t began_ms;

    begin();
    provoke(1, probe);
    come_in(2, probe);
    g_assert_true(blocked(2)); /* the higher id, wherever the probe went out */
    g_assert_false(blocked(1));
    loop(1, 2, 60000);
    g_assert_true(blocked(2));
    g_assert_cmpuint(told[LOOPGUARD_OPENS], ==, 0);
    for (unsigned patience_ms = 2000; patience_ms <= 8000; patience_ms *= 2) {
        for (began_ms = now_ms; blocked(2); ++now_ms, pass(1))
            g_assert_cmpuint(now_ms, <, began_ms + patience_ms + 1500);
        g_assert_cmpuint(now_ms, >=, began_ms + patience_ms - 500);
        loop(1, 2, 1000); /* open, and suspect at once */
        g_assert_true(blocked(2));
    }
    pass(600000);
    g_assert_false(blocked(2));
    g_assert_cmpuint(told[LOOPGUARD_BLOCKS], ==, 4);
    g_assert_cmpuint(told[LOOPGUARD_OPENS], ==, 4);
    provoke(1, probe);
    come_in(2, probe); /* after so long it begins anew */
    pass(3000);
    g_assert_false(blocked(2));
    end();
}

/* When the other end goes the port need not wait. */
static void test_the_other_end_goes(void)
{
    uint8_t probe[PROBE_LEN];

    begin();
    provoke(1, probe);
    come_in(2, probe);
    loop(1, 2, 5000);
    loopguard_close_port(guard, 1, now_ms);
    pass(700);
    g_assert_false(blocked(2));
    end();
}

/* Three cables: two ports are blocked, and open one after the other when the first is gone. */
static void test_blocked_ones_prove_nothing(void)
{
    uint8_t probe[PROBE_LEN];

    begin();
    provoke(0, probe);
    come_in(1, probe);
    come_in(2, probe);
    g_assert_true(blocked(1) && blocked(2));
    loop(1, 2, 6000); /* but no more to port 0 */
    g_assert_false(blocked(1));
    g_assert_true(blocked(2));
    g_assert_cmpuint(told[LOOPGUARD_OPENS], ==, 1); /* never both at once */
    end();
}

static void test_behind_one_port(void)
{
    uint8_t probe[PROBE_LEN];

    begin();
    provoke(1, probe);
    come_in(1, probe);
    loop(1, 1, 1000);
    g_assert_cmpuint(told[LOOPGUARD_LOOPS], ==, 0); /* another relay may be about to cut it */
    loop(1, 1, 5000);
    g_assert_cmpuint(told[LOOPGUARD_LOOPS], ==, 1);
    g_assert_false(blocked(1));
    for (unsigned i = 0; i < 100; ++i) /* what goes round there began there, too */
        g_assert_cmpint(flood(1, 5) == LOOPGUARD_TOO_MANY, ==, i > 4);
    pass(10000);
    for (unsigned i = 0; i < 100; ++i)
        g_assert_cmpint(flood(1, 6), ==, LOOPGUARD_NEW);
    end();
}

/* Only what we sent, lately, on a port that is still there. */
static void test_forgeries(void)
{
    uint8_t probe[PROBE_LEN], forged[PROBE_LEN];

    begin();
    provoke(1, probe);
    for (unsigned at = 22; at < PROBE_LEN; ++at) { /* but the hops and what is not used */
        memcpy(forged, probe, PROBE_LEN);
        forged[at] ^= 1;
        if (at == 52 || at == 53 || at >= 58)
            continue;
        come_in(2, forged);
        g_assert_false(blocked(2));
    }
    pass(4000);
    come_in(2, probe);
    g_assert_false(blocked(2));
    provoke(0, probe);
    loopguard_open_port(guard, 0, 20, false);
    come_in(2, probe);
    g_assert_false(blocked(0) || blocked(2));
    end();
}

static void make_foreign(uint64_t relay, uint32_t serial, uint8_t ret_probe[PROBE_LEN])
{
    const struct probe probe = { .relay = relay, .serial = serial, .port = 1, .tag = serial };

    probe_write(&probe, ret_probe);
}

/* Of a relay before us: to ports where copies came in, once. */
static void test_passing_on(void)
{
    uint8_t probe[PROBE_LEN];

    begin();
    flood(0, 1);
    flood(1, 1);
    flood(2, 1);
    make_foreign(US - 1, 7, probe);
    come_in(1, probe);
    g_assert_cmpuint(guard->n_out, ==, 1);
    g_assert_cmpuint(guard->out[0].slot, ==, 2);
    come_in(2, probe);
    come_in(1, probe);
    g_assert_cmpuint(guard->n_out, ==, 1);
    guard->n_out = 0;
    for (uint32_t i = 0; i < 100000; ++i) { /* a flood of them goes no farther */
        make_foreign(US - 1, 100 + i, probe);
        come_in(1, probe);
    }
    g_assert_cmpuint(guard->n_out, <=, LOOPGUARD_OUT);
    end();
}

/* What a blocked port keeps from frames it keeps from others' probes, both ways. */
static void test_a_blocked_port_passes_on_nothing(void)
{
    uint8_t probe[PROBE_LEN];

    begin();
    provoke(0, probe);
    flood(1, 1);
    come_in(2, probe);
    g_assert_true(blocked(2));
    guard->n_out = 0;
    make_foreign(US - 1, 7, probe);
    come_in(2, probe);
    g_assert_cmpuint(guard->n_out, ==, 0);
    make_foreign(US - 1, 8, probe);
    come_in(0, probe);
    for (uint32_t i = 0; i < guard->n_out; ++i)
        g_assert_cmpuint(guard->out[i].slot, !=, 2);
    end();
}

/* A frame takes long to come round, but more and more of them do. */
static void test_a_slow_loop(void)
{
    begin();
    for (unsigned i = 0; i < 20; ++i) {
        flood(0, i);
        pass(20);
    }
    for (unsigned i = 0; i < 20; ++i) {
        g_assert_cmpint(flood(1, i), !=, LOOPGUARD_TOO_MANY);
        if (i < 15)
            g_assert_cmpuint(guard->serial, ==, 0);
        pass(20);
    }
    g_assert_cmpuint(guard->serial, >, 0);
    end();
}

/* Of a relay after us: not passed on, but answered, though not each of them. */
static void test_answers(void)
{
    uint8_t probe[PROBE_LEN];
    struct probe got;

    begin();
    flood(0, 1);
    flood(1, 1);
    flood(2, 1);
    for (uint32_t i = 0; i < 20; ++i) {
        make_foreign(US + 1, i, probe);
        come_in(1, probe);
    }
    g_assert_cmpuint(guard->n_out, ==, 1);
    g_assert_true(
        probe_read(&got, (struct frame){ .data = guard->out[0].frame, .len = PROBE_LEN }));
    g_assert_cmpuint(got.relay, ==, US);
    for (uint32_t i = 20; i < 40; ++i, pass(200)) {
        make_foreign(US + 1, i, probe);
        come_in(1, probe);
    }
    g_assert_cmpuint(guard->serial, <=, 8);
    end();
}

/* A port that is marked gets none, and what comes from there is nobody's. */
static void test_guests(void)
{
    uint8_t probe[PROBE_LEN];

    begin();
    loopguard_open_port(guard, 2, 30, true);
    for (unsigned i = 0; i < 100; ++i)
        flood(i % 2 + 1, 1);
    for (uint32_t i = 0; i < guard->n_out; ++i)
        g_assert_cmpuint(guard->out[i].slot, !=, 2);
    guard->n_out = 0;
    pass(20000);
    provoke(1, probe);
    come_in(2, probe);
    g_assert_false(blocked(1) || blocked(2));
    make_foreign(US - 1, 7, probe);
    come_in(2, probe);
    g_assert_cmpuint(guard->n_out, ==, 0);
    end();
}

static void test_off(void)
{
    uint8_t probe[PROBE_LEN];
    struct frame frame = { .data = probe, .len = PROBE_LEN };

    begin();
    make_foreign(1, 1, probe);
    guard->off = true;
    g_assert_false(loopguard_take(guard, 0, frame, now_ms)); /* it passes like any other */
    end();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/suspicion/what-anybody-may-say", test_what_anybody_may_say);
    g_test_add_func("/suspicion/copies", test_copies);
    g_test_add_func("/suspicion/what-is-alike", test_what_is_alike);
    g_test_add_func("/suspicion/fast-flap", test_a_fast_flap);
    g_test_add_func("/suspicion/block-and-open", test_block_and_open);
    g_test_add_func("/suspicion/other-end-goes", test_the_other_end_goes);
    g_test_add_func("/suspicion/blocked-ones-prove-nothing", test_blocked_ones_prove_nothing);
    g_test_add_func("/suspicion/behind-one-port", test_behind_one_port);
    g_test_add_func("/suspicion/forgeries", test_forgeries);
    g_test_add_func("/suspicion/passing-on", test_passing_on);
    g_test_add_func("/suspicion/blocked-passes-on-nothing", test_a_blocked_port_passes_on_nothing);
    g_test_add_func("/suspicion/slow-loop", test_a_slow_loop);
    g_test_add_func("/suspicion/answers", test_answers);
    g_test_add_func("/suspicion/guests", test_guests);
    g_test_add_func("/suspicion/off", test_off);
    return g_test_run();
}
