/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a guest's QEMU has by now, from the kernel, and from nobody who might be asked in vain. */
#ifndef NR_DAEMON_QEMU_SOCKETS_H
#define NR_DAEMON_QEMU_SOCKETS_H

#include "daemon/place.h"

/* By TCP at this place, and not somebody else in its stead. FALSE also where nobody may see it.
 * system: root's libvirt, else this user's. */
gboolean nr_qemu_listens(const NrGuest *guest, const NrPlace *place, gboolean system);

#endif
