/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making a process of another program: its identity, descriptors and privileges, and nothing else
 * of ours. */
#ifndef NR_DAEMON_CHILD_H
#define NR_DAEMON_CHILD_H

#include <sys/types.h>
#include "daemon/relay-proc.h"

/* All borrowed. */
typedef struct {
    const char *program; /* NULL: image */
    int image;           /* a descriptor of the program's file */
    char *const *argv;
    gboolean switch_user;
    uid_t uid;
    gid_t gid;
    guint32 capabilities; /* bits: kept over the change of user, as far as we have them */
    int input;            /* its standard input; -1: /dev/null */
    int errors;           /* its standard error; -1: ours */
    const int *given;     /* what it has from NR_CHILD_GIVEN_FD on */
    guint n;
    gboolean ends_with_us; /* it gets SIGTERM as soon as this process is gone */
} NrChild;

#define NR_CHILD_GIVEN_FD 3

/* The child, to be reaped by the caller, or a negative errno: why there is none. */
pid_t nr_child_run(const NrChild *child);

/* A keeper. listener, the bound control socket, stays the caller's, as does its file (O_PATH, or
 * -1), which the keeper has and does not know (lost-relays.h), and what was deposited by the relay
 * that it follows (NULL: nothing). image: a descriptor of the program's file; -1: of the
 * installed one. The child, as above. */
pid_t nr_child_spawn(const NrRelaySettings *settings, const char *network, int image, int listener,
                     int file, const GArray *deposit);

#endif
