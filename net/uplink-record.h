/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was there before a host's addresses moved to a bridge, in a file that is whole at any
 * moment: it is there before the first change and until the last one is taken back. Who acts by it,
 * or changes it, holds the lock; so the manager and a guard do not do the same at once.
 */
#ifndef NR_NET_UPLINK_RECORD_H
#define NR_NET_UPLINK_RECORD_H

#include "net/journal.h"
#include "net/uplink-plan.h"

#define UPLINK_DIR         "uplinks" /* in the runtime directory; a file for each device */
#define UPLINK_SETTINGS    9
#define UPLINK_SETTING_MAX 16

enum uplink_phase {
    UPLINK_MOVING,    /* begun, and maybe only half done: all of it is taken back */
    UPLINK_MOVED,     /* done: what has gone from the bridge since then is gone by intent */
    UPLINK_RETURNING, /* being taken back: what its entries say is still to come */
    UPLINK_PHASES,
};

struct uplink_record {
    char network[JOURNAL_OWNER_MAX];
    enum uplink_phase phase;
    long long until; /* unless it is confirmed by then (uplink_now()), it is taken back; 0: it is */
    char settings[UPLINK_SETTINGS][UPLINK_SETTING_MAX]; /* the bridge's, before; "": unknown */
    struct uplink uplink;
};

/* Seconds since the boot, the host's sleep among them. */
long long uplink_now(void);

/* The directory, made where it is not there. A descriptor, of its own file description. */
int uplink_dir_open(int runtime_fd);
/* Waits where wait says so, else -EWOULDBLOCK. A descriptor: closing it unlocks. */
int uplink_lock(int dir_fd, bool wait);

/* *ret is the caller's, free(). -ENOENT: there is none, or it is of another boot and speaks of what
 * is gone; -EBADMSG: it cannot be understood. */
int uplink_record_read(int dir_fd, const char *device, struct uplink_record **ret);
int uplink_record_write(int dir_fd, const struct uplink_record *record);
int uplink_record_remove(int dir_fd, const char *device);

#endif
