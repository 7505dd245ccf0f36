/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/pcapng.h"

#include <string.h>

#define BYTE_ORDER_MAGIC  0x1a2b3c4d
#define LENGTH_UNKNOWN    G_MAXUINT64
#define LINKTYPE_ETHERNET 1

enum {
    BLOCK_INTERFACE = 1,
    BLOCK_STATISTICS = 5,
    BLOCK_FRAME = 6,
    BLOCK_SECTION = 0x0a0d0d0a,
};

/* Codes of options: each block has its own. */
enum {
    OPTION_END = 0,
    SECTION_APPLICATION = 4,
    INTERFACE_NAME = 2,
    INTERFACE_DESCRIPTION = 3,
    INTERFACE_RESOLUTION = 9,
    FRAME_FLAGS = 2,
    STATISTICS_BEGIN = 2,
    STATISTICS_END = 3,
    STATISTICS_RECEIVED = 4,
    STATISTICS_MISSED = 5,
};

static void put_u16(GByteArray *out, guint16 value)
{
    g_byte_array_append(out, (const guint8 *)&value, sizeof(value));
}

static void put_u32(GByteArray *out, guint32 value)
{
    g_byte_array_append(out, (const guint8 *)&value, sizeof(value));
}

static void put_u64(GByteArray *out, guint64 value)
{
    g_byte_array_append(out, (const guint8 *)&value, sizeof(value));
}

/* Times are two halves, the higher one first, whatever the byte order. */
static void put_time(GByteArray *out, guint64 time_ns)
{
    put_u32(out, (guint32)(time_ns >> 32));
    put_u32(out, (guint32)time_ns);
}

static void put_padded(GByteArray *out, const void *bytes, guint length)
{
    static const guint8 zeros[3];

    if (length)
        g_byte_array_append(out, bytes, length);
    g_byte_array_append(out, zeros, -length & 3);
}

static void put_option(GByteArray *out, guint16 code, const void *value, gsize length)
{
    put_u16(out, code);
    put_u16(out, (guint16)length);
    put_padded(out, value, (guint)length);
}

static void put_text(GByteArray *out, guint16 code, const char *text)
{
    if (*text)
        put_option(out, code, text, MIN(strlen(text), G_MAXUINT16));
}

/* A block's length stands before and behind it. Returns where the block began. */
static guint begin_block(GByteArray *out, guint32 type)
{
    guint begin = out->len;

    put_u32(out, type);
    put_u32(out, 0);
    return begin;
}

static void end_block(GByteArray *out, guint begin)
{
    guint32 length;

    put_option(out, OPTION_END, NULL, 0);
    length = out->len - begin + (guint32)sizeof(length);
    memcpy(out->data + begin + 4, &length, sizeof(length));
    put_u32(out, length);
}

void nr_pcapng_begin(GByteArray *out, const char *application)
{
    guint begin = begin_block(out, BLOCK_SECTION);

    put_u32(out, BYTE_ORDER_MAGIC);
    put_u16(out, 1); /* version 1.0 */
    put_u16(out, 0);
    put_u64(out, LENGTH_UNKNOWN);
    put_text(out, SECTION_APPLICATION, application);
    end_block(out, begin);
}

void nr_pcapng_interface(GByteArray *out, const char *name, const char *description,
                         guint32 snaplen)
{
    const guint8 nanoseconds = 9; /* ten to the power of minus that */
    guint begin = begin_block(out, BLOCK_INTERFACE);

    put_u16(out, LINKTYPE_ETHERNET);
    put_u16(out, 0);
    put_u32(out, snaplen);
    put_text(out, INTERFACE_NAME, name);
    put_text(out, INTERFACE_DESCRIPTION, description);
    put_option(out, INTERFACE_RESOLUTION, &nanoseconds, sizeof(nanoseconds));
    end_block(out, begin);
}

void nr_pcapng_frame(GByteArray *out, const NrPcapngFrame *frame)
{
    guint32 flags = frame->direction;
    guint begin = begin_block(out, BLOCK_FRAME);

    put_u32(out, frame->interface);
    put_time(out, frame->time_ns);
    put_u32(out, frame->captured);
    put_u32(out, frame->length);
    put_padded(out, frame->bytes, frame->captured);
    put_option(out, FRAME_FLAGS, &flags, sizeof(flags));
    end_block(out, begin);
}

static void put_time_option(GByteArray *out, guint16 code, guint64 time_ns)
{
    put_u16(out, code);
    put_u16(out, sizeof(time_ns));
    put_time(out, time_ns);
}

void nr_pcapng_statistics(GByteArray *out, guint32 interface, guint64 begin_ns, guint64 end_ns,
                          guint64 received, guint64 missed)
{
    guint begin = begin_block(out, BLOCK_STATISTICS);

    put_u32(out, interface);
    put_time(out, end_ns);
    put_time_option(out, STATISTICS_BEGIN, begin_ns);
    put_time_option(out, STATISTICS_END, end_ns);
    put_option(out, STATISTICS_RECEIVED, &received, sizeof(received));
    put_option(out, STATISTICS_MISSED, &missed, sizeof(missed));
    end_block(out, begin);
}
