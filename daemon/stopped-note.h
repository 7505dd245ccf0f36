/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The note of which networks a person has stopped, as a manager leaves it in its runtime directory:
 * the boot's id, then a name a line. stopped.c writes it. */
#ifndef NR_DAEMON_STOPPED_NOTE_H
#define NR_DAEMON_STOPPED_NOTE_H

#include <glib.h>

#define NR_STOPPED_FILE "stopped"

/* New string. */
char *nr_boot_id(void);
/*
 * The names: a set. Of a note from another boot, or where there is none and no manager has been
 * there since the host started, those of the networks in networks_dir that do not come up with the
 * host. dir_fd: the runtime directory, or -1.
 */
GHashTable *nr_stopped_names(int dir_fd, const char *networks_dir, gboolean first_start);

#endif
