/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses as the kernel takes them, and whose they are. */
#ifndef NR_DAEMON_HOLDER_H
#define NR_DAEMON_HOLDER_H

#include <glib.h>
#include <sys/socket.h>

/* "127.0.0.1:80", "[::1]:80": numbers only. */
gboolean nr_sockaddr_parse(const char *text, struct sockaddr_storage *ret);
/* "127.0.0.1:80 is in use by nc (pid 4242)" for the local address of an endpoint's canonical text,
 * as far as it can be seen. Looks through /proc: for messages only. New string, or NULL. */
char *nr_holder_describe(const char *endpoint);

/* Whose connection is served at this address, by a QEMU that serves one: "nc (pid 4242)". As above.
 */
char *nr_holder_served(const char *address);

#endif
