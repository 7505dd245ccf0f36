/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <glib.h>
#include <sanitizer/asan_interface.h>
#include <string.h>
#include "common/ctl-proto.h"

static const enum ctl_attr all_attrs_end = CTL_A_QUEUED;

static void make_port(struct ctl_msg *msg)
{
    ctl_msg_begin(msg, CTL_PORT, 77);
    ctl_put_u32(msg, CTL_A_PORT_ID, 5);
    ctl_put_str(msg, CTL_A_LABEL, "a label of 15 b");
    ctl_put_u64(msg, CTL_A_RX_BYTES, G_GUINT64_CONSTANT(0x1122334455667788));
    ctl_put_str(msg, CTL_A_PEER, "");
    ctl_put_str(msg, CTL_A_DETAIL, NULL);
    ctl_put_u32(msg, CTL_A_STATE, CTL_PORT_UP);
    g_assert_cmpint(ctl_msg_end(msg), ==, 0);
}

/*
 * The first len bytes of a message, as if its packet had ended there. Behind them is what an
 * earlier, longer message may have left, and for the sanitizer nothing that may be read.
 */
static void cut_msg(struct ctl_msg *ret, const struct ctl_msg *msg, size_t len)
{
    memset(ret->buf, 0xff, sizeof(ret->buf));
    memcpy(ret->buf, msg->buf, len);
    ret->len = len;
    ASAN_POISON_MEMORY_REGION(ret->buf + len, sizeof(ret->buf) - len);
}

/* Asks for everything that there is; only that it comes back is looked at here. */
static void read_all(const struct ctl_msg *msg)
{
    char text[64];
    uint64_t u64;
    uint32_t u32;

    for (unsigned a = 0; a <= (unsigned)all_attrs_end + 1; a++) {
        ctl_get_u32(msg, (enum ctl_attr)a, &u32);
        ctl_get_u64(msg, (enum ctl_attr)a, &u64);
        if (ctl_get_str(msg, (enum ctl_attr)a, text, sizeof(text)))
            g_assert_cmpuint(strlen(text), <, sizeof(text));
    }
    ctl_type_name(ctl_msg_type(msg));
    ctl_msg_serial(msg);
}

static void test_round_trip(void)
{
    struct ctl_msg msg;
    char text[CTL_LABEL_MAX];
    uint64_t u64;
    uint32_t u32;

    make_port(&msg);
    g_assert_cmpint(ctl_msg_check(&msg), ==, 0);
    g_assert_cmpint(ctl_msg_type(&msg), ==, CTL_PORT);
    g_assert_cmpuint(ctl_msg_serial(&msg), ==, 77);
    g_assert_true(ctl_get_u32(&msg, CTL_A_PORT_ID, &u32));
    g_assert_cmpuint(u32, ==, 5);
    g_assert_true(ctl_get_u64(&msg, CTL_A_RX_BYTES, &u64));
    g_assert_cmphex(u64, ==, G_GUINT64_CONSTANT(0x1122334455667788));
    g_assert_true(ctl_get_str(&msg, CTL_A_LABEL, text, sizeof(text)));
    g_assert_cmpstr(text, ==, "a label of 15 b");
    g_assert_true(ctl_get_str(&msg, CTL_A_PEER, text, sizeof(text)));
    g_assert_cmpstr(text, ==, "");
    g_assert_false(ctl_get_str(&msg, CTL_A_DETAIL, text, sizeof(text)));
}

static void test_empty(void)
{
    struct ctl_msg msg;

    ctl_msg_begin(&msg, CTL_DUMP, 1);
    g_assert_cmpint(ctl_msg_end(&msg), ==, 0);
    g_assert_cmpuint(msg.len, ==, 12);
    g_assert_cmpint(ctl_msg_check(&msg), ==, 0);
}

static void test_sizes_must_fit(void)
{
    struct ctl_msg msg;
    char text[16];
    uint64_t u64 = 1;
    uint32_t u32 = 2;

    make_port(&msg);
    g_assert_false(ctl_get_u64(&msg, CTL_A_PORT_ID, &u64));
    g_assert_false(ctl_get_u32(&msg, CTL_A_RX_BYTES, &u32));
    g_assert_false(ctl_get_u32(&msg, CTL_A_TX_BYTES, &u32));
    g_assert_cmpuint(u64, ==, 1);
    g_assert_cmpuint(u32, ==, 2);
    g_assert_true(ctl_get_str(&msg, CTL_A_LABEL, text, 16));
    g_assert_false(ctl_get_str(&msg, CTL_A_LABEL, text, 15));
    g_assert_false(ctl_get_str(&msg, CTL_A_LABEL, text, 0));
    /* A number has bytes of 0 inside, and is no text. */
    g_assert_false(ctl_get_str(&msg, CTL_A_PORT_ID, text, sizeof(text)));
}

static void test_first_counts_unknown_passed_over(void)
{
    struct ctl_msg msg;
    uint32_t u32;

    ctl_msg_begin(&msg, CTL_REPLY, 3);
    ctl_put_str(&msg, (enum ctl_attr)60000, "from the future");
    ctl_put_u32(&msg, CTL_A_ERROR, 1);
    ctl_put_u32(&msg, CTL_A_ERROR, 2);
    g_assert_cmpint(ctl_msg_end(&msg), ==, 0);
    g_assert_cmpint(ctl_msg_check(&msg), ==, 0);
    g_assert_true(ctl_get_u32(&msg, CTL_A_ERROR, &u32));
    g_assert_cmpuint(u32, ==, 1);
}

static void test_full(void)
{
    g_autofree char *exact = g_strnfill(CTL_MSG_MAX - 12 - 4, 'x');
    g_autofree char *longer = g_strnfill(CTL_MSG_MAX - 12 - 3, 'x');
    g_autofree char *huge = g_strnfill(65536 + 8, 'x'); /* its length would be 8 in 16 bits */
    struct ctl_msg msg;
    char text[CTL_MSG_MAX];

    ctl_msg_begin(&msg, CTL_REPLY, 1);
    ctl_put_str(&msg, CTL_A_ERROR_TEXT, exact);
    g_assert_cmpint(ctl_msg_end(&msg), ==, 0);
    g_assert_cmpuint(msg.len, ==, CTL_MSG_MAX);
    g_assert_cmpint(ctl_msg_check(&msg), ==, 0);
    g_assert_true(ctl_get_str(&msg, CTL_A_ERROR_TEXT, text, sizeof(text)));
    g_assert_cmpstr(text, ==, exact);

    ctl_msg_begin(&msg, CTL_REPLY, 1);
    ctl_put_str(&msg, CTL_A_ERROR_TEXT, longer);
    g_assert_cmpint(ctl_msg_end(&msg), ==, -EMSGSIZE);
    ctl_msg_begin(&msg, CTL_REPLY, 1);
    ctl_put_str(&msg, CTL_A_ERROR_TEXT, huge);
    ctl_put_u32(&msg, CTL_A_ERROR, 1); /* fits, and yet the message stays marked */
    g_assert_cmpint(ctl_msg_end(&msg), ==, -EMSGSIZE);
    g_assert_cmpint(ctl_msg_check(&msg), ==, -EPROTO);
    read_all(&msg);

    ctl_msg_begin(&msg, CTL_DUMP, 1); /* and can be used again */
    g_assert_cmpint(ctl_msg_end(&msg), ==, 0);
}

/* A message cut off anywhere is malformed, and nothing is read behind the cut. */
static void test_truncated(void)
{
    struct ctl_msg msg, cut;

    make_port(&msg);
    for (size_t len = 0; len < msg.len; len++) {
        cut_msg(&cut, &msg, len);
        g_assert_cmpint(ctl_msg_check(&cut), ==, -EPROTO);
        read_all(&cut);
        ASAN_UNPOISON_MEMORY_REGION(cut.buf, sizeof(cut.buf));
    }
}

/* The same where the header claims just that length: good only between two attributes. */
static void test_truncated_consistently(void)
{
    static const size_t ends[] = { 12, 20, 40, 52, 56 };
    struct ctl_msg msg, cut;
    char text[64];
    size_t next = 0;

    make_port(&msg);
    for (uint32_t len = 12; len < msg.len; len++) {
        bool good = next < G_N_ELEMENTS(ends) && len == ends[next];

        next += good;
        memcpy(msg.buf + 8, &len, sizeof(len));
        cut_msg(&cut, &msg, len);
        g_assert_cmpint(ctl_msg_check(&cut), ==, good ? 0 : -EPROTO);
        g_assert_cmpint(ctl_get_str(&cut, CTL_A_LABEL, text, sizeof(text)), ==, len >= 40);
        read_all(&cut);
        ASAN_UNPOISON_MEMORY_REGION(cut.buf, sizeof(cut.buf));
    }
    g_assert_cmpuint(next, ==, G_N_ELEMENTS(ends));
}

static void test_flipped(void)
{
    struct ctl_msg msg;

    make_port(&msg);
    for (size_t at = 0; at < msg.len; at++) {
        for (unsigned value = 0; value < 256; value++) {
            struct ctl_msg bad = msg;
            int r;

            bad.buf[at] = (uint8_t)value;
            r = ctl_msg_check(&bad);
            if (at < 2 && bad.buf[at] != msg.buf[at])
                g_assert_cmpint(r, ==, -EPROTONOSUPPORT);
            else if (at >= 8 && at < 12 && bad.buf[at] != msg.buf[at])
                g_assert_cmpint(r, ==, -EPROTO);
            else
                g_assert_true(r == 0 || r == -EPROTO);
            read_all(&bad);
        }
    }
}

static void test_noise(void)
{
    unsigned good = 0;

    for (int round = 0; round < 20000; round++) {
        struct ctl_msg msg;
        uint32_t claimed;

        make_port(&msg);
        for (int i = 0; i < 3; i++)
            msg.buf[g_test_rand_int_range(12, (int)msg.len)] = (uint8_t)g_test_rand_int();
        msg.len = (size_t)g_test_rand_int_range(12, 96);
        claimed = (uint32_t)msg.len;
        memcpy(msg.buf + 8, &claimed, sizeof(claimed));
        good += ctl_msg_check(&msg) == 0;
        read_all(&msg);
    }
    g_assert_cmpuint(good, >, 100);
    g_assert_cmpuint(good, <, 19900);
}

static void test_impossible_length(void)
{
    struct ctl_msg msg;

    make_port(&msg);
    msg.len = CTL_MSG_MAX + 1;
    g_assert_cmpint(ctl_msg_check(&msg), ==, -EPROTO);
    read_all(&msg);
    msg.len = SIZE_MAX;
    g_assert_cmpint(ctl_msg_check(&msg), ==, -EPROTO);
    read_all(&msg);
}

static void test_several_of_one_attribute(void)
{
    struct ctl_msg msg;
    uint32_t got = 0;

    ctl_msg_begin(&msg, CTL_CAPTURE, 1);
    ctl_put_u32(&msg, CTL_A_PORT_ID, 7);
    ctl_put_u32(&msg, CTL_A_ENDPOINT_ID, 1);
    ctl_put_u32(&msg, CTL_A_PORT_ID, 9);
    g_assert_cmpint(ctl_msg_end(&msg), ==, 0);
    g_assert_true(ctl_get_u32_at(&msg, CTL_A_PORT_ID, 0, &got) && got == 7);
    g_assert_true(ctl_get_u32_at(&msg, CTL_A_PORT_ID, 1, &got) && got == 9);
    g_assert_false(ctl_get_u32_at(&msg, CTL_A_PORT_ID, 2, &got));
    g_assert_false(ctl_get_u32_at(&msg, CTL_A_ENDPOINT_ID, 1, &got));
}

/* The register's pages: a message, zeros, lengths that cannot be. */
static void test_page(void)
{
    struct ctl_msg page = { 0 };
    uint32_t length, id = 0;

    g_assert_cmpint(ctl_msg_check_page(&page), <, 0);
    ctl_msg_begin(&page, CTL_EVENT_DEPOSIT, 0);
    ctl_put_u32(&page, CTL_A_PORT_ID, 7);
    g_assert_cmpint(ctl_msg_end(&page), ==, 0);
    length = (uint32_t)page.len;
    page.len = 0;
    g_assert_cmpint(ctl_msg_check_page(&page), ==, 0);
    g_assert_cmpuint(page.len, ==, length);
    g_assert_true(ctl_get_u32(&page, CTL_A_PORT_ID, &id) && id == 7);
    for (length = 0; length <= CTL_MSG_MAX + 1; length++) {
        memcpy(page.buf + 8, &length, sizeof(length));
        if (ctl_msg_check_page(&page) == 0)
            g_assert_cmpuint(page.len, ==, length);
    }
    length = UINT32_MAX;
    memcpy(page.buf + 8, &length, sizeof(length));
    g_assert_cmpint(ctl_msg_check_page(&page), ==, -EPROTO);
}

static void test_names(void)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

    for (int t = CTL_HELLO; t <= CTL_EVENT_DEPOSIT; t++) {
        const char *name = ctl_type_name((enum ctl_type)t);

        g_assert_cmpstr(name, !=, "?");
        g_assert_true(g_hash_table_add(seen, (char *)name));
    }
    g_assert_cmpstr(ctl_type_name((enum ctl_type)0), ==, "?");
    g_assert_cmpstr(ctl_type_name((enum ctl_type)(CTL_EVENT_DEPOSIT + 1)), ==, "?");
    g_assert_cmpstr(ctl_type_name((enum ctl_type) - 1), ==, "?");

    g_assert_cmpstr(ctl_endpoint_state_name(CTL_ENDPOINT_LISTENING), ==, "listening");
    g_assert_cmpstr(ctl_endpoint_state_name(CTL_ENDPOINT_ENDED), ==, "ended");
    g_assert_cmpstr(ctl_endpoint_state_name((enum ctl_endpoint_state)(CTL_ENDPOINT_ENDED + 1)), ==,
                    "?");
    g_assert_cmpstr(ctl_port_state_name(CTL_PORT_CLOSING), ==, "closing");
    g_assert_cmpstr(ctl_port_state_name(CTL_PORT_BLOCKED), ==, "blocked");
    g_assert_cmpstr(ctl_port_state_name(CTL_PORT_HELD), ==, "held");
    g_assert_cmpstr(ctl_port_state_name(CTL_PORT_LEAVING), ==, "leaving");
    g_assert_cmpstr(ctl_port_state_name((enum ctl_port_state)(CTL_PORT_LEAVING + 1)), ==, "?");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ctl-proto/round-trip", test_round_trip);
    g_test_add_func("/ctl-proto/empty", test_empty);
    g_test_add_func("/ctl-proto/sizes-must-fit", test_sizes_must_fit);
    g_test_add_func("/ctl-proto/first-counts-unknown-passed-over",
                    test_first_counts_unknown_passed_over);
    g_test_add_func("/ctl-proto/full", test_full);
    g_test_add_func("/ctl-proto/truncated", test_truncated);
    g_test_add_func("/ctl-proto/truncated-consistently", test_truncated_consistently);
    g_test_add_func("/ctl-proto/flipped", test_flipped);
    g_test_add_func("/ctl-proto/noise", test_noise);
    g_test_add_func("/ctl-proto/impossible-length", test_impossible_length);
    g_test_add_func("/ctl-proto/several-of-one-attribute", test_several_of_one_attribute);
    g_test_add_func("/ctl-proto/page", test_page);
    g_test_add_func("/ctl-proto/names", test_names);
    return g_test_run();
}
