/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saves a running guest and starts it where it was: its QEMU is another one then, which connects
 * anew. No other way that libvirt has gives a deaf guest its network without a boot.
 */
#ifndef NR_DAEMON_REVIVE_H
#define NR_DAEMON_REVIVE_H

#include <glib.h>

/* failure: why not, and how it stands with the guest now; or NULL. In the main loop. */
typedef void (*NrReviveDone)(const char *failure, gpointer data);

/*
 * guest: name or UUID. This takes as long as the guest's memory is large, so it has a thread and a
 * connection to libvirt of its own: the hook is answered meanwhile, which this guest's start waits
 * for, and so are other guests' events. After nr_guest_source_new(), which sets up the library.
 */
void nr_revive(const char *uri, const char *guest, NrReviveDone done, gpointer data);

#endif
