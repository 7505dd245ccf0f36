/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changes of network devices and addresses, told to the attachments that live on one. */
#ifndef NR_RELAY_DEVICE_WATCH_H
#define NR_RELAY_DEVICE_WATCH_H

struct keeper;

/* From here on; what an attachment does about a change is in its ops. Once is enough. Without it,
 * where the kernel refuses, what went away is missed. */
void device_watch(struct keeper *keeper);

#endif
