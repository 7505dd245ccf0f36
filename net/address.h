/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The addresses of this host. */
#ifndef NR_NET_ADDRESS_H
#define NR_NET_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* A snapshot of all local addresses, as inet_ntop() text; *ret is the caller's, free with
 * address_list_free(). 127.0.0.0/8 is local as a whole and not listed. */
int address_list(char ***ret, size_t *ret_count);
void address_list_free(char **list, size_t count);

/* The device that has this address, by its index; for one of 127.0.0.0/8 that is the loopback.
 * -EADDRNOTAVAIL: none has. */
int address_device(const struct sockaddr *address);

/* Gives a device an address, "192.168.9.1/24". 0 or negative errno; -EEXIST: it has it. */
int address_add(int ifindex, const char *address);
/* The device has it, with just this prefix. */
int address_is_set(int ifindex, const char *address, bool *ret);
/* Another device has addresses of its subnet: hosts there are reached by one of the two only. Of
 * link-local addresses all devices have some. */
int address_is_elsewhere(int ifindex, const char *address, bool *ret);
/* Takes just this one away: others of its subnet stay. */
int address_remove(int ifindex, const char *address);

#endif
