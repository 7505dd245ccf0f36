/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Changes of the kernel in the test's own network namespace, their journal in a folder of its own,
 * and what a SIGKILL at any moment leaves of both. Lists of changes are texts of host-change.h,
 * NULL-terminated. Failures end the test.
 */
#ifndef NR_TESTS_CHANGES_H
#define NR_TESTS_CHANGES_H

#include <stdbool.h>
#include "net/transaction.h"

/* Enters the namespace and makes the folder; returns the descriptor where journals go. */
int changes_begin(void);
void changes_end(void);

/* The journal in the file; free(). */
struct journal *changes_reopen(void);
int changes_lay(struct journal *journal, const char *const *texts);
void changes_lift_all(struct journal *journal);
/* As a manager does that comes anew: by the file alone. */
void changes_lay_anew(const char *const *texts);
void changes_lift_anew(void);

/* All that a change could have changed; the numbers of devices go up with each one made. */
char *changes_host_text(void);
void changes_assert_same(const char *a, const char *b);

/* ptrace may be forbidden in a container; then the test is skipped. */
bool changes_skip_without_ptrace(void);
/* Has a child do the work in the same namespace, and kills it after its k-th system call by which
 * something may have changed. False: there were fewer, and it came to its end. */
bool changes_kill_after(void (*work)(const char *const *texts), const char *const *texts,
                        unsigned k);
/* Kills at each step, making and taking back: the next one undoes it, or finishes. `least` steps
 * are expected: else it has not been looked at closely. */
void changes_check_kills(const char *const *texts, unsigned least);

#endif
