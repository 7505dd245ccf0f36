/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as the record of a device whose addresses have moved: what is read is written, and read
 * again, as the same. Seeds: tests/data/state/uplink. */
#include <glib.h>
#include <string.h>
#include "common/scope.h"
#include "net/uplink-record.h"
#include "state-file.h"

#define DEVICE  "eth0"
#define VERSION "netrelay-uplink 1\n"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_same(const struct uplink *a, const struct uplink *b)
{
    g_assert_cmpuint(a->count, ==, b->count);
    for (size_t i = 0; i < a->count; i++) {
        g_assert_cmpuint(a->entries[i].type, ==, b->entries[i].type);
        g_assert_cmpmem(a->entries[i].body, a->entries[i].length, b->entries[i].body,
                        b->entries[i].length);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(freep) struct uplink_record *first = NULL, *second = NULL;
    int dir = state_file_write(DEVICE, VERSION, data, size);
    int r = uplink_record_read(dir, DEVICE, &first);

    g_assert_true((r == 0) == (first != NULL));
    if (r < 0)
        return 0;
    for (size_t i = 0; i < first->uplink.count; i++)
        g_assert_true(uplink_entry_is_valid(&first->uplink.entries[i]));
    g_assert_cmpint(uplink_record_write(dir, first), ==, 0);
    g_assert_cmpint(uplink_record_read(dir, DEVICE, &second), ==, 0);
    check_same(&first->uplink, &second->uplink);
    return 0;
}
