/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames of TCP and UDP made by hand, with checksums summed word by word. */
#ifndef NR_TESTS_PACKETS_H
#define NR_TESTS_PACKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACKETS_MAX 70000

struct packets {
    bool is_ipv6, is_udp;
    unsigned tags;      /* VLAN */
    unsigned options;   /* bytes, of IPv4 */
    unsigned extension; /* bytes, of IPv6: destination options */
    unsigned tcp_options;
    bool fragments; /* allowed: no DF */
    uint8_t flags;
    uint16_t id;
    uint32_t sequence;
    uint16_t window;
};

/* The frame with this payload; is_begun: its checksum is only the pseudo header's sum. */
size_t packets_make(uint8_t *to, const struct packets *packets, const uint8_t *payload, size_t len,
                    bool is_begun);
/* Where its TCP or UDP header is, and its payload. */
size_t packets_l4(const struct packets *packets);
size_t packets_headers(const struct packets *packets);
uint16_t packets_sum(uint32_t sum, const uint8_t *data, size_t len);

#endif
