/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/endpoint-read.h"

#include <arpa/inet.h>
#include <string.h>

static const char expect_port[] = "a port number from 1 to 65535";
static const char expect_host[] = "an IPv4 address, an IPv6 address in brackets, or a host name";
static const char expect_brackets[] = "an IPv6 address in brackets, as in [::1]:80";
static const char expect_no_scope[] = "an IPv6 address in brackets without %SCOPE";
static const char expect_peer[] = "the peer's address before its port";
static const char expect_ifname[] =
    "a device name of 1 to 15 characters, without '/', ':', '%' and blanks";
static const char expect_path[] =
    "a path of 1 to 107 characters, without ':' and control characters";

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool span_is_all_digits(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_digit(s.start[i]))
            return false;
    }
    return s.len > 0;
}

bool span_copy(struct span s, char *buf, size_t size)
{
    if (s.len >= size)
        return false;
    memcpy(buf, s.start, s.len);
    buf[s.len] = '\0';
    return true;
}

bool span_is_address(int family, struct span s)
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

bool read_number(struct span s, long max, long *ret)
{
    long n = 0;

    if (!span_is_all_digits(s) || (s.len > 1 && s.start[0] == '0'))
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

const char *read_port(struct span s, uint16_t *ret)
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
    return span_is_all_digits(s);
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

const char *read_host(struct span s, char host[ENDPOINT_HOST_MAX])
{
    if (s.len >= 2 && s.start[0] == '[' && s.start[s.len - 1] == ']') {
        struct span inner = { s.start + 1, s.len - 2 };

        if (memchr(inner.start, '%', inner.len))
            return expect_no_scope;
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

const char *read_local_host(struct span s, char host[ENDPOINT_HOST_MAX])
{
    if (s.len == 0 || (s.len == 1 && s.start[0] == '*')) {
        host[0] = '\0';
        return NULL;
    }
    return read_host(s, host);
}

const char *read_remote_host(struct span s, char host[ENDPOINT_HOST_MAX])
{
    return s.len == 0 ? expect_peer : read_host(s, host);
}

/* As the kernel judges names, and nothing that would spoil a line of a log or be a pattern. */
const char *read_ifname(struct span s, char name[ENDPOINT_NAME_MAX])
{
    if (s.len == 0 || !span_copy(s, name, ENDPOINT_NAME_MAX))
        return expect_ifname;
    for (const char *c = name; *c; c++) {
        if ((unsigned char)*c <= ' ' || *c == 0x7f || strchr("/:%", *c))
            return expect_ifname;
    }
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ? expect_ifname : NULL;
}

void span_split(struct span text, struct span_parts *ret)
{
    bool inside = false;

    *ret = (struct span_parts){ .part = { { text.start, 0 } }, .count = 1 };
    for (size_t i = 0; i < text.len; i++) {
        char c = text.start[i];

        inside = c == '[' || (inside && c != ']');
        if (c != ':' || inside) {
            ret->part[ret->count - 1].len++;
        } else if (ret->count == SPAN_PARTS_MAX) {
            ret->count++;
            return;
        } else {
            ret->part[ret->count++] = (struct span){ text.start + i + 1, 0 };
        }
    }
}

const char *read_path(struct span s, char path[ENDPOINT_PATH_MAX])
{
    if (s.len == 0 || !span_copy(s, path, ENDPOINT_PATH_MAX))
        return expect_path;
    for (const char *c = path; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f || *c == ':')
            return expect_path;
    }
    return NULL;
}

bool span_is(struct span s, const char *word)
{
    return s.len == strlen(word) && memcmp(s.start, word, s.len) == 0;
}
