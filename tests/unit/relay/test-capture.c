/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/capture.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "relay/framing.h"

static struct loop loop;
static struct captures captures;
static struct capture_seen seen[CAPTURES_MAX];
static uint8_t packet[CAPTURE_PACKET_MAX];

/* Begins one; returns the reader's end. */
static int begin(unsigned index, uint32_t id, uint32_t snaplen, bool all)
{
    int pair[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), ==, 0);
    g_assert_cmpint(captures_begin(&captures, index, id, pair[1], snaplen, all), ==, 0);
    return pair[0];
}

static void open_all(void)
{
    g_assert_cmpint(loop_init(&loop), ==, 0);
    memset(seen, 0, sizeof(seen));
    captures_init(&captures, &loop, seen);
}

static void close_all(void)
{
    for (unsigned i = 0; i < CAPTURES_MAX; i++)
        captures_end(&captures, i, i + 1);
    g_assert_cmpint(captures.running, ==, 0);
    g_assert_cmpint(captures.all, ==, 0);
    loop_done(&loop);
}

/* Frames of this length for these captures, framed. */
static void take(uint8_t who, uint32_t port_id, uint32_t length, unsigned count)
{
    g_autofree uint8_t *framed = g_malloc0((size_t)count * (FRAMING_HEADER + length));

    for (unsigned i = 0; i < count; i++) {
        framing_put_length(framed + (size_t)i * (FRAMING_HEADER + length), length);
        memset(framed + (size_t)i * (FRAMING_HEADER + length) + FRAMING_HEADER, (int)i, length);
    }
    captures_take(&captures, who, port_id, CAPTURE_IN, framed,
                  (size_t)count * (FRAMING_HEADER + length),
                  (size_t)count * (FRAMING_HEADER + length));
}

/* Counts the frames that lie in the socket, and those that are said to be missing. */
static void read_all(int reader, unsigned *frames, unsigned *missed)
{
    ssize_t n;

    while ((n = recv(reader, packet, sizeof(packet), 0)) > 0)
        for (size_t at = 0; at < (size_t)n;) {
            struct capture_record record;

            g_assert_cmpuint(at + sizeof(record), <=, (size_t)n);
            memcpy(&record, packet + at, sizeof(record));
            at += sizeof(record) + CAPTURE_PAD(record.captured);
            g_assert_cmpuint(at, <=, (size_t)n);
            *frames += record.kind == CAPTURE_IN;
            *missed += record.kind == CAPTURE_MISSED ? record.length : 0;
        }
}

static void test_records(void)
{
    struct capture_record record;
    unsigned more = 0;
    int reader;

    open_all();
    reader = begin(2, 3, 20, false);
    g_assert_cmpint(recv(reader, packet, sizeof(packet), 0), ==, sizeof(record));
    memcpy(&record, packet, sizeof(record));
    g_assert_cmpint(record.kind, ==, CAPTURE_BEGUN);
    take(1 << 2, 7, 99, 3);
    take(1 << 1, 7, 99, 3);            /* of a capture that is not there */
    take(1 << 2, 7, FRAME_MIN - 1, 3); /* no frames */
    captures_flush(&captures);
    g_assert_cmpint(recv(reader, packet, sizeof(packet), 0), ==, 3 * (sizeof(record) + 24));
    for (unsigned i = 0; i < 3; i++) {
        memcpy(&record, packet + i * (sizeof(record) + 24), sizeof(record));
        g_assert_cmpint(record.kind, ==, CAPTURE_IN);
        g_assert_cmpint(record.port_id, ==, 7);
        g_assert_cmpint(record.length, ==, 99);
        g_assert_cmpint(record.captured, ==, 20);
        g_assert_cmpint(packet[i * (sizeof(record) + 24) + sizeof(record)], ==, i);
    }
    read_all(reader, &more, &more);
    g_assert_cmpuint(more, ==, 0);
    close_all();
    close(reader);
}

/* Nothing waits; the bound is the socket's and one packet; every frame is there or is missed. */
static void test_a_reader_that_is_slow(void)
{
    unsigned came = 0, missed = 0, more = 0;
    int reader;

    open_all();
    reader = begin(0, 1, FRAME_MAX, true);
    for (unsigned i = 0; i < 100; i++) {
        take(captures.all, i % 40 + 1, FRAME_MAX, 1);
        take(captures.all, 1, 1500, 10);
        captures_flush(&captures);
    }
    /* What was left out is told once there is room. */
    for (unsigned i = 0; i < 100 && came + missed < 1100; i++) {
        read_all(reader, &came, &missed);
        if (came + missed < 1100)
            g_assert_cmpint(loop_round(&loop), ==, 0);
    }
    g_assert_cmpuint(came, >, 10);
    g_assert_cmpuint(missed, >, 100);
    g_assert_cmpuint(came + missed, ==, 1100);
    take(captures.all, 1, 60, 5);
    captures_flush(&captures);
    read_all(reader, &more, &missed);
    g_assert_cmpuint(more, ==, 5);
    g_assert_cmpuint(came + missed, ==, 1100);
    close_all();
    close(reader);
}

/* What it says of how many there were so far. */
static uint32_t begun(int reader)
{
    struct capture_record record;

    g_assert_cmpint(recv(reader, packet, sizeof(packet), 0), >=, sizeof(record));
    memcpy(&record, packet, sizeof(record));
    g_assert_cmpint(record.kind, ==, CAPTURE_BEGUN);
    return record.length;
}

/* All that it has met is known to the one who comes after it, sent or not. */
static void test_a_successor(void)
{
    int reader, other;

    open_all();
    reader = begin(0, 1, FRAME_MAX, true);
    g_assert_cmpuint(begun(reader), ==, 0);
    take(captures.all, 1, 60, 5);
    captures_flush(&captures);
    take(captures.all, 1, 60, 2); /* never sent */
    captures_end(&captures, 0, 1);
    close(reader);
    reader = begin(0, 1, FRAME_MAX, true);
    g_assert_cmpuint(begun(reader), ==, 7);
    captures_end(&captures, 0, 1);
    other = begin(0, 2, FRAME_MAX, true); /* another capture in its place */
    g_assert_cmpuint(begun(other), ==, 0);
    captures_end(&captures, 0, 2);
    close_all();
    close(reader);
    close(other);
}

static void test_a_reader_that_leaves(void)
{
    int one, other;

    open_all();
    one = begin(0, 1, FRAME_MAX, true);
    other = begin(1, 2, FRAME_MAX, true);
    g_assert_cmpint(captures_begin(&captures, 0, 9, one, FRAME_MAX, true), ==, -EINVAL);
    close(one);
    take(captures.all, 1, FRAME_MAX, 5);
    captures_flush(&captures);
    g_assert_cmpint(captures.running, ==, 1 << 1);
    captures_end(&captures, 1, 1); /* another one's */
    g_assert_cmpint(captures.running, ==, 1 << 1);
    close_all();
    close(other);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/capture/records", test_records);
    g_test_add_func("/capture/a-reader-that-is-slow", test_a_reader_that_is_slow);
    g_test_add_func("/capture/a-successor", test_a_successor);
    g_test_add_func("/capture/a-reader-that-leaves", test_a_reader_that_leaves);
    return g_test_run();
}
