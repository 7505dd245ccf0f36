/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a guest's QEMU has by now, from the kernel, and from nobody who might be asked in vain. */
#ifndef NR_DAEMON_QEMU_SOCKETS_H
#define NR_DAEMON_QEMU_SOCKETS_H

#include "daemon/place.h"

typedef struct NrQemuSockets NrQemuSockets;

/* NULL where there is no QEMU yet, or nobody may see what it has. system: root's libvirt, else this
 * user's. */
NrQemuSockets *nr_qemu_sockets_new(const NrGuest *guest, gboolean system);
void nr_qemu_sockets_free(NrQemuSockets *sockets);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NrQemuSockets, nr_qemu_sockets_free)
gboolean nr_qemu_has(const NrQemuSockets *sockets, guint64 inode);

/* It listens at this place by TCP, and not somebody else in its stead. */
gboolean nr_qemu_listens(const NrGuest *guest, const NrPlace *place, gboolean system);

#endif
