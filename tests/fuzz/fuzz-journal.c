/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as the file of changes to the kernel: what is read is written, and read again, as the
 * same. Seeds: tests/data/state/journal. */
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <unistd.h>
#include "common/scope.h"
#include "net/journal.h"
#include "state-file.h"

#define VERSION "netrelay-kernel-changes 1\n"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_same(const struct journal *a, const struct journal *b)
{
    g_assert_cmpuint(a->count, ==, b->count);
    for (size_t i = 0; i < a->count; i++) {
        const struct journal_record *one = &a->records[i], *other = &b->records[i];

        g_assert_true(host_change_equal(&one->change, &other->change));
        g_assert_cmpstr(one->owner, ==, other->owner);
        g_assert_cmpstr(one->before, ==, other->before);
        g_assert_cmpstr(one->ours, ==, other->ours);
        g_assert_true(one->done == other->done);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(freep) struct journal *first = NULL, *second = NULL;
    int dir = state_file_write(JOURNAL_FILE, VERSION, data, size);
    int r = journal_open(dir, &first);

    g_assert_true(r == 0 || r == -EBADMSG);
    g_assert_true(r == 0 || first->count == 0);
    g_assert_true(r == 0 || faccessat(dir, JOURNAL_FILE ".bad", F_OK, 0) == 0);
    g_assert_cmpint(journal_write(first), ==, 0);
    g_assert_cmpint(journal_open(dir, &second), ==, 0);
    check_same(first, second);
    return 0;
}
