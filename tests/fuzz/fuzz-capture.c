/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a packet of captured frames, and any text as an interface's name: what is written of
 * them are whole blocks of pcapng, whose lengths and options lead from each to the next. Seeds:
 * tests/data/wire/capture. */
#include <string.h>

#include "ctl/capture-records.h"
#include "ctl/pcapng.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NAME_MAX_BYTES 255
#define HEAD           (2 * sizeof(guint32)) /* type and length of a block */

static guint32 u32_at(const GByteArray *file, gsize at)
{
    guint32 value;

    g_assert_cmpuint(at + sizeof(value), <=, file->len);
    memcpy(&value, file->data + at, sizeof(value));
    return value;
}

static void check_options(const GByteArray *file, gsize at, gsize end)
{
    while (at < end) {
        guint32 head = u32_at(file, at);
        guint16 parts[2];

        memcpy(parts, &head, sizeof(head));
        at += sizeof(head) + ((parts[1] + 3u) & ~3u);
        if (parts[0] == 0)
            break;
    }
    g_assert_cmpuint(at, ==, end);
}

static void check_file(const GByteArray *file)
{
    gsize at = 0;

    while (at < file->len) {
        guint32 type = u32_at(file, at), length = u32_at(file, at + sizeof(guint32));

        g_assert_true(length >= HEAD + sizeof(guint32) && length % 4 == 0);
        g_assert_cmpuint(u32_at(file, at + length - sizeof(guint32)), ==, length);
        if (type == 1) /* an interface: its link type and snap length, then options */
            check_options(file, at + HEAD + 2 * sizeof(guint32), at + length - sizeof(guint32));
        at += length;
    }
    g_assert_cmpuint(at, ==, file->len);
}

static gboolean on_record(const struct capture_record *record, const guint8 *bytes, gpointer data)
{
    const NrPcapngFrame frame = { .interface = 0,
                                  .time_ns = record->time_ns,
                                  .direction = NR_PCAPNG_INBOUND,
                                  .length = record->length,
                                  .captured = record->captured,
                                  .bytes = bytes };

    g_assert_cmpuint(record->captured, <=, CAPTURE_SNAPLEN_MAX);
    nr_pcapng_frame(data, &frame);
    return TRUE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gsize named = size > 0 ? MIN(size - 1, data[0]) : 0;
    g_autofree char *name = g_strndup((const char *)data + (size > 0), MIN(named, NAME_MAX_BYTES));
    g_autoptr(GByteArray) file = g_byte_array_new();
    /* Records are read as structs, and so begin where such may. */
    gsize left = size > 0 ? size - 1 - named : 0;
    g_autofree guint8 *packet = g_malloc(MAX(left, 1));

    if (left > 0)
        memcpy(packet, data + 1 + named, left);
    nr_pcapng_begin(file, "fuzz");
    nr_pcapng_interface(file, name, name, CAPTURE_SNAPLEN_MAX);
    nr_capture_records(packet, left, on_record, file);
    check_file(file);
    return 0;
}
