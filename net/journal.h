/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was done to this host's kernel, and what was there before: one record for each change, in a
 * file that is whole at any moment, so that whoever comes after a SIGKILL knows what to take back.
 * A record is in the file before its change is made, and until it is taken back.
 */
#ifndef NR_NET_JOURNAL_H
#define NR_NET_JOURNAL_H

#include <stddef.h>
#include "net/kernel-change.h"

#define JOURNAL_FILE      "kernel-changes"
#define JOURNAL_OWNER_MAX 65
#define JOURNAL_MAX       1024 /* records */

struct journal_record {
    struct host_change change;
    char owner[JOURNAL_OWNER_MAX]; /* whose change it is: a network's name */
    char before[KERNEL_STATE_MAX]; /* the state that is to be again */
    char ours[KERNEL_STATE_MAX];   /* the state that we bring about; `before`: it would do */
    bool done;                     /* it was brought about; else maybe */
};

struct journal {
    int dir_fd; /* where its file is; borrowed */
    size_t count;
    struct journal_record records[JOURNAL_MAX]; /* in the order in which they were made */
};

/*
 * Reads the file; one of another boot speaks of what is gone, and counts as none. *ret is the
 * caller's, free(). -EBADMSG: there is a file that cannot be understood; it is put aside as
 * JOURNAL_FILE.bad, and the journal is empty.
 */
int journal_open(int dir_fd, struct journal **ret);
/* Writes the file anew; without records there is none. */
int journal_write(const struct journal *journal);
/* NULL: there is none. Borrowed, until a record is removed. */
struct journal_record *journal_find(struct journal *journal, const struct host_change *change);
/* At the end; the caller writes. NULL: it is full. */
struct journal_record *journal_add(struct journal *journal, const struct journal_record *record);
void journal_remove(struct journal *journal, struct journal_record *record);

#endif
