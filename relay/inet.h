/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Socket addresses from endpoints and back to text. */
#ifndef NR_RELAY_INET_H
#define NR_RELAY_INET_H

#include <stdbool.h>
#include <sys/socket.h>
#include "common/endpoint.h"

#define INET_TEXT_MAX 112 /* "[...]:65535", or a UNIX socket's path */

struct inet_address {
    struct sockaddr_storage storage;
    socklen_t len;
};

/* An address in digits; "" is any address, of IPv6. -EINVAL: it is a host name. */
int inet_parse(struct inet_address *ret, const struct endpoint_address *address);
void inet_any(struct inet_address *ret, int family, uint16_t l4_port);
/* "127.0.0.1:80", "[::1]:80", "*:80"; a mapped IPv4 address as IPv4; "/run/x" of a UNIX socket, ""
 * where that has no name. Returns buf. */
const char *inet_format(const struct inet_address *address, char buf[INET_TEXT_MAX]);
/* Ours and the far end's of a socket; "" where it has none, and "pid 123" for a client without a
 * name on a UNIX socket of ours, as its process was when it connected. */
void inet_names(int fd, char local[INET_TEXT_MAX], char peer[INET_TEXT_MAX]);
bool inet_is_local(const struct inet_address *address);
/* The same IP address, whatever the port. */
bool inet_same_host(const struct inet_address *a, const struct inet_address *b);
/* A mapped IPv4 address becomes one of IPv4. */
void inet_unmap(struct inet_address *address);
/* A non-blocking socket for this address. any: the one of IPv6 takes IPv4 too, and where there is
 * no IPv6 the address becomes that of IPv4. Negative errno. */
int inet_socket(struct inet_address *address, int type, bool any);
/* Why it could not be bound: "127.0.0.1:80 is in use by nc (pid 4242)", as far as it can be
 * seen. */
void inet_refused(int protocol, const struct inet_address *address, int r, char *buf, size_t size);

#endif
