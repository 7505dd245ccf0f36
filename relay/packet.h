/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where things are in a frame of TCP or UDP over IP: offsets from the frame's beginning, for those
 * who cut such frames (segment.c) and join them (merge.c). Pure; every length is checked here.
 */
#ifndef NR_RELAY_PACKET_H
#define NR_RELAY_PACKET_H

#include <arpa/inet.h>
#include <stdbool.h>
#include "relay/frame.h"

#define PACKET_HEADERS_MAX 256 /* of all layers together */

enum {
    PACKET_TCP = 6,
    PACKET_UDP = 17,

    IPV4_LENGTH = 2,
    IPV4_ID = 4,
    IPV4_FLAGS = 6,
    IPV4_TTL = 8,
    IPV4_PROTOCOL = 9,
    IPV4_CHECKSUM = 10,
    IPV4_SOURCE = 12,
    IPV4_SIZE = 20,

    IPV6_LENGTH = 4,
    IPV6_NEXT = 6,
    IPV6_SOURCE = 8,
    IPV6_SIZE = 40,

    TCP_SEQUENCE = 4,
    TCP_ACKNOWLEDGED = 8,
    TCP_OFFSET = 12,
    TCP_FLAGS = 13,
    TCP_WINDOW = 14,
    TCP_CHECKSUM = 16,
    TCP_URGENT = 18,
    TCP_SIZE = 20,
    TCP_FIN = 0x01,
    TCP_PSH = 0x08,
    TCP_ACK = 0x10,
    TCP_CWR = 0x80,

    UDP_LENGTH = 4,
    UDP_CHECKSUM = 6,
    UDP_SIZE = 8,
};

struct packet {
    bool is_ipv6;
    uint8_t protocol; /* PACKET_TCP or PACKET_UDP */
    size_t l3;        /* the IP header, behind up to two VLAN tags */
    size_t l4;        /* the TCP or UDP header */
    size_t headers;   /* their end: what follows is payload */
};

static inline uint16_t packet_get16(const uint8_t *at)
{
    uint16_t value;

    memcpy(&value, at, sizeof(value));
    return ntohs(value);
}

static inline void packet_put16(uint8_t *at, uint16_t value)
{
    value = htons(value);
    memcpy(at, &value, sizeof(value));
}

static inline uint32_t packet_get32(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof(value));
    return ntohl(value);
}

static inline void packet_put32(uint8_t *at, uint32_t value)
{
    value = htonl(value);
    memcpy(at, &value, sizeof(value));
}

/* False where it is not TCP or UDP right behind IP, a fragment, or cut short. Lengths in the IP
 * header are not looked at. */
bool packet_parse(struct packet *ret, struct frame frame);
/* The same where somebody says what is where; so there may be extension headers of IPv6 before. */
bool packet_parse_at(struct packet *ret, struct frame frame, uint8_t protocol, size_t l4);
/* The sum of addresses, protocol and the length given, as a TCP or UDP checksum includes it. */
uint64_t packet_pseudo_sum(const struct packet *packet, const uint8_t *frame, size_t l4_len);
/* Makes the IP header say what follows it, with IPv4's checksum; headers and payload_len bytes. */
void packet_set_length(const struct packet *packet, uint8_t *frame, size_t payload_len);

#endif
