/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/prefix.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define MAPPED_BITS 96

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

static void put_ipv4(uint8_t ret[16], const void *addr)
{
    memcpy(ret, mapped, sizeof(mapped));
    memcpy(ret + sizeof(mapped), addr, 4);
}

/* The number behind the slash, without a sign, a blank, or a zero too many. */
static bool parse_bits(const char *text, unsigned max, unsigned *ret)
{
    size_t len = strlen(text);
    char *end;

    if (len < 1 || len > 3 || strspn(text, "0123456789") != len || (*text == '0' && len > 1))
        return false;
    *ret = (unsigned)strtoul(text, &end, 10);
    return *ret <= max;
}

bool prefix_parse(struct prefix *ret, const char *text)
{
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : strlen(text);
    char host[PREFIX_TEXT_MAX];
    unsigned shift, bits;
    struct in_addr in;

    *ret = (struct prefix){ 0 };
    if (strcmp(text, "any") == 0)
        return true;
    if (len >= sizeof(host))
        return false;
    memcpy(host, text, len);
    host[len] = '\0';
    if (inet_pton(AF_INET, host, &in) == 1) {
        put_ipv4(ret->addr, &in);
        shift = MAPPED_BITS;
    } else if (inet_pton(AF_INET6, host, ret->addr) == 1) {
        shift = 0;
    } else {
        return false;
    }
    bits = 128 - shift;
    if (slash && !parse_bits(slash + 1, bits, &bits))
        return false;
    ret->bits = (uint8_t)(bits + shift);
    return true;
}

bool prefix_covers(const struct prefix *prefix, const struct sockaddr *addr)
{
    unsigned whole = prefix->bits / 8, rest = prefix->bits % 8;
    uint8_t host[16];

    if (addr->sa_family == AF_INET)
        put_ipv4(host, &((const struct sockaddr_in *)addr)->sin_addr);
    else if (addr->sa_family == AF_INET6)
        memcpy(host, &((const struct sockaddr_in6 *)addr)->sin6_addr, sizeof(host));
    else
        return false;
    return memcmp(host, prefix->addr, whole) == 0 &&
           (rest == 0 || (host[whole] ^ prefix->addr[whole]) >> (8 - rest) == 0);
}
