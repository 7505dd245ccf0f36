/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What systemd and its like want to be told, and hand over; nothing where there is none. */
#ifndef NR_DAEMON_SERVICE_H
#define NR_DAEMON_SERVICE_H

#include <glib.h>

/* "READY=1", "STOPPING=1": sd_notify(3). */
void nr_service_notify(const char *state);
/* From now on the default main loop tells a watchdog, where there is one, that it goes round. */
void nr_service_watchdog(void);
/* Two descriptors a relay, two more that it deposits and one for each guest's connection; relays
 * inherit it. */
void nr_service_raise_descriptor_limit(void);
/* Holds a copy of this descriptor for our successor, under this name, which begins with "relay-"
 * and has no colon; and lets go of it. fd stays the caller's. */
void nr_service_store(const char *name, int fd);
void nr_service_unstore(const char *name);
/* The listening SOCK_SEQPACKET socket we were activated with, or -1. What was stored goes to
 * `stored`, whose it is then. */
int nr_service_take_descriptors(void (*stored)(const char *name, int fd, gpointer data),
                                gpointer data);
/* Not exit(): libvirt's worker may be inside a call that hangs. */
G_GNUC_NORETURN void nr_service_exit(int status);

#endif
