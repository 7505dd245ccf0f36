/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib.h>
#include "relay/framing.h"

#define STREAM_MAX (4 * 1024 * 1024)

/* Frames of telling lengths, with their lengths before them; each is filled with its number. */
static const uint32_t lengths[] = { 0, 1, 13, 14, 60, 255, 256, 1514, 9014, 65535, FRAME_MAX, 42 };

static size_t make_stream(uint8_t *buf)
{
    size_t at = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(lengths); ++i) {
        framing_put_length(buf + at, lengths[i]);
        memset(buf + at + FRAMING_HEADER, (int)i + 1, lengths[i]);
        at += FRAMING_HEADER + lengths[i];
    }
    return at;
}

/* Reads as a port does: step bytes more each time, from where the last whole frame ended. */
static void read_in_steps(const uint8_t *stream, size_t size, size_t step)
{
    size_t have = 0, at = 0, n = 0;

    while (n < G_N_ELEMENTS(lengths)) {
        struct frame frame = { 0 };
        int r = framing_next(stream + at, have - at, &frame);

        if (r == FRAMING_E_MORE) {
            g_assert_cmpuint(have, <, size);
            have = MIN(have + step, size);
            continue;
        }
        g_assert_cmpint(r, ==, 0);
        g_assert_cmpuint(frame.len, ==, lengths[n]);
        g_assert_true(frame.data == stream + at + FRAMING_HEADER);
        for (uint32_t i = 0; i < frame.len; ++i)
            g_assert_cmpuint(frame.data[i], ==, n + 1);
        at += FRAMING_HEADER + frame.len;
        ++n;
    }
    g_assert_cmpuint(at, ==, size);
}

static void test_any_split(void)
{
    static const size_t steps[] = { 1, 2, 3, 4, 5, 7, 64, 1000, 1448, 65536, STREAM_MAX };
    g_autofree uint8_t *stream = g_malloc(STREAM_MAX);
    size_t size = make_stream(stream);

    for (size_t i = 0; i < G_N_ELEMENTS(steps); ++i)
        read_in_steps(stream, size, steps[i]);
}

static void test_lengths(void)
{
    static const struct {
        uint32_t len;
        int want;
    } cases[] = { { FRAME_MAX, FRAMING_E_MORE },    { FRAME_MAX + 1, FRAMING_E_LENGTH },
                  { 0x7fffffff, FRAMING_E_LENGTH }, { 0x80000000, FRAMING_E_LENGTH },
                  { 0xffffffff, FRAMING_E_LENGTH }, { 1, FRAMING_E_MORE } };
    uint8_t header[FRAMING_HEADER];
    struct frame frame;

    for (size_t i = 0; i < G_N_ELEMENTS(cases); ++i) {
        framing_put_length(header, cases[i].len);
        g_assert_cmpint(framing_next(header, sizeof(header), &frame), ==, cases[i].want);
        g_assert_cmpint(framing_next(header, sizeof(header) - 1, &frame), ==, FRAMING_E_MORE);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/framing/any-split", test_any_split);
    g_test_add_func("/framing/lengths", test_lengths);
    return g_test_run();
}
