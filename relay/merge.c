/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/merge.h"

#include "relay/checksum.h"

#define RESERVED_BITS 0x0f /* beside TCP's data offset */

/* What of two segments' headers has to be the same: ranges, from an origin. */
struct range {
    uint8_t from, to;
};

static const struct range same_ipv4[] = { { 0, IPV4_LENGTH },
                                          { IPV4_FLAGS, IPV4_CHECKSUM },
                                          { IPV4_SOURCE, IPV4_SIZE } };
static const struct range same_ipv6[] = { { 0, IPV6_LENGTH }, { IPV6_NEXT, IPV6_SIZE } };
static const struct range same_tcp[] = { { 0, TCP_SEQUENCE },
                                         { TCP_ACKNOWLEDGED, TCP_FLAGS },
                                         { TCP_WINDOW, TCP_CHECKSUM },
                                         { TCP_URGENT, TCP_SIZE } };

static bool are_same(const uint8_t *one, const uint8_t *other, const struct range *ranges, size_t n)
{
    for (size_t i = 0; i < n; ++i)
        if (memcmp(one + ranges[i].from, other + ranges[i].from, ranges[i].to - ranges[i].from))
            return false;
    return true;
}

/* Whole, of its own length, with payload, and nothing but ACK and PSH. */
static bool is_plain(const struct packet *p, struct frame frame)
{
    const uint8_t *ip = frame.data + p->l3, *tcp = frame.data + p->l4;
    size_t len = p->is_ipv6 ? packet_get16(ip + IPV6_LENGTH) + (size_t)IPV6_SIZE
                            : packet_get16(ip + IPV4_LENGTH);

    return p->protocol == PACKET_TCP && len == frame.len - p->l3 && frame.len > p->headers &&
           (p->is_ipv6 || p->l4 - p->l3 == IPV4_SIZE) && (tcp[TCP_FLAGS] & ~TCP_PSH) == TCP_ACK &&
           !(tcp[TCP_OFFSET] & RESERVED_BITS);
}

static bool has_right_checksums(const struct packet *p, struct frame frame)
{
    size_t l4_len = frame.len - p->l4;

    if (!p->is_ipv6 && checksum_fold(checksum_add(0, frame.data + p->l3, IPV4_SIZE)) != 0xffff)
        return false;
    return checksum_fold(checksum_add(packet_pseudo_sum(p, frame.data, l4_len), frame.data + p->l4,
                                      l4_len)) == 0xffff;
}

static void take(struct merge *merge, const struct packet *p, struct frame frame)
{
    size_t payload = frame.len - p->headers;

    merge->iov[merge->n++] = (struct iovec){ (void *)(frame.data + p->headers), payload };
    merge->payload += payload;
    merge->next += (uint32_t)payload;
    merge->pushes = frame.data[p->l4 + TCP_FLAGS] & TCP_PSH;
    merge->is_open = !merge->pushes && payload == merge->size && merge->n < MERGE_FRAMES;
}

void merge_begin(struct merge *merge, struct frame first)
{
    struct packet *p = &merge->packet;

    merge->first = first;
    merge->n = 0;
    merge->is_checked = false;
    merge->payload = 0;
    merge->bytes = first.len;
    if (!packet_parse(p, first) || !is_plain(p, first)) {
        merge->is_open = false;
        merge->n = 1;
        return;
    }
    merge->size = first.len - p->headers;
    merge->next = packet_get32(first.data + p->l4 + TCP_SEQUENCE);
    take(merge, p, first);
}

static bool is_of_the_flow(const struct merge *merge, const struct packet *p, struct frame frame)
{
    const uint8_t *one = merge->first.data, *other = frame.data;
    const struct packet *q = &merge->packet;

    if (p->is_ipv6 != q->is_ipv6 || p->l3 != q->l3 || p->l4 != q->l4 || p->headers != q->headers)
        return false;
    return memcmp(one, other, p->l3) == 0 &&
           (p->is_ipv6 ? are_same(one + p->l3, other + p->l3, same_ipv6, 2)
                       : are_same(one + p->l3, other + p->l3, same_ipv4, 3)) &&
           are_same(one + p->l4, other + p->l4, same_tcp, 4) &&
           memcmp(one + p->l4 + TCP_SIZE, other + p->l4 + TCP_SIZE,
                  p->headers - p->l4 - TCP_SIZE) == 0;
}

/* Whoever cuts the whole numbers the parts upwards, and they are to be what they were. */
static bool is_next(const struct merge *merge, const struct packet *p, struct frame frame)
{
    const uint8_t *one = merge->first.data + p->l3, *other = frame.data + p->l3;

    if (packet_get32(frame.data + p->l4 + TCP_SEQUENCE) != merge->next)
        return false;
    return p->is_ipv6 ||
           packet_get16(other + IPV4_ID) == (uint16_t)(packet_get16(one + IPV4_ID) + merge->n);
}

bool merge_add(struct merge *merge, struct frame frame)
{
    struct packet p;
    size_t payload;

    if (!merge->is_open || !packet_parse(&p, frame) || !is_plain(&p, frame) ||
        !is_of_the_flow(merge, &p, frame) || !is_next(merge, &p, frame))
        return false;
    payload = frame.len - p.headers;
    if (payload > merge->size || p.headers - p.l3 + merge->payload + payload > UINT16_MAX)
        return false;
    if (!merge->is_checked && !has_right_checksums(&p, merge->first))
        merge->is_open = false;
    merge->is_checked = true;
    if (!merge->is_open || !has_right_checksums(&p, frame))
        return false;
    take(merge, &p, frame);
    merge->bytes += frame.len;
    return true;
}

/* The checksum is begun with the pseudo header; whoever needs more goes on from there. */
static void write_headers(struct merge *merge)
{
    const struct packet *p = &merge->packet;
    size_t l4_len = p->headers - p->l4 + merge->payload;
    uint8_t *tcp = merge->headers + p->l4;
    uint16_t sum;

    memcpy(merge->headers, merge->first.data, p->headers);
    packet_set_length(p, merge->headers, merge->payload);
    if (merge->pushes)
        tcp[TCP_FLAGS] |= TCP_PSH;
    sum = checksum_fold(packet_pseudo_sum(p, merge->headers, l4_len));
    memcpy(tcp + TCP_CHECKSUM, &sum, sizeof(sum));
}

size_t merge_end(struct merge *merge, struct virtio_net_hdr *head, struct iovec *iov)
{
    const struct packet *p = &merge->packet;

    *head = (struct virtio_net_hdr){ 0 };
    if (merge->n == 1) {
        iov[0] = (struct iovec){ (void *)merge->first.data, merge->first.len };
        return 1;
    }
    write_headers(merge);
    head->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    head->gso_type = p->is_ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
    head->hdr_len = (uint16_t)p->headers;
    head->gso_size = (uint16_t)merge->size;
    head->csum_start = (uint16_t)p->l4;
    head->csum_offset = TCP_CHECKSUM;
    iov[0] = (struct iovec){ merge->headers, p->headers };
    memcpy(iov + 1, merge->iov, merge->n * sizeof(*iov));
    return merge->n + 1;
}
