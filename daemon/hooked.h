/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether libvirt's hook calls us for the guests of a connection. */
#ifndef NR_DAEMON_HOOKED_H
#define NR_DAEMON_HOOKED_H

#include <glib.h>

gboolean nr_hooked(const char *uri);
/* Where it belongs. */
const char *nr_hook_path(void);

#endif
