/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What systemd and its like want to be told, and hand over; nothing where there is none. */
#ifndef NR_DAEMON_SERVICE_H
#define NR_DAEMON_SERVICE_H

/* "READY=1", "STOPPING=1": sd_notify(3). */
void nr_service_notify(const char *state);
/* From now on the default main loop tells a watchdog, where there is one, that it goes round. */
void nr_service_watchdog(void);
/* Two descriptors a relay, and hundreds of relays; relays inherit it. */
void nr_service_raise_descriptor_limit(void);
/* The listening SOCK_SEQPACKET socket we were activated with, or -1. */
int nr_service_hook_socket(void);

#endif
