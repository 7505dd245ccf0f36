/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest's QEMU by libvirt's pid file. A hint: whoever uses it checks that the process has the
 * socket in question. */
#ifndef NR_DAEMON_QEMU_PID_H
#define NR_DAEMON_QEMU_PID_H

#include <glib.h>
#include <sys/types.h>

/* 0 where there is none, or not yet. system: root's libvirt, else this user's. */
pid_t nr_qemu_pid(const char *guest_name, gboolean system);

#endif
