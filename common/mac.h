/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An Ethernet address (IEEE 802 EUI-48), by value. */
#ifndef NR_COMMON_MAC_H
#define NR_COMMON_MAC_H

#include <stdbool.h>
#include <stdint.h>

#define MAC_LEN      6
#define MAC_TEXT_MAX 18 /* "52:54:00:12:34:56" and its NUL */

struct mac {
    uint8_t b[MAC_LEN];
};

/* Six two-digit hex numbers joined by ':' (either case). 0, or -EINVAL with *ret untouched. */
int mac_parse(struct mac *ret, const char *text);
/* Lower case. Returns buf. */
const char *mac_format(struct mac mac, char buf[MAC_TEXT_MAX]);

bool mac_equal(struct mac a, struct mac b);
/* Group bit set: multicast or broadcast. */
bool mac_is_multicast(struct mac mac);
bool mac_is_zero(struct mac mac);

#endif
