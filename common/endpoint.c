/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text is cut at the colons outside brackets, and their number says which form it is. Readers of
 * one part return NULL, or the phrase that says what they expected there.
 */
#include "common/endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define PARTS_MAX 4 /* the most any form has */

static const char expect_port[] = "a port number from 1 to 65535";
static const char expect_host[] = "an IPv4 address, an IPv6 address in brackets, or a host name";
static const char expect_brackets[] = "an IPv6 address in brackets, as in [::1]:80";
static const char expect_peer[] = "the peer's address before its port";
static const char expect_one_port[] = "a port number for one side at least";
static const char expect_one_family[] = "two IPv4 or two IPv6 addresses, not one of each";
static const char expect_tcp[] = "ADDR:PORT";
static const char expect_listen[] = "[ADDR:]PORT";
static const char expect_udp[] = "LADDR:LPORT:RADDR:RPORT or LPORT:RADDR:RPORT";
static const char expect_ifname[] =
    "a device name of 1 to 15 characters, without '/', ':', '%' and blanks";
static const char expect_fd[] = "the number of a descriptor";
static const char expect_with_port[] = "ADDR:PORT; there is no port";
static const char expect_not_port[] =
    "ADDR:PORT or a bridge; a port alone belongs to -l, a bridge of that name is bridge:NAME";
static const char expect_endpoint[] =
    "an endpoint: '-', [tcp:]ADDR:PORT, listen:[ADDR:]PORT, LPORT:ADDR:RPORT, "
    "udp:LADDR:LPORT:RADDR:RPORT, tap:NAME, [bridge:]NAME or fd:N";

struct span {
    const char *start;
    size_t len;
};

struct parts {
    struct span part[PARTS_MAX];
    size_t count; /* PARTS_MAX + 1: more than any form has */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_all_digits(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_digit(s.start[i]))
            return false;
    }
    return s.len > 0;
}

/* False where s does not fit. */
static bool span_copy(struct span s, char *buf, size_t size)
{
    if (s.len >= size)
        return false;
    memcpy(buf, s.start, s.len);
    buf[s.len] = '\0';
    return true;
}

static bool is_address(int family, struct span s)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr addr;

    return span_copy(s, text, sizeof(text)) && inet_pton(family, text, &addr) == 1;
}

/* The form in which inet_ntop() writes it, so that equal addresses have equal text. */
static bool address_canonical(int family, struct span s, char host[ENDPOINT_HOST_MAX])
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr addr;

    return span_copy(s, text, sizeof(text)) && inet_pton(family, text, &addr) == 1 &&
           inet_ntop(family, &addr, host, ENDPOINT_HOST_MAX);
}

/* Decimal, no sign, no blank, no leading zero (others read an octal number there). */
static bool read_number(struct span s, long max, long *ret)
{
    long n = 0;

    if (!is_all_digits(s) || (s.len > 1 && s.start[0] == '0'))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        int digit = s.start[i] - '0';

        if (n > (max - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *ret = n;
    return true;
}

static const char *read_port(struct span s, uint16_t *ret)
{
    long n;

    if (!read_number(s, UINT16_MAX, &n) || n == 0)
        return expect_port;
    *ret = (uint16_t)n;
    return NULL;
}

static bool is_label(struct span s)
{
    if (s.len == 0 || s.len > 63 || s.start[0] == '-' || s.start[s.len - 1] == '-')
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.start[i];

        if (!is_digit(c) && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != '-')
            return false;
    }
    return true;
}

/* What inet_aton() would take for a number: "300.1.1.1" and "0x7f.1" are not names. */
static bool is_numeric_label(struct span s)
{
    if (s.len >= 2 && s.start[0] == '0' && (s.start[1] == 'x' || s.start[1] == 'X'))
        return strspn(s.start + 2, "0123456789abcdefABCDEF") >= s.len - 2;
    return is_all_digits(s);
}

/* Letters, digits and hyphens, as RFC 1123 has it; one dot may end it. */
static bool is_host_name(struct span s)
{
    struct span label = { s.start, 0 };
    size_t len = s.len > 1 && s.start[s.len - 1] == '.' ? s.len - 1 : s.len;

    for (size_t i = 0; i < len; i++) {
        if (s.start[i] != '.') {
            label.len++;
            continue;
        }
        if (!is_label(label))
            return false;
        label = (struct span){ s.start + i + 1, 0 };
    }
    return is_label(label) && !is_numeric_label(label);
}

static const char *read_host(struct span s, char host[ENDPOINT_HOST_MAX])
{
    if (s.len >= 2 && s.start[0] == '[' && s.start[s.len - 1] == ']') {
        struct span inner = { s.start + 1, s.len - 2 };

        return address_canonical(AF_INET6, inner, host) ? NULL : expect_brackets;
    }
    if (address_canonical(AF_INET, s, host))
        return NULL;
    if (!is_host_name(s) || !span_copy(s, host, ENDPOINT_HOST_MAX))
        return expect_host;
    for (char *c = host; *c; c++) {
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    }
    return NULL;
}

/* Our own address may be left out, or be '*': any. */
static const char *read_local_host(struct span s, char host[ENDPOINT_HOST_MAX])
{
    if (s.len == 0 || (s.len == 1 && s.start[0] == '*')) {
        host[0] = '\0';
        return NULL;
    }
    return read_host(s, host);
}

static const char *read_remote_host(struct span s, char host[ENDPOINT_HOST_MAX])
{
    return s.len == 0 ? expect_peer : read_host(s, host);
}

/* As the kernel judges names, and nothing that would spoil a line of a log or be a pattern. */
static const char *read_ifname(struct span s, char name[ENDPOINT_NAME_MAX])
{
    if (s.len == 0 || !span_copy(s, name, ENDPOINT_NAME_MAX))
        return expect_ifname;
    for (const char *c = name; *c; c++) {
        if ((unsigned char)*c <= ' ' || *c == 0x7f || strchr("/:%", *c))
            return expect_ifname;
    }
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ? expect_ifname : NULL;
}

static void split(struct span text, struct parts *ret)
{
    bool inside = false;

    *ret = (struct parts){ .part = { { text.start, 0 } }, .count = 1 };
    for (size_t i = 0; i < text.len; i++) {
        char c = text.start[i];

        inside = c == '[' || (inside && c != ']');
        if (c != ':' || inside) {
            ret->part[ret->count - 1].len++;
        } else if (ret->count == PARTS_MAX) {
            ret->count++;
            return;
        } else {
            ret->part[ret->count++] = (struct span){ text.start + i + 1, 0 };
        }
    }
}

/* "::1" or "::1:80": what people write who did not think of brackets. */
static bool is_bare_ipv6(struct span text)
{
    return is_address(AF_INET6, text);
}

static const char *read_listen(struct endpoint *e, struct span text)
{
    const char *expected = NULL;
    struct parts parts;

    split(text, &parts);
    e->kind = ENDPOINT_LISTEN;
    if (parts.count > 2 || (parts.count == 2 && parts.part[0].len == 0))
        return is_bare_ipv6(text) ? expect_brackets : expect_listen;
    if (parts.count == 2)
        expected = read_local_host(parts.part[0], e->local.host);
    return expected ? expected : read_port(parts.part[parts.count - 1], &e->local.l4_port);
}

static const char *read_tcp(struct endpoint *e, struct span text)
{
    const char *expected;
    struct parts parts;

    split(text, &parts);
    e->kind = ENDPOINT_TCP;
    if (parts.count != 2)
        return is_bare_ipv6(text) ? expect_brackets : expect_tcp;
    expected = read_remote_host(parts.part[0], e->remote.host);
    return expected ? expected : read_port(parts.part[1], &e->remote.l4_port);
}

static bool is_mixed_family(const char *a, const char *b)
{
    struct span s = { a, strlen(a) }, t = { b, strlen(b) };

    return (is_address(AF_INET, s) && is_address(AF_INET6, t)) ||
           (is_address(AF_INET6, s) && is_address(AF_INET, t));
}

/* LPORT:RADDR:RPORT; one of the ports may be empty and is the other one then. */
static const char *read_udp_three(struct endpoint *e, const struct span part[3])
{
    struct span local = part[0].len > 0 ? part[0] : part[2];
    struct span remote = part[2].len > 0 ? part[2] : part[0];
    const char *expected;

    if (local.len == 0)
        return expect_one_port;
    expected = read_port(local, &e->local.l4_port);
    if (!expected)
        expected = read_remote_host(part[1], e->remote.host);
    return expected ? expected : read_port(remote, &e->remote.l4_port);
}

static const char *read_udp_four(struct endpoint *e, const struct span part[4])
{
    const char *expected = read_local_host(part[0], e->local.host);

    if (!expected)
        expected = read_port(part[1], &e->local.l4_port);
    if (!expected)
        expected = read_remote_host(part[2], e->remote.host);
    if (!expected)
        expected = read_port(part[3], &e->remote.l4_port);
    if (!expected && is_mixed_family(e->local.host, e->remote.host))
        expected = expect_one_family;
    return expected;
}

static const char *read_udp(struct endpoint *e, struct span text)
{
    struct parts parts;

    split(text, &parts);
    e->kind = ENDPOINT_UDP;
    if (is_bare_ipv6(text))
        return expect_brackets;
    if (parts.count == 3)
        return read_udp_three(e, parts.part);
    return parts.count == 4 ? read_udp_four(e, parts.part) : expect_udp;
}

static const char *read_tap(struct endpoint *e, struct span text)
{
    e->kind = ENDPOINT_TAP;
    return read_ifname(text, e->ifname);
}

static const char *read_bridge(struct endpoint *e, struct span text)
{
    e->kind = ENDPOINT_BRIDGE;
    return read_ifname(text, e->ifname);
}

static const char *read_fd(struct endpoint *e, struct span text)
{
    long n;

    e->kind = ENDPOINT_FD;
    if (!read_number(text, INT_MAX, &n))
        return expect_fd;
    e->fd = (int)n;
    return NULL;
}

/* Names, and what reads the text after the scheme. */
static const struct {
    const char *name;
    const char *(*read)(struct endpoint *e, struct span text);
} kinds[ENDPOINT_KIND_COUNT] = {
    [ENDPOINT_STDIO] = { "-", NULL }, /* whole: no text follows */
    [ENDPOINT_LISTEN] = { "listen", read_listen },
    [ENDPOINT_TCP] = { "tcp", read_tcp },
    [ENDPOINT_UDP] = { "udp", read_udp },
    [ENDPOINT_TAP] = { "tap", read_tap },
    [ENDPOINT_BRIDGE] = { "bridge", read_bridge },
    [ENDPOINT_FD] = { "fd", read_fd },
};

/* One word: a bridge, unless it looks like an address or port with its other half forgotten. */
static const char *read_word(struct endpoint *e, struct span text)
{
    if (text.len == 0)
        return expect_endpoint;
    if (text.start[0] == '[' || is_address(AF_INET, text))
        return expect_with_port;
    if (is_all_digits(text))
        return expect_not_port;
    if (text.start[0] == '-') /* an option gone astray; it is still bridge:-NAME */
        return expect_endpoint;
    return read_bridge(e, text);
}

static const char *read_endpoint(struct endpoint *e, struct span text)
{
    struct parts parts;

    if (text.len == 1 && text.start[0] == '-') {
        e->kind = ENDPOINT_STDIO;
        return NULL;
    }
    for (size_t i = 0; i < ENDPOINT_KIND_COUNT; i++) {
        size_t len = strlen(kinds[i].name);

        if (kinds[i].read && text.len > len && text.start[len] == ':' &&
            memcmp(text.start, kinds[i].name, len) == 0)
            return kinds[i].read(e, (struct span){ text.start + len + 1, text.len - len - 1 });
    }
    split(text, &parts);
    if (parts.count == 1)
        return read_word(e, text);
    if (parts.count == 2)
        return read_tcp(e, text);
    if (parts.count == 3)
        return read_udp(e, text);
    return is_bare_ipv6(text) ? expect_brackets : expect_endpoint;
}

static int parse_by(const char *(*read)(struct endpoint *, struct span), struct endpoint *ret,
                    const char *text, const char **ret_expected)
{
    struct endpoint e = { .fd = -1 };
    const char *expected = read(&e, (struct span){ text, strlen(text) });

    if (expected) {
        *ret_expected = expected;
        return -EINVAL;
    }
    *ret = e;
    return 0;
}

int endpoint_parse(struct endpoint *ret, const char *text, const char **ret_expected)
{
    return parse_by(read_endpoint, ret, text, ret_expected);
}

int endpoint_parse_listen(struct endpoint *ret, const char *text, const char **ret_expected)
{
    if (strncmp(text, "listen:", 7) == 0) /* the canonical form: not a host of that name */
        text += 7;
    return parse_by(read_listen, ret, text, ret_expected);
}

const char *endpoint_kind_name(enum endpoint_kind kind)
{
    return (unsigned)kind < ENDPOINT_KIND_COUNT ? kinds[kind].name : "?";
}

const char *endpoint_address_format(const struct endpoint_address *address,
                                    char buf[ENDPOINT_TEXT_MAX])
{
    const char *host = address->host[0] ? address->host : "*";

    snprintf(buf, ENDPOINT_TEXT_MAX, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host,
             (unsigned)address->l4_port);
    return buf;
}

const char *endpoint_format(const struct endpoint *endpoint, char buf[ENDPOINT_TEXT_MAX])
{
    const char *name = endpoint_kind_name(endpoint->kind);
    char local[ENDPOINT_TEXT_MAX], remote[ENDPOINT_TEXT_MAX];
    int n = snprintf(buf, ENDPOINT_TEXT_MAX, "%s", name);
    char *rest = buf + n;
    size_t room = (size_t)(ENDPOINT_TEXT_MAX - n);

    endpoint_address_format(&endpoint->local, local);
    endpoint_address_format(&endpoint->remote, remote);
    switch (endpoint->kind) {
    case ENDPOINT_LISTEN:
        snprintf(rest, room, ":%s", local);
        break;
    case ENDPOINT_TCP:
        snprintf(rest, room, ":%s", remote);
        break;
    case ENDPOINT_UDP:
        snprintf(rest, room, ":%.*s:%.*s", 300, local, 300, remote);
        break;
    case ENDPOINT_TAP:
    case ENDPOINT_BRIDGE:
        snprintf(rest, room, ":%s", endpoint->ifname);
        break;
    case ENDPOINT_FD:
        snprintf(rest, room, ":%d", endpoint->fd);
        break;
    default:
        break;
    }
    return buf;
}

static bool address_equal(const struct endpoint_address *a, const struct endpoint_address *b)
{
    return a->l4_port == b->l4_port && strcmp(a->host, b->host) == 0;
}

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case ENDPOINT_LISTEN:
        return address_equal(&a->local, &b->local);
    case ENDPOINT_TCP:
        return address_equal(&a->remote, &b->remote);
    case ENDPOINT_UDP:
        return address_equal(&a->local, &b->local) && address_equal(&a->remote, &b->remote);
    case ENDPOINT_TAP:
    case ENDPOINT_BRIDGE:
        return strcmp(a->ifname, b->ifname) == 0;
    case ENDPOINT_FD:
        return a->fd == b->fd;
    default:
        return true;
    }
}
