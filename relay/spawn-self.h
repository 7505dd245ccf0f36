/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Child processes: this same program again, by /proc/self/exe, or another one by its whole path;
 * never by a name that could be looked up elsewhere. */
#ifndef NR_RELAY_SPAWN_SELF_H
#define NR_RELAY_SPAWN_SELF_H

#include <sys/types.h>

/*
 * With fds[0], fds[1], ... as its descriptors 3, 4, ... (they stay the caller's) and nothing else
 * but 0, 1, 2. arguments: up to a NULL, after the program's name. Its pid, which the caller has to
 * wait for, or negative errno.
 */
pid_t spawn_self(const char *const *arguments, const int *fds, unsigned n_fds);
/* The same with the program at path, called name, and with an empty environment. */
pid_t spawn_program(const char *path, const char *name, const char *const *arguments,
                    const int *fds, unsigned n_fds);

#endif
