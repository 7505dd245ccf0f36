/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process of its own that watches over a move of the host's addresses, and outlives whoever asked
 * for it: on a remote machine nobody else could mend what is left half done. It has a child do the
 * work, takes all back where that one dies, fails or does not end, and, where a move has to be
 * confirmed, takes it back when nobody has. It is this program again, begun by a word.
 */
#ifndef NR_NET_UPLINK_GUARD_H
#define NR_NET_UPLINK_GUARD_H

#include "net/uplink.h"

#define UPLINK_GUARD_WORD    "--uplink-guard" /* the first argument; main() passes it on */
#define UPLINK_GUARD_GRACE_S 2 /* after `until`: whoever asked takes it back in better order */

struct uplink_task {
    bool back; /* else there */
    const char *network, *device, *bridge;
    long long until; /* as in the record */
};

/* dir_fd: of uplink_dir_open(). Returns when it is done, within seconds: 0, or a negative errno and
 * all is as it was before, or still recorded. */
int uplink_guard_ask(int dir_fd, const struct uplink_task *task);
/* The program's exit status. work: uplink_guard_work(), or a test's. */
int uplink_guard_main(int argc, char **argv,
                      int (*work)(int dir_fd, const struct uplink_task *task));
int uplink_guard_work(int dir_fd, const struct uplink_task *task);

/* The move stays. -ENOENT: there is none (any more); -EWOULDBLOCK: it is being taken back. */
int uplink_confirm(int dir_fd, const char *device);

#endif
