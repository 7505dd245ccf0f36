/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "packets.h"

#include <string.h>

static size_t l3_of(const struct packets *p)
{
    return 14 + 4 * p->tags;
}

size_t packets_l4(const struct packets *p)
{
    return l3_of(p) + (p->is_ipv6 ? 40 + p->extension : 20 + p->options);
}

size_t packets_headers(const struct packets *p)
{
    return packets_l4(p) + (p->is_udp ? 8 : 20 + p->tcp_options);
}

static void put16(uint8_t *at, size_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* The plainest way there is. */
uint16_t packets_sum(uint32_t sum, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i += 2) {
        sum += (uint32_t)data[i] << 8 | (i + 1 < len ? data[i + 1] : 0);
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)sum;
}

static void put_ethernet(uint8_t *to, const struct packets *p)
{
    memcpy(to, "\x52\x54\x00\x00\x00\x02\x52\x54\x00\x00\x00\x01", 12);
    for (unsigned i = 0; i < p->tags; ++i) {
        put16(to + 12 + 4 * i, i + 1 < p->tags ? 0x88a8 : 0x8100);
        put16(to + 14 + 4 * i, 7 + i);
    }
    put16(to + l3_of(p) - 2, p->is_ipv6 ? 0x86dd : 0x0800);
}

static void put_ip(uint8_t *ip, const struct packets *p, size_t total)
{
    uint8_t protocol = p->is_udp ? 17 : 6;

    if (p->is_ipv6) {
        memset(ip, 0, 40 + p->extension);
        ip[0] = 0x60;
        put16(ip + 4, total - 40);
        ip[6] = p->extension ? 60 : protocol;
        ip[7] = 64;
        memset(ip + 8, 0xfd, 16);
        memset(ip + 24, 0xfe, 16);
        if (p->extension) {
            ip[40] = protocol;
            ip[41] = (uint8_t)(p->extension / 8 - 1);
            ip[42] = 1;
            ip[43] = (uint8_t)(p->extension - 4);
        }
        return;
    }
    memset(ip, 1, 20 + p->options); /* options that say nothing */
    ip[0] = (uint8_t)(0x45 + p->options / 4);
    ip[1] = 0;
    put16(ip + 2, total);
    put16(ip + 4, p->id);
    put16(ip + 6, p->fragments ? 0 : 0x4000);
    ip[8] = 64;
    ip[9] = protocol;
    put16(ip + 10, 0);
    memcpy(ip + 12, "\x0a\x4d\x00\x01\x0a\x4d\x00\x02", 8);
    put16(ip + 10, (uint16_t)~packets_sum(0, ip, 20 + p->options));
}

static void put_l4(uint8_t *l4, const struct packets *p, size_t len)
{
    put16(l4, 5001);
    put16(l4 + 2, 5002);
    if (p->is_udp) {
        put16(l4 + 4, len);
        put16(l4 + 6, 0);
        return;
    }
    put16(l4 + 4, p->sequence >> 16);
    put16(l4 + 6, p->sequence & 0xffff);
    memset(l4 + 8, 0x77, 4);
    l4[12] = (uint8_t)((20 + p->tcp_options) / 4 << 4);
    l4[13] = p->flags;
    put16(l4 + 14, p->window);
    memset(l4 + 16, 0, 4);
    memset(l4 + 20, 1, p->tcp_options);
}

size_t packets_make(uint8_t *to, const struct packets *p, const uint8_t *payload, size_t len,
                    bool is_begun)
{
    size_t l3 = l3_of(p), l4 = packets_l4(p), headers = packets_headers(p);
    size_t field = l4 + (p->is_udp ? 6 : 16), l4_len = headers - l4 + len;
    uint16_t sum;

    put_ethernet(to, p);
    put_ip(to + l3, p, headers - l3 + len);
    put_l4(to + l4, p, l4_len);
    memcpy(to + headers, payload, len);
    sum = packets_sum((uint32_t)l4_len + (p->is_udp ? 17 : 6), to + l3 + (p->is_ipv6 ? 8 : 12),
                      p->is_ipv6 ? 32 : 8);
    if (!is_begun)
        sum = (uint16_t)~packets_sum(sum, to + l4, l4_len);
    put16(to + field, !is_begun && !sum ? 0xffff : sum);
    return headers + len;
}
