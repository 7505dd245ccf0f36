/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Joining: what comes out has to be cut into the very frames that went in. */
#include <glib.h>
#include "packets.h"
#include "relay/framing.h"
#include "relay/merge.h"
#include "relay/segment.h"

#define FRAMES 66
#define SIZE   1000

static uint8_t payload[PACKETS_MAX];
static uint8_t store[FRAMES][SIZE + 200];
static struct frame frames[FRAMES];
static struct merge merge;

static const struct packets kinds[] = {
    { .flags = 0x10 },
    { .flags = 0x10, .tcp_options = 12, .sequence = 0xfffffc00, .id = 0xfffe, .tags = 1 },
    { .flags = 0x10, .tcp_options = 40, .tags = 2, .fragments = true },
    { .is_ipv6 = true, .flags = 0x10 },
    { .is_ipv6 = true, .flags = 0x10, .tcp_options = 12, .tags = 1 },
};

static void make(unsigned i, const struct packets *p, size_t from, size_t len)
{
    frames[i].data = store[i];
    frames[i].len = (uint32_t)packets_make(store[i], p, payload + from, len, false);
}

/* Segments in order: n of them, the last one of its own length. */
static void make_flow(const struct packets *p, unsigned n, size_t size, size_t last)
{
    struct packets one = *p;

    for (unsigned i = 0; i < n; ++i) {
        make(i, &one, i * size, i == n - 1 ? last : size);
        one.sequence += (uint32_t)size;
        ++one.id;
    }
}

/* How many of n frames go into the first write. */
static unsigned joined(unsigned n)
{
    unsigned i = 1;

    merge_begin(&merge, frames[0]);
    while (i < n && merge_add(&merge, frames[i]))
        ++i;
    g_assert_cmpuint(merge.n, ==, i);
    return i;
}

/* Writes it, cuts it again, and compares. */
static void check_whole(unsigned n)
{
    static uint8_t whole[FRAMING_HEADER + 2 * PACKETS_MAX];
    struct iovec iov[MERGE_FRAMES + 1];
    struct virtio_net_hdr head;
    size_t len = 0, at = 0, bytes = 0, places = merge_end(&merge, &head, iov);
    struct frame frame = { 0 };
    ssize_t cut;

    for (size_t i = 0; i < places; ++i) {
        memcpy(whole + FRAMING_HEADER + len, iov[i].iov_base, iov[i].iov_len);
        len += iov[i].iov_len;
    }
    cut = segment_frame(whole, len, sizeof(whole), &head);
    g_assert_cmpint(cut, >, 0);
    for (unsigned i = 0; i < n; ++i) {
        g_assert_cmpint(framing_next(whole + at, (size_t)cut - at, &frame), ==, 0);
        g_assert_cmpmem(frame.data, frame.len, frames[i].data, frames[i].len);
        at += FRAMING_HEADER + frame.len;
        bytes += frame.len;
    }
    g_assert_cmpuint(at, ==, (size_t)cut);
    g_assert_cmpuint(merge.bytes, ==, bytes);
}

static void test_flows(void)
{
    static const size_t sizes[][2] = { { SIZE, SIZE }, { SIZE, 1 }, { 1, 1 }, { 537, 536 } };

    for (size_t i = 0; i < G_N_ELEMENTS(kinds); ++i)
        for (size_t k = 0; k < G_N_ELEMENTS(sizes); ++k)
            for (unsigned n = 1; n <= 60; n += 7) {
                make_flow(&kinds[i], n, sizes[k][0], sizes[k][1]);
                g_assert_cmpuint(joined(n), ==, n);
                check_whole(n);
            }
}

/* So many frames, and not more than an IP header can tell. */
static void test_bounds(void)
{
    make_flow(&kinds[0], FRAMES, SIZE, SIZE);
    g_assert_cmpuint(joined(FRAMES), ==, MERGE_FRAMES);
    check_whole(MERGE_FRAMES);
    static uint8_t large[3][30000];
    struct packets p = kinds[1];

    for (unsigned i = 0; i < 3; ++i) {
        frames[i] = (struct frame){ large[i], 0 };
        frames[i].len = (uint32_t)packets_make(large[i], &p, payload, 29000, false);
        p.sequence += 29000;
        ++p.id;
    }
    g_assert_cmpuint(joined(3), ==, 2);
    check_whole(2);
}

/* PSH ends it and stays; a shorter one ends it; a longer one is not taken. */
static void test_ends(void)
{
    struct packets p = kinds[0];

    make_flow(&p, 4, SIZE, SIZE);
    p.flags = 0x18;
    p.sequence += 2 * SIZE;
    p.id += 2;
    make(2, &p, 2 * SIZE, SIZE);
    g_assert_cmpuint(joined(4), ==, 3);
    check_whole(3);
    make_flow(&kinds[0], 4, SIZE, SIZE);
    p.flags = 0x10;
    make(2, &p, 2 * SIZE, SIZE - 1);
    p.sequence += SIZE - 1;
    ++p.id;
    make(3, &p, 0, SIZE);
    g_assert_cmpuint(joined(4), ==, 3);
    p = kinds[0];
    make(0, &p, 0, 500);
    p.sequence += 500;
    ++p.id;
    make(1, &p, 500, 501);
    g_assert_cmpuint(joined(2), ==, 1);
}

/* What must not be taken as a second one. */
static void test_strangers(void)
{
    static const struct packets others[] = {
        { .flags = 0x10, .sequence = SIZE + 1, .id = 1 }, /* a gap */
        { .flags = 0x10, .sequence = 0, .id = 1 },        /* again */
        { .flags = 0x11, .sequence = SIZE, .id = 1 },     /* FIN */
        { .flags = 0x30, .sequence = SIZE, .id = 1 },     /* URG */
        { .flags = 0x50, .sequence = SIZE, .id = 1 },     /* ECE */
        { .flags = 0x90, .sequence = SIZE, .id = 1 },     /* CWR */
        { .flags = 0x14, .sequence = SIZE, .id = 1 },     /* RST */
        { .flags = 0x00, .sequence = SIZE, .id = 1 },
        { .flags = 0x10, .sequence = SIZE, .id = 1, .window = 9 },
        { .flags = 0x10, .sequence = SIZE, .id = 1, .tcp_options = 4 },
        { .flags = 0x10, .sequence = SIZE, .id = 1, .options = 4 },
        { .flags = 0x10, .sequence = SIZE, .id = 1, .tags = 1 },
        { .flags = 0x10, .sequence = SIZE, .id = 1, .fragments = true },
        { .flags = 0x10, .sequence = SIZE, .is_ipv6 = true },
        { .is_udp = true, .id = 1 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(others); ++i) {
        make_flow(&kinds[0], 2, SIZE, SIZE);
        make(1, &others[i], SIZE, SIZE);
        g_test_message("stranger %zu", i);
        g_assert_cmpuint(joined(2), ==, 1);
        check_whole(1);
        frames[0] = frames[1];
        g_assert_cmpuint(joined(1), ==, 1);
    }
}

/* The numbers have to go on, also where nobody needs them: cut again, they would. */
static void test_identification(void)
{
    for (int fragments = 0; fragments < 2; fragments++) {
        struct packets p = { .flags = 0x10, .fragments = fragments };

        make_flow(&p, 2, SIZE, SIZE);
        p.sequence = SIZE;
        p.id = 2;
        make(1, &p, SIZE, SIZE);
        g_assert_cmpuint(joined(2), ==, 1);
        p.id = 1;
        make(1, &p, SIZE, SIZE);
        g_assert_cmpuint(joined(2), ==, 2);
    }
}

/* Any single bit of two frames that would be one: they are not, or it is in what may differ. */
static void test_every_bit(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); ++i) {
        size_t len;

        make_flow(&kinds[i], 2, 40, 40);
        len = frames[0].len;
        for (size_t bit = 0; bit < 2 * 8 * len; ++bit) {
            uint8_t *at = &store[bit / 8 / len][bit / 8 % len];

            *at ^= (uint8_t)(1 << bit % 8);
            g_assert_cmpuint(joined(2), ==, 1);
            *at ^= (uint8_t)(1 << bit % 8);
        }
        g_assert_cmpuint(joined(2), ==, 2);
    }
}

/* Frames that are cut short, or have bytes behind their end, as Ethernet pads them. */
static void test_lengths(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); ++i) {
        make_flow(&kinds[i], 2, 100, 100);
        for (uint32_t len = 1; len < frames[1].len; ++len) {
            struct frame whole = frames[1];

            frames[1].len = len;
            g_assert_cmpuint(joined(2), ==, 1);
            frames[1] = whole;
        }
        ++frames[1].len;
        g_assert_cmpuint(joined(2), ==, 1);
        frames[0] = frames[1];
        g_assert_cmpuint(joined(1), ==, 1);
        check_whole(1);
    }
}

int main(int argc, char **argv)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(2);

    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < sizeof(payload); ++i)
        payload[i] = (uint8_t)g_rand_int(random);
    g_test_add_func("/merge/flows", test_flows);
    g_test_add_func("/merge/bounds", test_bounds);
    g_test_add_func("/merge/ends", test_ends);
    g_test_add_func("/merge/strangers", test_strangers);
    g_test_add_func("/merge/identification", test_identification);
    g_test_add_func("/merge/every-bit", test_every_bit);
    g_test_add_func("/merge/lengths", test_lengths);
    return g_test_run();
}
