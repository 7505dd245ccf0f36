/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/packet.h"

#include "relay/checksum.h"

#define TYPE      12 /* an Ethernet header's last field */
#define TAG_SIZE  4
#define TAGS_MAX  2
#define FRAGMENTS 0x3fff /* more of them, or not the first */

enum {
    TYPE_IPV4 = 0x0800,
    TYPE_IPV6 = 0x86dd,
    TYPE_VLAN = 0x8100,
    TYPE_SERVICE_VLAN = 0x88a8,
};

/* Returns the EtherType behind the tags, 0 where there is none. */
static uint16_t find_l3(struct frame frame, size_t *ret)
{
    size_t at = TYPE;

    for (int tags = 0; at + 2 <= frame.len; ++tags, at += TAG_SIZE) {
        uint16_t type = packet_get16(frame.data + at);

        if (type != TYPE_VLAN && type != TYPE_SERVICE_VLAN) {
            *ret = at + 2;
            return type;
        }
        if (tags == TAGS_MAX)
            break;
    }
    return 0;
}

static bool parse_ipv4(struct packet *p, struct frame frame)
{
    const uint8_t *ip = frame.data + p->l3;
    size_t size;

    if (frame.len - p->l3 < IPV4_SIZE || ip[0] >> 4 != 4)
        return false;
    size = (size_t)(ip[0] & 0xf) * 4;
    p->is_ipv6 = false;
    p->protocol = ip[IPV4_PROTOCOL];
    p->l4 = p->l3 + size;
    return size >= IPV4_SIZE && !(packet_get16(ip + IPV4_FLAGS) & FRAGMENTS);
}

static bool parse_ipv6(struct packet *p, struct frame frame)
{
    const uint8_t *ip = frame.data + p->l3;

    if (frame.len - p->l3 < IPV6_SIZE || ip[0] >> 4 != 6)
        return false;
    p->is_ipv6 = true;
    p->protocol = ip[IPV6_NEXT];
    p->l4 = p->l3 + IPV6_SIZE;
    return true;
}

static bool find_payload(struct packet *p, struct frame frame)
{
    size_t size = p->protocol == PACKET_TCP ? TCP_SIZE : UDP_SIZE;

    if (p->l4 > frame.len || frame.len - p->l4 < size)
        return false;
    if (p->protocol == PACKET_TCP)
        size = (size_t)(frame.data[p->l4 + TCP_OFFSET] >> 4) * 4;
    else if (p->protocol != PACKET_UDP)
        return false;
    p->headers = p->l4 + size;
    return p->headers <= frame.len && p->headers <= PACKET_HEADERS_MAX &&
           (p->protocol == PACKET_UDP || size >= TCP_SIZE);
}

static bool find_l4(struct packet *p, struct frame frame)
{
    uint16_t type = find_l3(frame, &p->l3);

    return type == TYPE_IPV4   ? parse_ipv4(p, frame)
           : type == TYPE_IPV6 ? parse_ipv6(p, frame)
                               : false;
}

bool packet_parse(struct packet *ret, struct frame frame)
{
    return find_l4(ret, frame) && find_payload(ret, frame);
}

bool packet_parse_at(struct packet *ret, struct frame frame, uint8_t protocol, size_t l4)
{
    if (!find_l4(ret, frame))
        return false;
    if (ret->is_ipv6 && l4 > ret->l4) { /* extension headers, which need not be understood */
        ret->l4 = l4;
        ret->protocol = protocol;
    }
    return ret->l4 == l4 && ret->protocol == protocol && find_payload(ret, frame);
}

uint64_t packet_pseudo_sum(const struct packet *packet, const uint8_t *frame, size_t l4_len)
{
    const uint8_t *ip = frame + packet->l3;
    uint64_t sum = (uint64_t)htons((uint16_t)l4_len) + htons(packet->protocol);

    if (packet->is_ipv6)
        return checksum_add(sum, ip + IPV6_SOURCE, 32);
    return checksum_add(sum, ip + IPV4_SOURCE, 8);
}

void packet_set_length(const struct packet *packet, uint8_t *frame, size_t payload_len)
{
    uint8_t *ip = frame + packet->l3;
    size_t len = packet->headers - packet->l3 + payload_len;
    uint16_t sum;

    if (packet->is_ipv6) {
        packet_put16(ip + IPV6_LENGTH, (uint16_t)(len - IPV6_SIZE));
        return;
    }
    packet_put16(ip + IPV4_LENGTH, (uint16_t)len);
    packet_put16(ip + IPV4_CHECKSUM, 0);
    sum = (uint16_t)~checksum_fold(checksum_add(0, ip, packet->l4 - packet->l3));
    memcpy(ip + IPV4_CHECKSUM, &sum, sizeof(sum));
}
