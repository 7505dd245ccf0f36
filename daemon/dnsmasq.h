/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A dnsmasq of ours: the program of dnsmasq-base under its own user, never root, with its
 * configuration on standard input and no file beside its leases. It ends with the manager, and the
 * next manager starts another one: leases are in a file, so nobody's address changes.
 */
#ifndef NR_DAEMON_DNSMASQ_H
#define NR_DAEMON_DNSMASQ_H

#include <glib.h>

typedef struct NrDnsmasq NrDnsmasq;

/* ended is called once, in the main loop, with what it said or how it ended; it may free it. NULL:
 * *ret_error is a negative errno, *ret_text one sentence without full stop (new string). */
NrDnsmasq *nr_dnsmasq_start(const char *network, const char *conf,
                            void (*ended)(const char *text, gpointer data), gpointer data,
                            int *ret_error, char **ret_text);
/* Asks it to end, and makes it after a while; ended is called. */
void nr_dnsmasq_end(NrDnsmasq *dnsmasq);
/* Asks it to end, if it has not, and nobody is told. */
void nr_dnsmasq_free(NrDnsmasq *dnsmasq);
gint64 nr_dnsmasq_age_ms(const NrDnsmasq *dnsmasq);

#endif
