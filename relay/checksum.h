/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Internet's checksum: a sum of 16-bit words in ones' complement. Words are taken and results
 * stored in the machine's byte order, which cancels out. Pure.
 */
#ifndef NR_RELAY_CHECKSUM_H
#define NR_RELAY_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* Adds data that begins at an even offset; sums may be added to one another. */
uint64_t checksum_add(uint64_t sum, const uint8_t *data, size_t len);
/* 0xffff: what was added held its right checksum. The complement is what goes on the wire. */
uint16_t checksum_fold(uint64_t sum);

#endif
