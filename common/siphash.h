/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SipHash-2-4 (Aumasson and Bernstein) of whole words: a tag that only who has the key can make. */
#ifndef NR_COMMON_SIPHASH_H
#define NR_COMMON_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t siphash(const uint64_t key[2], const uint64_t *words, size_t n);

#endif
