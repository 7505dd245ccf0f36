/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a relay and a companion agree on. A companion is a program beside the relay for one port
 * that needs a foreign library: its frames go through a socket pair, in QEMU's framing, and it
 * says how it fares in words. It is run as
 *
 *   PROGRAM LOG-LEVEL NETWORK ARGUMENT
 *
 * and lives for one connection: when that ends, so does the companion, and the relay starts
 * another one.
 */
#ifndef NR_COMMON_COMPANION_H
#define NR_COMMON_COMPANION_H

#include <stdint.h>

#define COMPANION_FRAMES_FD 3    /* stream socket */
#define COMPANION_WORDS_FD  4    /* SOCK_SEQPACKET; its end is the relay's end */
#define COMPANION_MEMORY_FD 5    /* file in memory, for what its successor has to know */
#define COMPANION_MEMORY    4096 /* bytes; zero at first */

#define COMPANION_WORD_MAX 320

/* The first word says whether it is up. Another one is its last: why it ends. */
struct companion_word {
    int32_t error;                 /* 0: up; -EINVAL: it was told nonsense; other negative errno */
    char text[COMPANION_WORD_MAX]; /* a sentence, where there is an error */
};

#endif
