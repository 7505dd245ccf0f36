/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib.h>
#include <string.h>
#include "relay/shared.h"
#include "relay/vswitch.h"

static struct vswitch *sw;
static struct fdb_table *table;

static void begin(enum vswitch_mode mode)
{
    sw = g_new0(struct vswitch, 1);
    table = g_new0(struct fdb_table, 1);
    sw->mode = mode;
    sw->now_s = 100;
    fdb_init(&sw->fdb, table);
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
    return vswitch_input(sw, in, (struct frame){ .data = data, .len = sizeof(data) });
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
    end();
}

static void test_reserved(void)
{
    begin(VSWITCH_SWITCH);
    g_assert_cmpuint(input(1, "01:80:c2:00:00:01", 1), ==, VERDICT_NONE); /* flow control */
    g_assert_cmpuint(input(1, "01:80:c2:00:00:00", 1), ==, VERDICT_FLOOD);
    g_assert_cmpuint(input(1, "01:80:c2:00:00:0e", 1), ==, VERDICT_FLOOD);
    end();
}

static void test_transparent(void)
{
    static const enum vswitch_mode modes[] = { VSWITCH_HUB, VSWITCH_WIRE };

    for (size_t i = 0; i < G_N_ELEMENTS(modes); ++i) {
        begin(modes[i]);
        g_assert_cmpuint(input(1, "52:54:00:00:00:02", 1), ==, VERDICT_FLOOD);
        g_assert_cmpuint(input(2, "52:54:00:00:00:01", 2), ==, VERDICT_FLOOD);
        g_assert_cmpuint(input(1, "01:80:c2:00:00:01", 1), ==, VERDICT_FLOOD);
        end();
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vswitch/switch", test_switch);
    g_test_add_func("/vswitch/reserved", test_reserved);
    g_test_add_func("/vswitch/transparent", test_transparent);
    return g_test_run();
}
