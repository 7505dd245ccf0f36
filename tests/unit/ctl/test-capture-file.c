/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/capture-file.h"

#include <string.h>
#include "common/capture-proto.h"
#include "ctl/pcapng.h"

#define FRAME_SIZE(captured) (8 + 20 + (((captured) + 3) & ~3) + 8 + 4 + 4)

static const NrCaptureBounds no_bounds = { G_MAXUINT64, G_MAXUINT64, G_MAXUINT64, 69632 };

static void name_port(guint32 port_id, char **ret_name, char **ret_description, gpointer data)
{
    *ret_name = g_strdup_printf("port %u", port_id);
    *ret_description = g_strdup("");
}

static void add(GByteArray *packet, enum capture_kind kind, guint32 port_id, guint64 time_ns,
                guint32 length)
{
    struct capture_record record = { .kind = kind, .port_id = port_id, .time_ns = time_ns };
    guint8 bytes[2048];

    record.length = length;
    record.captured = kind == CAPTURE_IN || kind == CAPTURE_OUT ? length : 0;
    memset(bytes, (int)length, sizeof(bytes));
    g_byte_array_append(packet, (guint8 *)&record, sizeof(record));
    g_byte_array_append(packet, bytes, CAPTURE_PAD(record.captured));
}

static guint32 u32_at(const GByteArray *bytes, gsize at)
{
    guint32 value;

    g_assert_cmpuint(at + sizeof(value), <=, bytes->len);
    memcpy(&value, bytes->data + at, sizeof(value));
    return value;
}

/* How many blocks of this type there are; every length must stand at both ends of its block. */
static guint count_blocks(const GByteArray *bytes, guint32 type)
{
    guint found = 0;

    for (gsize at = 0; at < bytes->len;) {
        guint32 length = u32_at(bytes, at + 4);

        g_assert_cmpuint(length, >=, 12);
        g_assert_cmpuint(length % 4, ==, 0);
        g_assert_cmpuint(u32_at(bytes, at + length - 4), ==, length);
        found += u32_at(bytes, at) == type;
        at += length;
    }
    return found;
}

static void test_blocks(void)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    const guint8 bytes[] = { 1, 2, 3, 4, 5 };
    const NrPcapngFrame frame = {
        .interface = 3,
        .time_ns = 0x1122334455667788,
        .direction = NR_PCAPNG_OUTBOUND,
        .length = 1000,
        .captured = sizeof(bytes),
        .bytes = bytes,
    };
    const guint8 expected[] = { 0x88, 0x77, 0x66, 0x55 };

    nr_pcapng_frame(out, &frame);
    g_assert_cmpuint(out->len, ==, FRAME_SIZE(sizeof(bytes)));
    g_assert_cmpuint(u32_at(out, 8), ==, 3);
    g_assert_cmpuint(u32_at(out, 12), ==, 0x11223344);
    g_assert_cmpmem(out->data + 16, 4, expected, 4); /* of a little-endian machine */
    g_assert_cmpuint(u32_at(out, 20), ==, sizeof(bytes));
    g_assert_cmpuint(u32_at(out, 24), ==, 1000);
    g_assert_cmpmem(out->data + 28, 5, bytes, 5);
    g_assert_cmpuint(u32_at(out, 36), ==, 4 << 16 | 2); /* flags, four bytes */
    g_assert_cmpuint(u32_at(out, 40), ==, NR_PCAPNG_OUTBOUND);

    g_byte_array_set_size(out, 0);
    nr_pcapng_statistics(out, 0, 1, 2, 3, 4);
    g_assert_cmpuint(out->len, ==, NR_PCAPNG_STATISTICS_SIZE);
}

static void test_a_file(void)
{
    g_autoptr(NrCaptureFile) file = nr_capture_file_new(&no_bounds, name_port);
    g_autoptr(GByteArray) packet = g_byte_array_new();
    NrCaptureStream stream = { 0 };

    add(packet, CAPTURE_BEGUN, 0, 5, 0);
    add(packet, CAPTURE_IN, 7, 10, 60);
    add(packet, CAPTURE_OUT, 9, 10, 61);
    add(packet, CAPTURE_MISSED, 7, 11, 12);
    add(packet, CAPTURE_MISSED, 0, 11, 30);
    add(packet, CAPTURE_IN, 7, 12, 62);
    g_assert_true(nr_capture_file_take(file, &stream, packet->data, packet->len));
    nr_capture_file_end(file);
    g_assert_cmpuint(file->begin_ns, ==, 5);
    g_assert_cmpuint(file->frames, ==, 3);
    g_assert_cmpuint(file->missed, ==, 42);
    g_assert_cmpuint(count_blocks(file->pending, 1), ==, 2);
    g_assert_cmpuint(count_blocks(file->pending, 6), ==, 3);
    g_assert_cmpuint(count_blocks(file->pending, 5), ==, 2);
}

/* Another forwarder begins: what neither came nor was told of is missed, once. */
static void test_successors(void)
{
    g_autoptr(NrCaptureFile) file = nr_capture_file_new(&no_bounds, name_port);
    g_autoptr(GByteArray) packet = g_byte_array_new();
    NrCaptureStream stream = { 0 };

    add(packet, CAPTURE_BEGUN, 0, 5, 0);
    add(packet, CAPTURE_IN, 7, 10, 60);
    add(packet, CAPTURE_MISSED, 7, 11, 12);
    add(packet, CAPTURE_BEGUN, 0, 12, 20);
    add(packet, CAPTURE_IN, 7, 13, 60);
    add(packet, CAPTURE_BEGUN, 0, 14, 21);
    add(packet, CAPTURE_BEGUN, 0, 15, 0); /* a relay that does not say */
    g_assert_true(nr_capture_file_take(file, &stream, packet->data, packet->len));
    g_assert_cmpuint(file->begin_ns, ==, 5);
    g_assert_cmpuint(file->frames, ==, 2);
    g_assert_cmpuint(file->missed, ==, 12 + 7);
}

static void name_alike(guint32 port_id, char **ret_name, char **ret_description, gpointer data)
{
    *ret_name = g_strdup(port_id == 2 ? "guest/b" : "guest/a");
    *ret_description = g_strdup("");
}

/* Two relays: ports are told apart by both, joined by name, and each one misses its own. */
static void test_streams(void)
{
    g_autoptr(NrCaptureFile) file = nr_capture_file_new(&no_bounds, name_alike);
    g_autoptr(GByteArray) packet = g_byte_array_new();
    NrCaptureStream one = { .number = 1 }, other = { .number = 2 };

    add(packet, CAPTURE_BEGUN, 0, 5, 0);
    add(packet, CAPTURE_IN, 1, 10, 60);
    add(packet, CAPTURE_IN, 2, 10, 60);
    add(packet, CAPTURE_IN, 3, 10, 60);
    g_assert_true(nr_capture_file_take(file, &one, packet->data, packet->len));
    g_assert_cmpuint(count_blocks(file->pending, 1), ==, 2);
    g_byte_array_set_size(packet, 0);
    add(packet, CAPTURE_BEGUN, 0, 15, 0);
    add(packet, CAPTURE_IN, 2, 16, 60);
    add(packet, CAPTURE_BEGUN, 0, 17, 2); /* one of them went with the forwarder */
    g_assert_true(nr_capture_file_take(file, &other, packet->data, packet->len));
    g_assert_cmpuint(count_blocks(file->pending, 1), ==, 2);
    g_assert_cmpuint(file->begin_ns, ==, 5);
    g_assert_cmpuint(other.begin_ns, ==, 15);
    g_assert_cmpuint(file->frames, ==, 4);
    g_assert_cmpuint(file->missed, ==, 1);
    g_assert_cmpuint(other.missed, ==, 1);
    g_assert_cmpuint(one.missed, ==, 0);
}

/* At the end each interface is told of, in their order: what came, what did not, and until when. */
static void test_statistics(void)
{
    g_autoptr(NrCaptureFile) file = nr_capture_file_new(&no_bounds, name_port);
    g_autoptr(GByteArray) packet = g_byte_array_new();
    g_autoptr(GByteArray) expected = g_byte_array_new();
    NrCaptureStream stream = { 0 };

    add(packet, CAPTURE_BEGUN, 0, 5, 0);
    for (guint32 port = 8; port > 0; port--) {
        add(packet, CAPTURE_IN, port, 10, 60);
        nr_pcapng_statistics(expected, 8 - port, 5, 12, port == 3 ? 2 : 1, port == 3 ? 4 : 0);
    }
    add(packet, CAPTURE_OUT, 3, 11, 60);
    add(packet, CAPTURE_MISSED, 3, 12, 4);
    g_assert_true(nr_capture_file_take(file, &stream, packet->data, packet->len));
    g_byte_array_set_size(file->pending, 0);
    nr_capture_file_end(file);
    g_assert_cmpmem(file->pending->data, file->pending->len, expected->data, expected->len);
}

static void test_bounds(void)
{
    for (gsize size = 1024; size < 1400; size++) {
        NrCaptureBounds bounds = { size, G_MAXUINT64, G_MAXUINT64, 69632 };
        g_autoptr(NrCaptureFile) file = nr_capture_file_new(&bounds, name_port);
        g_autoptr(GByteArray) packet = g_byte_array_new();
        NrCaptureStream stream = { 0 };
        guint ports;

        for (guint i = 0; i < 50; i++)
            add(packet, CAPTURE_IN, i / 3 + 1, 10, 60 + i);
        g_assert_false(nr_capture_file_take(file, &stream, packet->data, packet->len));
        ports = count_blocks(file->pending, 1);
        g_assert_cmpuint(count_blocks(file->pending, 6), ==, file->frames);
        nr_capture_file_end(file);
        g_assert_cmpuint(file->pending->len, <=, size);
        g_assert_cmpuint(file->pending->len + FRAME_SIZE(60 + (guint)file->frames) +
                             (ports * 3 == file->frames
                                  ? 44 + NR_PCAPNG_STATISTICS_SIZE /* an interface more */
                                  : 0),
                         >, size);
    }
}

/* What was missed is told even where no frame is there. */
static void test_no_frame(void)
{
    g_autoptr(NrCaptureFile) file = nr_capture_file_new(&no_bounds, name_port);
    g_autoptr(GByteArray) packet = g_byte_array_new();
    NrCaptureStream stream = { 0 };

    add(packet, CAPTURE_BEGUN, 0, 5, 0);
    add(packet, CAPTURE_MISSED, 7, 11, 12);
    g_assert_true(nr_capture_file_take(file, &stream, packet->data, packet->len));
    nr_capture_file_end(file);
    g_assert_cmpuint(file->missed, ==, 12);
    g_assert_cmpuint(count_blocks(file->pending, 1), ==, 1);
    g_assert_cmpuint(count_blocks(file->pending, 6), ==, 0);
    g_assert_cmpuint(count_blocks(file->pending, 5), ==, 1);
}

static void test_times(void)
{
    NrCaptureBounds bounds = { G_MAXUINT64, G_MAXUINT64, 20, 69632 };
    g_autoptr(NrCaptureFile) file = nr_capture_file_new(&bounds, name_port);
    g_autoptr(GByteArray) packet = g_byte_array_new();
    NrCaptureStream stream = { 0 };

    add(packet, CAPTURE_IN, 1, 20, 60);
    add(packet, CAPTURE_IN, 1, 21, 60);
    g_assert_false(nr_capture_file_take(file, &stream, packet->data, packet->len));
    g_assert_cmpuint(file->frames, ==, 1);
}

/* A relay is trusted; its bytes are not read beyond their end all the same. */
static void test_malformed(void)
{
    g_autoptr(NrCaptureFile) file = nr_capture_file_new(&no_bounds, name_port);
    g_autoptr(GByteArray) packet = g_byte_array_new();
    NrCaptureStream stream = { 0 };

    add(packet, CAPTURE_IN, 1, 20, 60);
    for (guint length = 0; length < packet->len; length++) {
        g_autofree guint8 *copy = g_memdup2(packet->data, length);

        nr_capture_file_take(file, &stream, copy, length);
    }
    g_assert_cmpuint(file->frames, ==, 0);
    ((struct capture_record *)(void *)packet->data)->captured = G_MAXUINT32;
    g_assert_false(nr_capture_file_take(file, &stream, packet->data, packet->len));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/capture-file/blocks", test_blocks);
    g_test_add_func("/capture-file/a-file", test_a_file);
    g_test_add_func("/capture-file/no-frame", test_no_frame);
    g_test_add_func("/capture-file/successors", test_successors);
    g_test_add_func("/capture-file/streams", test_streams);
    g_test_add_func("/capture-file/statistics", test_statistics);
    g_test_add_func("/capture-file/bounds", test_bounds);
    g_test_add_func("/capture-file/times", test_times);
    g_test_add_func("/capture-file/malformed", test_malformed);
    return g_test_run();
}
