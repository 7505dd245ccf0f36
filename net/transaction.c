/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/transaction.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool is(const char *state, const char *other)
{
    return strcmp(state, other) == 0;
}

/* Begun, and maybe only half made: making it once more is no fault. */
enum transaction_step transaction_to_finish(const struct journal_record *record, const char *now)
{
    if (record->done || is(record->before, record->ours))
        return TRANSACTION_LEAVE;
    return is(now, record->before) || is(now, record->ours) ? TRANSACTION_PUT : TRANSACTION_LEAVE;
}

enum transaction_step transaction_to_undo(const struct journal_record *record, const char *now)
{
    if (is(record->before, record->ours) || !is(now, record->ours))
        return TRANSACTION_LEAVE;
    return TRANSACTION_PUT;
}

/* It is in the file when this returns 0. */
static int record_new(struct journal *journal, const char *owner, const struct host_change *change)
{
    struct journal_record record = { .change = *change };
    int r = kernel_look(change, record.before);

    if (r == 0)
        r = kernel_aim(change, record.before, record.ours);
    if (r < 0)
        return r;
    snprintf(record.owner, sizeof(record.owner), "%s", owner);
    if (!journal_add(journal, &record))
        return -ENOSPC;
    r = journal_write(journal);
    if (r < 0)
        journal->count--;
    return r;
}

static int finish(const struct journal_record *record)
{
    char now[KERNEL_STATE_MAX];
    int r = kernel_look(&record->change, now);

    if (r < 0)
        return r;
    return transaction_to_finish(record, now) == TRANSACTION_PUT
               ? kernel_put(&record->change, record->ours)
               : 0;
}

static int undo(const struct journal_record *record)
{
    char now[KERNEL_STATE_MAX];
    int r = kernel_look(&record->change, now);

    if (r == -ENOTSUP) /* the name is that of another device by now */
        return 0;
    if (r < 0)
        return r;
    return transaction_to_undo(record, now) == TRANSACTION_PUT
               ? kernel_put(&record->change, record->before)
               : 0;
}

int transaction_lift(struct journal *journal, const struct host_change *change)
{
    struct journal_record *record = journal_find(journal, change);
    struct journal_record undone;
    int r = record ? undo(record) : 0;

    if (r < 0 || !record)
        return r;
    undone = *record;
    undone.done = false; /* for whoever wants it again before it can be written */
    journal_remove(journal, record);
    r = journal_write(journal);
    if (r < 0)
        (void)journal_add(journal, &undone);
    return r;
}

/* What cannot be taken back stays recorded, and is tried again with whatever is lifted. */
static void roll_back(struct journal *journal, const struct host_change *changes, size_t count,
                      size_t first_new)
{
    while (count-- > 0) {
        const struct journal_record *record = journal_find(journal, &changes[count]);

        if (record && record >= journal->records + first_new)
            (void)transaction_lift(journal, &changes[count]);
    }
}

int transaction_lay(struct journal *journal, const char *owner, const struct host_change *changes,
                    size_t count, size_t *ret_failed)
{
    size_t first_new = journal->count;
    int r = 0;

    for (size_t i = 0; i < count && r == 0; i++) {
        *ret_failed = i;
        if (!journal_find(journal, &changes[i]))
            r = record_new(journal, owner, &changes[i]);
        if (r == 0)
            r = finish(journal_find(journal, &changes[i]));
    }
    if (r < 0) {
        roll_back(journal, changes, count, first_new);
        return r;
    }
    for (size_t i = 0; i < count; i++)
        journal_find(journal, &changes[i])->done = true;
    return journal_write(journal);
}
