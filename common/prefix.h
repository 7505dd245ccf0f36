/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which hosts are meant: "any", an address, or the first bits of one, "10.0.0.0/8". Pure. */
#ifndef NR_COMMON_PREFIX_H
#define NR_COMMON_PREFIX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define PREFIX_TEXT_MAX 52 /* an IPv6 address, its length and the NUL */
#define PREFIX_EXPECTED "'any', an IP address, or one with a prefix length such as 10.0.0.0/8"

/* Of IPv6, where IPv4 lies in ::ffff:0:0/96: so nobody else need know of families. */
struct prefix {
    uint8_t addr[16];
    uint8_t bits; /* 0 is any host */
};

/* False: it is none. Bits behind the prefix length do not count. */
bool prefix_parse(struct prefix *ret, const char *text);
/* False also for an address that is not of IP. */
bool prefix_covers(const struct prefix *prefix, const struct sockaddr *addr);

#endif
