/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cutting against frames that were made one by one. */
#include <errno.h>
#include <glib.h>
#include "packets.h"
#include "relay/checksum.h"
#include "relay/framing.h"
#include "relay/segment.h"

#define ROOM   (4 * PACKETS_MAX)
#define UDP_L4 5

static uint8_t payload[PACKETS_MAX];
static uint8_t buf[ROOM];

static const struct packets kinds[] = {
    { .flags = 0x10 },
    { .tcp_options = 12, .flags = 0x18, .sequence = 0xffffff00, .id = 0xfffe },
    { .tcp_options = 40, .flags = 0x99, .tags = 1 }, /* CWR, ACK, PSH, FIN */
    { .options = 40, .tcp_options = 40, .flags = 0x11, .tags = 2, .fragments = true },
    { .is_ipv6 = true, .flags = 0x18 },
    { .is_ipv6 = true, .tcp_options = 12, .flags = 0x19, .tags = 1 },
    { .is_ipv6 = true, .extension = 24, .tcp_options = 12, .flags = 0x10 },
    { .is_udp = true, .id = 7 },
    { .is_udp = true, .is_ipv6 = true, .tags = 2 },
    { .is_udp = true, .is_ipv6 = true, .extension = 8 },
};

static const struct {
    size_t payload, size;
} amounts[] = { { 0, 1448 },    { 1, 1448 },     { 1448, 1448 },   { 1449, 1448 }, { 2896, 1448 },
                { 3000, 999 },  { 65000, 1448 }, { 65000, 8948 },  { 999, 1 },     { 5000, 61 },
                { 65001, 777 }, { 1448, 65535 }, { 65000, 64999 }, { 2, 1 } };

static struct virtio_net_hdr head_of(const struct packets *p, size_t size)
{
    return (struct virtio_net_hdr){
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .gso_type = p->is_udp    ? UDP_L4
                    : p->is_ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6
                                 : VIRTIO_NET_HDR_GSO_TCPV4,
        .hdr_len = (uint16_t)packets_headers(p),
        .gso_size = (uint16_t)size,
        .csum_start = (uint16_t)packets_l4(p),
        .csum_offset = p->is_udp ? 6 : 16,
    };
}

/* What they should be: made one by one. */
static size_t make_segments(uint8_t *to, const struct packets *p, size_t len, size_t size)
{
    size_t at = 0, done = 0, n;
    struct packets one = *p;

    do {
        n = len - done < size ? len - done : size;
        one.flags = p->flags;
        if (done + n < len)
            one.flags &= (uint8_t)~0x09; /* PSH, FIN: the last one's */
        if (done > 0)
            one.flags &= 0x7f; /* CWR: the first one's */
        n = packets_make(to + at + FRAMING_HEADER, &one, payload + done, n, false);
        framing_put_length(to + at, (uint32_t)n);
        at += FRAMING_HEADER + n;
        done += n - packets_headers(p);
        one.sequence = p->sequence + (uint32_t)done;
        ++one.id;
    } while (done < len);
    return at;
}

static void test_all_kinds(void)
{
    g_autofree uint8_t *wanted = g_malloc(ROOM);

    for (size_t i = 0; i < G_N_ELEMENTS(kinds); ++i) {
        for (size_t k = 0; k < G_N_ELEMENTS(amounts); ++k) {
            struct virtio_net_hdr head = head_of(&kinds[i], amounts[k].size);
            size_t len =
                packets_make(buf + FRAMING_HEADER, &kinds[i], payload, amounts[k].payload, true);
            size_t n = make_segments(wanted, &kinds[i], amounts[k].payload, amounts[k].size);

            g_test_message("kind %zu, %zu by %zu", i, amounts[k].payload, amounts[k].size);
            g_assert_cmpint(segment_frame(buf, len, n - 1, &head), ==, -EMSGSIZE);
            g_assert_cmpint(segment_frame(buf, len, n, &head), ==, (ssize_t)n);
            g_assert_cmpmem(buf, n, wanted, n);
        }
    }
}

static void test_ecn(void)
{
    g_autofree uint8_t *wanted = g_malloc(ROOM);
    struct virtio_net_hdr head = head_of(&kinds[2], 1000);
    size_t len = packets_make(buf + FRAMING_HEADER, &kinds[2], payload, 4500, true);
    size_t n = make_segments(wanted, &kinds[2], 4500, 1000);

    head.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
    g_assert_cmpint(segment_frame(buf, len, ROOM, &head), ==, (ssize_t)n);
    g_assert_cmpmem(buf, n, wanted, n);
}

/* One that is no larger than it should be: only its checksum is to be completed. */
static void test_checksum_only(void)
{
    uint8_t wanted[2000];

    for (size_t i = 0; i < G_N_ELEMENTS(kinds); ++i) {
        for (size_t size = 0; size < 1460; size += 73) {
            struct virtio_net_hdr head = head_of(&kinds[i], 0);
            size_t len = packets_make(buf + FRAMING_HEADER, &kinds[i], payload, size, true);

            head.gso_type = VIRTIO_NET_HDR_GSO_NONE;
            packets_make(wanted, &kinds[i], payload, size, false);
            g_assert_cmpint(segment_frame(buf, len, ROOM, &head), ==,
                            (ssize_t)(FRAMING_HEADER + len));
            g_assert_cmpmem(buf + FRAMING_HEADER, len, wanted, len);
        }
    }
}

static void test_untouched(void)
{
    struct virtio_net_hdr head = { .flags = VIRTIO_NET_HDR_F_DATA_VALID };
    struct frame frame = { 0 };

    memcpy(buf + FRAMING_HEADER, payload, 100);
    g_assert_cmpint(segment_frame(buf, 100, 103, &head), ==, -EMSGSIZE);
    g_assert_cmpint(segment_frame(buf, 100, 104, &head), ==, 104);
    g_assert_cmpint(framing_next(buf, 104, &frame), ==, 0);
    g_assert_cmpmem(frame.data, frame.len, payload, 100);
}

static void refused(const struct packets *p, struct virtio_net_hdr head, size_t cut_to)
{
    size_t len = packets_make(buf + FRAMING_HEADER, p, payload, 5000, true);

    g_assert_cmpint(segment_frame(buf, cut_to ? cut_to : len, ROOM, &head), ==, -EBADMSG);
}

/* A head that tells what is not so; a frame that ends within its headers. */
static void test_wrong_heads(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); ++i) {
        const struct virtio_net_hdr right = head_of(&kinds[i], 1000);
        struct virtio_net_hdr head = right;

        head.gso_size = 0;
        refused(&kinds[i], head, 0);
        head = right;
        head.flags = 0;
        refused(&kinds[i], head, 0);
        for (unsigned type = 1; type < 256; ++type) {
            head = right;
            head.gso_type = (uint8_t)type;
            if ((type & 0x7f) != right.gso_type && (type & 0x7f) != 0)
                refused(&kinds[i], head, 0);
        }
        head = right;
        head.csum_start = kinds[i].is_ipv6 ? 20 : head.csum_start + 4;
        refused(&kinds[i], head, 0);
        head.csum_start = 0xffff;
        refused(&kinds[i], head, 0);
        head = right;
        head.csum_offset ^= 22; /* UDP's for TCP's */
        refused(&kinds[i], head, 0);
        for (size_t cut = 1; cut < packets_headers(&kinds[i]); ++cut)
            refused(&kinds[i], right, cut);
        head = right;
        head.gso_type = VIRTIO_NET_HDR_GSO_NONE;
        head.csum_offset = 0xfff0;
        refused(&kinds[i], head, 0);
        head.csum_start = 0xffff;
        refused(&kinds[i], head, 0);
    }
}

static void test_sums(void)
{
    for (size_t from = 0; from < 70; ++from)
        for (size_t len = 0; len < 300; len += 1 + from % 3) {
            uint16_t wanted = packets_sum(0, payload + from, len);
            uint16_t got = checksum_fold(checksum_add(0, payload + from, len));

            g_assert_cmphex(GUINT16_FROM_BE(got), ==, wanted);
        }
    memset(buf, 0xff, 65536);
    g_assert_cmphex(checksum_fold(checksum_add(UINT32_MAX, buf, 65536)), ==, 0xffff);
    g_assert_cmphex(checksum_fold(0), ==, 0);
}

int main(int argc, char **argv)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(1);

    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < sizeof(payload); ++i)
        payload[i] = (uint8_t)g_rand_int(random);
    g_test_add_func("/segment/sums", test_sums);
    g_test_add_func("/segment/all-kinds", test_all_kinds);
    g_test_add_func("/segment/ecn", test_ecn);
    g_test_add_func("/segment/checksum-only", test_checksum_only);
    g_test_add_func("/segment/untouched", test_untouched);
    g_test_add_func("/segment/wrong-heads", test_wrong_heads);
    return g_test_run();
}
