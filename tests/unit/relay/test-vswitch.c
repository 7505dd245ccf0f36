/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib.h>
#include <string.h>
#include "relay/shared.h"
#include "relay/vswitch.h"

static struct vswitch *sw;
static struct fdb_table *table;
static struct port_counters rx;
static unsigned told[VSWITCH_REFUSALS];

static void on_refused(struct vswitch *of, uint16_t slot, enum vswitch_refusal why,
                       struct mac source)
{
    ++told[why];
}

static void begin(enum vswitch_mode mode)
{
    sw = g_new0(struct vswitch, 1);
    table = g_new0(struct fdb_table, 1);
    sw->mode = mode;
    sw->now_ms = 100000;
    sw->on_refused = on_refused;
    vswitch_init(sw, table, 1, (uint64_t[2]){ 1, 2 });
    memset(&rx, 0, sizeof(rx));
    memset(told, 0, sizeof(told));
}

static void end(void)
{
    g_free(sw);
    g_free(table);
}

/* The verdict for a frame from a port; stations are named by their last byte. */
static uint16_t input(uint16_t in, const char *dst, uint8_t src)
{
    uint8_t data[FRAME_MIN] = { 0, 0, 0, 0, 0, 0, 0x52, 0x54, 0, 0, 0, src, 0x88, 0xb5 };
    struct mac mac;

    g_assert_cmpint(mac_parse(&mac, dst), ==, 0);
    memcpy(data, mac.b, MAC_LEN);
    return vswitch_input(sw, in, (struct frame){ .data = data, .len = sizeof(data) }, &rx);
}

static void test_switch(void)
{
    begin(VSWITCH_SWITCH);
    g_assert_cmpuint(input(1, "52:54:00:00:00:02", 1), ==, VERDICT_FLOOD); /* unknown yet */
    g_assert_cmpuint(input(2, "52:54:00:00:00:01", 2), ==, 1);
    g_assert_cmpuint(input(1, "52:54:00:00:00:02", 1), ==, 2);
    g_assert_cmpuint(input(2, "52:54:00:00:00:02", 9), ==, VERDICT_NONE); /* behind its own port */
    g_assert_cmpuint(input(1, "ff:ff:ff:ff:ff:ff", 1), ==, VERDICT_FLOOD);
    g_assert_cmpuint(input(1, "33:33:00:00:00:01", 1), ==, VERDICT_FLOOD);
    g_assert_cmpuint(input(3, "52:54:00:00:00:02", 1), ==, 2); /* 1 has moved to port 3 */
    g_assert_cmpuint(input(2, "52:54:00:00:00:01", 2), ==, 3);
    g_assert_cmpuint(rx.rx_frames, ==, 8);
    g_assert_cmpuint(rx.rx_bytes, ==, 8 * FRAME_MIN);
    end();
}

/* A station that sends to itself is heard by nobody, wherever it was seen before. It is learned. */
static void test_to_itself(void)
{
    begin(VSWITCH_SWITCH);
    g_assert_cmpuint(input(1, "52:54:00:00:00:01", 1), ==, VERDICT_NONE);
    g_assert_cmpuint(input(2, "52:54:00:00:00:01", 2), ==, 1);
    g_assert_cmpuint(input(3, "52:54:00:00:00:01", 1), ==, VERDICT_NONE); /* not to port 1 */
    g_assert_cmpuint(input(2, "52:54:00:00:00:01", 2), ==, 3);
    g_assert_cmpuint(rx.rx_frames, ==, 4);
    end();
    begin(VSWITCH_WIRE);
    g_assert_cmpuint(input(1, "52:54:00:00:00:01", 1), ==, VERDICT_FLOOD);
    end();
}

/* The sixteen link-local groups, and their neighbours, which are nothing special. */
static void test_link_local(void)
{
    static const struct {
        enum vswitch_mode mode;
        bool drop;
        uint16_t usual, pause;
    } rows[] = {
        { VSWITCH_SWITCH, false, VERDICT_FLOOD, VERDICT_NONE },
        { VSWITCH_SWITCH, true, VERDICT_NONE, VERDICT_NONE },
        { VSWITCH_HUB, false, VERDICT_FLOOD, VERDICT_FLOOD },
        { VSWITCH_HUB, true, VERDICT_NONE, VERDICT_NONE },
        { VSWITCH_WIRE, false, VERDICT_FLOOD, VERDICT_FLOOD },
        { VSWITCH_WIRE, true, VERDICT_FLOOD, VERDICT_FLOOD },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); ++i) {
        begin(rows[i].mode);
        sw->drop_link_local = rows[i].drop;
        for (unsigned last = 0; last < 16; ++last) {
            g_autofree char *dst = g_strdup_printf("01:80:c2:00:00:%02x", last);

            g_assert_cmpuint(input(1, dst, 1), ==, last == 1 ? rows[i].pause : rows[i].usual);
        }
        g_assert_cmpuint(input(1, "01:80:c2:00:00:10", 1), ==, VERDICT_FLOOD);
        g_assert_cmpuint(input(1, "01:80:c2:00:01:00", 1), ==, VERDICT_FLOOD);
        end();
    }
}

static void test_transparent(void)
{
    static const enum vswitch_mode modes[] = { VSWITCH_HUB, VSWITCH_WIRE };

    for (size_t i = 0; i < G_N_ELEMENTS(modes); ++i) {
        begin(modes[i]);
        g_assert_cmpuint(input(1, "52:54:00:00:00:02", 1), ==, VERDICT_FLOOD);
        g_assert_cmpuint(input(2, "52:54:00:00:00:01", 2), ==, VERDICT_FLOOD);
        end();
    }
}

static void add_options(struct port_options *options, const char *key, const char *value)
{
    const char *expected = port_options_add(options, key, value);

    g_assert_cmpstr(expected, ==, NULL);
}

static void test_rules(void)
{
    static const enum vswitch_mode modes[] = { VSWITCH_SWITCH, VSWITCH_HUB, VSWITCH_WIRE };
    struct port_options options = { 0 };
    struct filter_pin pin = { 0 };

    add_options(&options, "allow", "52:54:00:00:00:00/40");
    add_options(&options, "deny", "52:54:00:00:00:07");
    for (size_t i = 0; i < G_N_ELEMENTS(modes); ++i) {
        begin(modes[i]);
        vswitch_open_port(sw, 1, 11, &options, &pin, NULL);
        g_assert_cmpuint(input(1, "ff:ff:ff:ff:ff:ff", 1), ==, VERDICT_FLOOD);
        for (unsigned n = 0; n < 5; ++n)
            g_assert_cmpuint(input(1, "ff:ff:ff:ff:ff:ff", 7), ==, VERDICT_NONE);
        g_assert_cmpuint(input(2, "ff:ff:ff:ff:ff:ff", 7), ==, VERDICT_FLOOD); /* another port */
        g_assert_cmpuint(rx.drop_filter, ==, 5);
        g_assert_cmpuint(rx.rx_frames, ==, 2);
        g_assert_cmpuint(told[VSWITCH_FILTERED], ==, 1);
        sw->now_ms += VSWITCH_TOLD_MS;
        input(1, "ff:ff:ff:ff:ff:ff", 7);
        g_assert_cmpuint(told[VSWITCH_FILTERED], ==, 2);
        end();
    }
}

/* What may not come in is not learned either. */
static void test_pin(void)
{
    struct port_options options = { 0 };
    struct filter_pin pin = { 0 };

    begin(VSWITCH_SWITCH);
    add_options(&options, "pin", NULL);
    vswitch_open_port(sw, 1, 11, &options, &pin, NULL);
    g_assert_cmpuint(input(1, "ff:ff:ff:ff:ff:ff", 5), ==, VERDICT_FLOOD); /* the first is it */
    g_assert_cmpuint(input(1, "ff:ff:ff:ff:ff:ff", 6), ==, VERDICT_NONE);
    g_assert_cmpuint(input(2, "52:54:00:00:00:06", 2), ==, VERDICT_FLOOD); /* still unknown */
    g_assert_cmpuint(input(2, "52:54:00:00:00:05", 2), ==, 1);
    vswitch_close_port(sw, 1);
    vswitch_open_port(sw, 1, 11, &options, &pin, NULL); /* by another forwarder */
    g_assert_cmpuint(input(1, "ff:ff:ff:ff:ff:ff", 6), ==, VERDICT_NONE);
    g_assert_cmpuint(input(1, "ff:ff:ff:ff:ff:ff", 5), ==, VERDICT_FLOOD);
    vswitch_close_port(sw, 1);
    vswitch_open_port(sw, 1, 12, &options, &pin, NULL); /* another port in its place */
    g_assert_cmpuint(input(1, "ff:ff:ff:ff:ff:ff", 6), ==, VERDICT_FLOOD);
    g_assert_cmpuint(input(1, "ff:ff:ff:ff:ff:ff", 5), ==, VERDICT_NONE);
    end();
}

/* What its first station's address was is known from then on, also where it may not come in. */
static void test_first(void)
{
    struct port_options options = { 0 };
    struct filter_pin first = { .id = 7 }; /* another port's */

    begin(VSWITCH_SWITCH);
    add_options(&options, "deny", "52:54:00:00:00:05");
    vswitch_open_port(sw, 1, 11, &options, NULL, &first);
    g_assert_cmpuint(input(1, "ff:ff:ff:ff:ff:ff", 5), ==, VERDICT_NONE);
    g_assert_cmpuint(input(1, "ff:ff:ff:ff:ff:ff", 6), ==, VERDICT_FLOOD);
    g_assert_cmpuint(first.id, ==, 11);
    g_assert_cmpuint(first.mac.b[5], ==, 5);
    vswitch_open_port(sw, 1, 11, &options, NULL, &first); /* by another forwarder */
    g_assert_cmpuint(input(1, "ff:ff:ff:ff:ff:ff", 6), ==, VERDICT_FLOOD);
    g_assert_cmpuint(first.mac.b[5], ==, 5);
    end();
}

/* No station has such an address: it must not be what the port is pinned to. */
static void test_pin_skips_the_impossible(void)
{
    static const uint8_t sources[][MAC_LEN] = { { 0 },
                                                { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
                                                { 1, 0, 0x5e, 0, 0, 5 } };
    struct port_options options = { 0 };
    struct filter_pin pin = { 0 };

    begin(VSWITCH_SWITCH);
    add_options(&options, "pin", NULL);
    vswitch_open_port(sw, 1, 11, &options, &pin, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(sources); ++i) {
        uint8_t data[FRAME_MIN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
        struct frame frame = { .data = data, .len = sizeof(data) };

        memcpy(data + MAC_LEN, sources[i], MAC_LEN);
        g_assert_cmpuint(vswitch_input(sw, 1, frame, &rx), ==, VERDICT_NONE);
    }
    g_assert_cmpuint(input(1, "ff:ff:ff:ff:ff:ff", 5), ==, VERDICT_FLOOD);
    end();
}

static unsigned count_flooded(uint16_t in, const char *dst, unsigned n)
{
    unsigned passed = 0;

    for (unsigned i = 0; i < n; ++i)
        passed += input(in, dst, (uint8_t)in) == VERDICT_FLOOD;
    return passed;
}

static void test_storm(void)
{
    struct port_options options = { 0 }, own = { 0 }, without = { 0 };

    begin(VSWITCH_SWITCH);
    sw->storm = 100;
    add_options(&own, "storm", "10");
    add_options(&without, "storm", "0");
    vswitch_open_port(sw, 1, 11, &options, NULL, NULL);
    vswitch_open_port(sw, 2, 12, &own, NULL, NULL);
    vswitch_open_port(sw, 3, 13, &without, NULL, NULL);
    g_assert_cmpuint(count_flooded(1, "ff:ff:ff:ff:ff:ff", 500), ==, 100);
    g_assert_cmpuint(rx.drop_storm, ==, 400);
    g_assert_cmpuint(told[VSWITCH_STORMED], ==, 1);
    g_assert_cmpuint(count_flooded(2, "52:54:00:00:00:99", 500), ==, 10); /* nobody knows it */
    g_assert_cmpuint(count_flooded(3, "ff:ff:ff:ff:ff:ff", 500), ==, 500);
    g_assert_cmpuint(count_flooded(1, "33:33:00:00:00:01", 500), ==, 500); /* multicast passes */
    g_assert_cmpuint(input(1, "52:54:00:00:00:0a", 1), ==, VERDICT_NONE);  /* unknown: too many */
    input(4, "ff:ff:ff:ff:ff:ff", 10);
    g_assert_cmpuint(input(1, "52:54:00:00:00:0a", 1), ==, 4); /* known: it is no flood */
    sw->now_ms += 250;
    g_assert_cmpuint(count_flooded(1, "ff:ff:ff:ff:ff:ff", 500), ==, 25);
    sw->now_ms += 3600 * 1000;
    g_assert_cmpuint(count_flooded(1, "ff:ff:ff:ff:ff:ff", 500), ==, 100);
    end();
}

/* A hub does not know who is unknown, so only broadcasts are limited there. */
static void test_storm_in_a_hub(void)
{
    struct port_options options = { 0 };

    begin(VSWITCH_HUB);
    sw->storm = 100;
    vswitch_open_port(sw, 1, 11, &options, NULL, NULL);
    g_assert_cmpuint(count_flooded(1, "52:54:00:00:00:99", 500), ==, 500);
    g_assert_cmpuint(count_flooded(1, "ff:ff:ff:ff:ff:ff", 500), ==, 100);
    end();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vswitch/switch", test_switch);
    g_test_add_func("/vswitch/to-itself", test_to_itself);
    g_test_add_func("/vswitch/link-local", test_link_local);
    g_test_add_func("/vswitch/transparent", test_transparent);
    g_test_add_func("/vswitch/rules", test_rules);
    g_test_add_func("/vswitch/first", test_first);
    g_test_add_func("/vswitch/pin", test_pin);
    g_test_add_func("/vswitch/pin-skips-the-impossible", test_pin_skips_the_impossible);
    g_test_add_func("/vswitch/storm", test_storm);
    g_test_add_func("/vswitch/storm-in-a-hub", test_storm_in_a_hub);
    return g_test_run();
}
