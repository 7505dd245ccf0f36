/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/segment.h"

#include <errno.h>
#include "relay/checksum.h"
#include "relay/framing.h"
#include "relay/packet.h"

#define GSO_UDP_L4 5 /* VIRTIO_NET_HDR_GSO_UDP_L4 of newer headers */

struct cutting {
    struct packet packet;
    uint8_t headers[PACKET_HEADERS_MAX]; /* as they came, without the L4 checksum */
    uint64_t pseudo;                     /* what was begun, without a length */
    size_t size;                         /* of a payload */
};

static void put_sum(uint8_t *at, uint64_t sum)
{
    uint16_t value = (uint16_t)~checksum_fold(sum);

    if (!value)
        value = 0xffff; /* the same number; 0 says in UDP that there is no checksum */
    memcpy(at, &value, sizeof(value));
}

/* The field holds the sum of the pseudo header. */
static int complete(uint8_t *frame, size_t len, const struct virtio_net_hdr *head)
{
    size_t at = (size_t)head->csum_start + head->csum_offset;

    if (at + sizeof(uint16_t) > len)
        return -EBADMSG;
    put_sum(frame + at, checksum_add(0, frame + head->csum_start, len - head->csum_start));
    return 0;
}

static size_t checksum_at(const struct packet *packet)
{
    return packet->l4 + (packet->protocol == PACKET_TCP ? TCP_CHECKSUM : UDP_CHECKSUM);
}

static bool parse(struct packet *ret, struct frame frame, const struct virtio_net_hdr *head)
{
    switch (head->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
    case VIRTIO_NET_HDR_GSO_TCPV4:
        return packet_parse_at(ret, frame, PACKET_TCP, head->csum_start) && !ret->is_ipv6;
    case VIRTIO_NET_HDR_GSO_TCPV6:
        return packet_parse_at(ret, frame, PACKET_TCP, head->csum_start) && ret->is_ipv6;
    case GSO_UDP_L4:
        return packet_parse_at(ret, frame, PACKET_UDP, head->csum_start);
    default:
        return false;
    }
}

static int prepare(struct cutting *cutting, const uint8_t *frame, size_t len,
                   const struct virtio_net_hdr *head)
{
    const struct packet *packet = &cutting->packet;
    uint16_t begun, l4_len;

    if (!(head->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) || !head->gso_size ||
        !parse(&cutting->packet, (struct frame){ frame, (uint32_t)len }, head) ||
        checksum_at(packet) != (size_t)head->csum_start + head->csum_offset ||
        len - packet->l3 > UINT16_MAX + (size_t)IPV6_SIZE)
        return -EBADMSG;
    cutting->size = head->gso_size;
    memcpy(cutting->headers, frame, packet->headers);
    memcpy(&begun, frame + checksum_at(packet), sizeof(begun));
    memset(cutting->headers + checksum_at(packet), 0, sizeof(begun));
    l4_len = htons((uint16_t)(len - packet->l4));
    cutting->pseudo = (uint64_t)begun + (uint16_t)~l4_len;
    return 0;
}

/* What differs from segment to segment, in headers that are already in place. */
static void adapt(const struct cutting *cutting, uint8_t *frame, size_t index, size_t part,
                  bool is_last)
{
    const struct packet *packet = &cutting->packet;
    uint8_t *ip = frame + packet->l3, *l4 = frame + packet->l4;
    size_t l4_len = packet->headers - packet->l4 + part;

    if (!packet->is_ipv6)
        packet_put16(ip + IPV4_ID, (uint16_t)(packet_get16(ip + IPV4_ID) + index));
    packet_set_length(packet, frame, part);
    if (packet->protocol == PACKET_UDP) {
        packet_put16(l4 + UDP_LENGTH, (uint16_t)l4_len);
    } else {
        packet_put32(l4 + TCP_SEQUENCE,
                     packet_get32(l4 + TCP_SEQUENCE) + (uint32_t)(index * cutting->size));
        if (!is_last)
            l4[TCP_FLAGS] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
        if (index > 0)
            l4[TCP_FLAGS] &= (uint8_t)~TCP_CWR;
    }
    put_sum(frame + checksum_at(packet),
            checksum_add(cutting->pseudo + htons((uint16_t)l4_len), l4, l4_len));
}

/* From the last to the first: headers come in between, so each moves backwards, over what has
 * moved already. */
static ssize_t cut(const struct cutting *cutting, uint8_t *buf, size_t len, size_t room)
{
    size_t headers = cutting->packet.headers, payload = len - headers, size = cutting->size;
    size_t n = payload > size ? (payload + size - 1) / size : 1;
    size_t bytes = n * (FRAMING_HEADER + headers) + payload;

    if (bytes > room)
        return -EMSGSIZE;
    for (size_t i = n; i-- > 0;) {
        uint8_t *frame = buf + i * (FRAMING_HEADER + headers + size) + FRAMING_HEADER;
        size_t part = i == n - 1 ? payload - i * size : size;

        memmove(frame + headers, buf + FRAMING_HEADER + headers + i * size, part);
        memcpy(frame, cutting->headers, headers);
        adapt(cutting, frame, i, part, i == n - 1);
        framing_put_length(frame - FRAMING_HEADER, (uint32_t)(headers + part));
    }
    return (ssize_t)bytes;
}

ssize_t segment_frame(uint8_t *buf, size_t len, size_t room, const struct virtio_net_hdr *head)
{
    uint8_t *frame = buf + FRAMING_HEADER;
    struct cutting cutting;
    int r = 0;

    if (head->gso_type != VIRTIO_NET_HDR_GSO_NONE) {
        r = prepare(&cutting, frame, len, head);
        return r < 0 ? r : cut(&cutting, buf, len, room);
    }
    if (FRAMING_HEADER + len > room)
        return -EMSGSIZE;
    if (head->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
        r = complete(frame, len, head);
    framing_put_length(buf, (uint32_t)len);
    return r < 0 ? r : (ssize_t)(FRAMING_HEADER + len);
}
