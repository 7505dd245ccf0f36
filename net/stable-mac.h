/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses for devices that are made anew whenever their program starts: what others have learned
 * of the last one is then true of the next.
 */
#ifndef NR_NET_STABLE_MAC_H
#define NR_NET_STABLE_MAC_H

#include <stdint.h>
#include "common/mac.h"

/*
 * The address that goes with these words in this network namespace of this host, and hardly ever
 * with others; a random one where the host has no id (/etc/machine-id). Locally administered, if
 * its first byte is. 0 or negative errno.
 */
int stable_mac(uint8_t first, const char *words, struct mac *ret);

#endif
