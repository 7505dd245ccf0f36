/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What hooks announced, noted in files beside our sockets: until the guest runs, or until it has
 * ended, where its hook came out of the order of ids. So a manager that is restarted knows at once
 * who is starting, and in which order. libvirt knows no order, and its list waits for every hook,
 * that of a guest which waits for us too.
 */
#ifndef NR_DAEMON_STARTS_H
#define NR_DAEMON_STARTS_H

#include "xml/guest.h"

typedef struct NrStarts NrStarts;

/* dir_fd is borrowed. ret_guests: new, what was noted before: NrGuest, ANNOUNCED, or RUNNING where
 * only its order counts. */
NrStarts *nr_starts_new(int dir_fd, GPtrArray **ret_guests);
void nr_starts_free(NrStarts *starts);
/* The guest as the inventory has it, and the XML that its hook sent. */
void nr_starts_note(NrStarts *starts, const NrGuest *guest, GBytes *xml);
void nr_starts_forget(NrStarts *starts, const char *uuid);
gboolean nr_starts_is_empty(const NrStarts *starts);
/* Notes what has become of them. */
void nr_starts_keep(NrStarts *starts, const GPtrArray *guests);
/* Unlinks every note that is there. */
void nr_starts_remove_all(int dir_fd);

#endif
