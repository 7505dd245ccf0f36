/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Changes of the kernel that are made together or not at all, and taken back one by one. What
 * somebody else has changed since then is left as he has it: it is neither made again nor taken
 * back. A SIGKILL at any moment leaves a journal from which both go on.
 */
#ifndef NR_NET_TRANSACTION_H
#define NR_NET_TRANSACTION_H

#include "net/journal.h"

/* What a record and the state now ask for. Pure. */
enum transaction_step {
    TRANSACTION_LEAVE, /* nothing: it is not ours to change (any more) */
    TRANSACTION_PUT,
};
enum transaction_step transaction_to_finish(const struct journal_record *record, const char *now);
enum transaction_step transaction_to_undo(const struct journal_record *record, const char *now);

/*
 * Makes the changes in their order. On a failure those that this call has made are taken back, the
 * last one first, and *ret_failed is the index of the change that failed. Changes that are recorded
 * as done are passed over.
 */
int transaction_lay(struct journal *journal, const char *owner, const struct host_change *changes,
                    size_t count, size_t *ret_failed);
/* Takes the change back and forgets it; 0 where it is not recorded. On a failure it stays. */
int transaction_lift(struct journal *journal, const struct host_change *change);

#endif
