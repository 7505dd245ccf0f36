/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as what a client of the control socket says first: the same comes of it in one piece
 * and in two, and only this user gets in. Seeds: tests/data/wire/dbus-hello. */
#include <stdint.h>
#include <string.h>

#include "daemon/dbus-hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define UID 4711

typedef struct {
    NrHello hello;
    NrHelloResult result;
    GString *said;
    GByteArray *in; /* what is left */
} Talk;

static void talk_begin(Talk *talk)
{
    *talk = (Talk){ .hello = { .uid = UID, .guid = "0123456789abcdef0123456789abcdef" } };
    talk->said = g_string_new(NULL);
    talk->in = g_byte_array_new();
}

static void talk_end(Talk *talk)
{
    g_string_free(talk->said, TRUE);
    g_byte_array_unref(talk->in);
}

/* What comes when it is in belongs to the messages; who is thrown out is not read any more. */
static void hear(Talk *talk, const uint8_t *data, size_t size)
{
    if (size > 0)
        g_byte_array_append(talk->in, data, (guint)size);
    if (talk->result == NR_HELLO_MORE)
        talk->result = nr_hello_take(&talk->hello, talk->in, talk->said);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t cut = size > 0 ? data[size - 1] % size : 0;
    Talk whole, split;

    talk_begin(&whole);
    talk_begin(&split);
    hear(&whole, data, size);
    hear(&split, data, cut);
    hear(&split, data + cut, size - cut);
    g_assert_cmpint(whole.result, ==, split.result);
    g_assert_true(whole.hello.taken <= NR_HELLO_MAX);
    g_assert_true(whole.result != NR_HELLO_DONE || whole.hello.accepted);
    if (whole.result != NR_HELLO_BAD) {
        g_assert_cmpstr(whole.said->str, ==, split.said->str);
        g_assert_cmpmem(whole.in->data, whole.in->len, split.in->data, split.in->len);
    }
    talk_end(&whole);
    talk_end(&split);
    return 0;
}
