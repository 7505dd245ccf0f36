/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text up to its first comma says where the port leads: it is cut at the colons outside
 * brackets, and their number says which form it is. What follows are options. Readers return NULL,
 * or the phrase that says what they expected.
 */
#include "common/endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/endpoint-read.h"

static const char expect_brackets[] = "an IPv6 address in brackets, as in [::1]:80";
static const char expect_path_kind[] =
    "a kind before a path: unix:PATH dials, unix-listen:PATH listens, see --help";
static const char expect_kind[] =
    "ADDR:PORT, or before the first colon tcp, listen, udp, mcast, unix, unix-listen, unix-dgram, "
    "vde, user, tap, bridge or fd";
static const char expect_two_ports[] = "two different ports; without an address it is 127.0.0.1";
static const char expect_other_port[] = "a peer with another port or address: this is itself";
static const char expect_other_path[] = "PATH:PEER, two paths: this is itself";
static const char expect_one_port[] = "a port number for one side at least";
static const char expect_one_family[] = "two IPv4 or two IPv6 addresses, not one of each";
static const char expect_tcp[] = "ADDR:PORT";
static const char expect_listen[] = "[ADDR:]PORT: a port alone, or behind an address or *";
static const char expect_udp[] = "LADDR:LPORT:RADDR:RPORT or LPORT:RADDR:RPORT; a port of ours "
                                 "alone needs the option learn";
static const char expect_no_peer[] = "either a peer or the option learn, not both";
static const char expect_mcast[] = "GROUP:PORT[@DEVICE or @ADDR]";
static const char expect_group[] = "a multicast address, as in 239.0.0.1 or [ff02::1]";
static const char expect_ttl[] = "hops from 1 to 255";
static const char expect_ip[] = "ADDR/PREFIX, as in 192.168.9.1/24; at most four of them";
static const char expect_dgram[] = "PATH:PEER, our socket's path and that of the peer's";
static const char expect_fd[] = "the number of a descriptor";
static const char expect_with_port[] = "ADDR:PORT; there is no port";
static const char expect_not_port[] =
    "ADDR:PORT or a bridge; a port alone belongs to -l, a bridge of that name is bridge:NAME";
static const char expect_endpoint[] =
    "an endpoint, such as -, ADDR:PORT, listen:PORT, LPORT:ADDR:RPORT, tap:NAME or a bridge; "
    "see --help";
#define OPTIONS                                                                                    \
    "pin, allow=MAC, deny=MAC, storm=FRAMES, guest, ingress=RATE or egress=RATE; see netrelay(1)"
static const char expect_option[] = "an option of this endpoint: " OPTIONS;
static const char expect_path_option[] =
    "an option of this endpoint (a comma of its path is written twice): " OPTIONS;
static const char expect_user[] = "KEY=VALUE,... of at most 2000 characters";
static const char expect_alone[] = "no value after it";

/* "::1" or "::1:80": what people write who did not think of brackets; or of one of them, or of the
 * colon behind. */
static bool is_bare_ipv6(struct span text)
{
    const char *end = memchr(text.start, ']', text.len);

    if (text.len > 0 && text.start[0] == '[')
        return !end || (end != text.start + text.len - 1 && end[1] != ':');
    return span_is_address(AF_INET6, text);
}

static const char *read_listen(struct endpoint *e, struct span text)
{
    const char *expected = NULL;
    struct span_parts parts;

    span_split(text, &parts);
    e->kind = ENDPOINT_LISTEN;
    if (is_bare_ipv6(text))
        return expect_brackets;
    if (parts.count > 2 || (parts.count == 2 && parts.part[0].len == 0))
        return expect_listen;
    if (parts.count == 2)
        expected = read_local_host(parts.part[0], e->local.host);
    return expected ? expected : read_port(parts.part[parts.count - 1], &e->local.l4_port);
}

static const char *read_tcp(struct endpoint *e, struct span text)
{
    const char *expected;
    struct span_parts parts;

    span_split(text, &parts);
    e->kind = ENDPOINT_TCP;
    if (parts.count != 2)
        return is_bare_ipv6(text) ? expect_brackets : expect_tcp;
    expected = read_remote_host(parts.part[0], e->remote.host);
    return expected ? expected : read_port(parts.part[1], &e->remote.l4_port);
}

static bool is_mixed_family(const char *a, const char *b)
{
    struct span s = { a, strlen(a) }, t = { b, strlen(b) };

    return (span_is_address(AF_INET, s) && span_is_address(AF_INET6, t)) ||
           (span_is_address(AF_INET6, s) && span_is_address(AF_INET, t));
}

/* LPORT::RPORT: another port of this host. No IPv6 address, which would not be one endpoint. */
static bool is_udp_here(const struct span_parts *parts)
{
    return parts->count == 3 && parts->part[1].len == 0 && span_is_all_digits(parts->part[0]) &&
           span_is_all_digits(parts->part[2]);
}

static const char *read_udp_here(struct endpoint *e, const struct span part[3])
{
    const char *expected = read_port(part[0], &e->local.l4_port);

    if (!expected)
        expected = read_port(part[2], &e->remote.l4_port);
    if (expected)
        return expected;
    strcpy(e->remote.host, "127.0.0.1");
    return e->local.l4_port == e->remote.l4_port ? expect_two_ports : NULL;
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

/* No peer: somebody who is still to be learned. */
static const char *read_udp_local(struct endpoint *e, const struct span *part, size_t count)
{
    const char *expected = count == 2 ? read_local_host(part[0], e->local.host) : NULL;

    return expected ? expected : read_port(part[count - 1], &e->local.l4_port);
}

static const char *read_udp(struct endpoint *e, struct span text)
{
    struct span_parts parts;

    span_split(text, &parts);
    e->kind = ENDPOINT_UDP;
    if (is_udp_here(&parts))
        return read_udp_here(e, parts.part);
    if (is_bare_ipv6(text))
        return expect_brackets;
    if (parts.count == 3)
        return read_udp_three(e, parts.part);
    if (parts.count == 4)
        return read_udp_four(e, parts.part);
    return parts.count < 3 ? read_udp_local(e, parts.part, parts.count) : expect_udp;
}

static bool is_group(const char *host)
{
    struct in6_addr v6;
    struct in_addr v4;

    if (inet_pton(AF_INET, host, &v4) == 1)
        return IN_MULTICAST(ntohl(v4.s_addr));
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_MULTICAST(&v6);
}

/* The interface: an address, or a device's name. */
static const char *read_mcast_if(struct endpoint *e, struct span text)
{
    char name[ENDPOINT_NAME_MAX];

    if (text.len > 0 && (text.start[0] == '[' || span_is_address(AF_INET, text)))
        return read_host(text, e->mcast_if);
    if (read_ifname(text, name))
        return expect_mcast;
    snprintf(e->mcast_if, sizeof(e->mcast_if), "%s", name);
    return NULL;
}

static const char *read_mcast(struct endpoint *e, struct span text)
{
    const char *at = memchr(text.start, '@', text.len), *expected;
    struct span group = { text.start, at ? (size_t)(at - text.start) : text.len };
    struct span_parts parts;

    e->kind = ENDPOINT_MCAST;
    span_split(group, &parts);
    if (parts.count != 2)
        return is_bare_ipv6(group) ? expect_brackets : expect_mcast;
    if (read_host(parts.part[0], e->remote.host) || !is_group(e->remote.host))
        return expect_group;
    expected = read_port(parts.part[1], &e->remote.l4_port);
    if (expected || !at)
        return expected;
    return read_mcast_if(e, (struct span){ at + 1, text.len - group.len - 1 });
}

static const char *read_unix(struct endpoint *e, struct span text)
{
    e->kind = ENDPOINT_UNIX;
    return read_path(text, e->path);
}

static const char *read_unix_listen(struct endpoint *e, struct span text)
{
    e->kind = ENDPOINT_UNIX_LISTEN;
    return read_path(text, e->path);
}

static const char *read_unix_dgram(struct endpoint *e, struct span text)
{
    const char *expected;
    struct span_parts parts;

    e->kind = ENDPOINT_UNIX_DGRAM;
    span_split(text, &parts);
    if (parts.count != 2)
        return expect_dgram;
    expected = read_path(parts.part[0], e->path);
    return expected ? expected : read_path(parts.part[1], e->peer_path);
}

static const char *read_vde(struct endpoint *e, struct span text)
{
    e->kind = ENDPOINT_VDE;
    return read_path(text, e->path);
}

/* A comma inside an option stays doubled. */
static const char *add_user(struct endpoint *e, const char *item)
{
    size_t n = strlen(e->user);

    if (n > 0)
        e->user[n++] = ',';
    for (; *item; item++) {
        if (n + 2 >= sizeof(e->user))
            return expect_user;
        if (*item == ',')
            e->user[n++] = ',';
        e->user[n++] = *item;
    }
    e->user[n] = '\0';
    return NULL;
}

/* Its first option comes right after the scheme. */
static const char *read_user(struct endpoint *e, struct span text)
{
    char item[ENDPOINT_USER_MAX];

    e->kind = ENDPOINT_USER;
    if (text.len == 0)
        return NULL;
    if (!span_copy(text, item, sizeof(item)) || !strchr(item, '='))
        return expect_user;
    return add_user(e, item);
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
    [ENDPOINT_MCAST] = { "mcast", read_mcast },
    [ENDPOINT_UNIX] = { "unix", read_unix },
    [ENDPOINT_UNIX_LISTEN] = { "unix-listen", read_unix_listen },
    [ENDPOINT_UNIX_DGRAM] = { "unix-dgram", read_unix_dgram },
    [ENDPOINT_VDE] = { "vde", read_vde },
    [ENDPOINT_USER] = { "user", read_user },
    [ENDPOINT_TAP] = { "tap", read_tap },
    [ENDPOINT_BRIDGE] = { "bridge", read_bridge },
    [ENDPOINT_FD] = { "fd", read_fd },
};

/* One word: a bridge, unless it looks like an address or port with its other half forgotten. */
static const char *read_word(struct endpoint *e, struct span text)
{
    if (text.len == 0)
        return expect_endpoint;
    if (is_bare_ipv6(text))
        return expect_brackets;
    if (memchr(text.start, '/', text.len))
        return expect_path_kind;
    if (text.start[0] == '[' || span_is_address(AF_INET, text))
        return expect_with_port;
    if (span_is_all_digits(text))
        return expect_not_port;
    if (text.start[0] == '-') /* an option gone astray; it is still bridge:-NAME */
        return expect_endpoint;
    return read_bridge(e, text);
}

/* A word where a number or an address is due: "bride:br0", "connect=ADDR:PORT". */
static bool is_unknown_kind(const struct span_parts *parts)
{
    struct span first = parts->part[0];
    char host[ENDPOINT_HOST_MAX];

    if (first.len == 0 || first.start[0] < 'a' || first.start[0] > 'z')
        return false;
    if (memchr(first.start, '=', first.len) || parts->count > 2)
        return true;
    return !memchr(first.start, '.', first.len) && parts->part[1].len > 0 &&
           (parts->part[1].start[0] < '0' || parts->part[1].start[0] > '9') &&
           parts->part[1].start[0] != '-' && !read_host(first, host);
}

static const char *read_endpoint(struct endpoint *e, struct span text)
{
    struct span_parts parts;

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
    span_split(text, &parts);
    if (parts.count == 1)
        return read_word(e, text);
    if (is_unknown_kind(&parts) && !is_bare_ipv6(text))
        return expect_kind;
    if (parts.count == 2)
        return read_tcp(e, text);
    if (parts.count == 3)
        return read_udp(e, text);
    return is_bare_ipv6(text) ? expect_brackets : expect_endpoint;
}

static const char *add_learn(struct endpoint *e, const char *value)
{
    e->learn = true;
    return value ? expect_alone : NULL;
}

static const char *add_ttl(struct endpoint *e, const char *value)
{
    struct span s = { value, value ? strlen(value) : 0 };
    long n;

    if (!read_number(s, UINT8_MAX, &n) || n == 0)
        return expect_ttl;
    e->ttl = (uint8_t)n;
    return NULL;
}

/* "10.0.0.1/8": false where it is no address of this family with a prefix. */
static bool read_prefixed(int family, long bits, const char *text, char ip[ENDPOINT_IP_MAX])
{
    const char *slash = strchr(text, '/');
    char address[INET6_ADDRSTRLEN];
    struct in6_addr addr;
    long prefix;

    if (!slash ||
        !span_copy((struct span){ text, (size_t)(slash - text) }, address, sizeof(address)) ||
        !read_number((struct span){ slash + 1, strlen(slash + 1) }, bits, &prefix) || prefix == 0)
        return false;
    if (inet_pton(family, address, &addr) != 1)
        return false;
    inet_ntop(family, &addr, address, sizeof(address));
    snprintf(ip, ENDPOINT_IP_MAX, "%s/%d", address, (int)prefix);
    return true;
}

static const char *add_ip(struct endpoint *e, const char *value)
{
    size_t i = 0;

    while (i < ENDPOINT_IPS_MAX && *e->ip[i])
        i++;
    if (!value || i == ENDPOINT_IPS_MAX)
        return expect_ip;
    if (read_prefixed(AF_INET, 32, value, e->ip[i]) ||
        read_prefixed(AF_INET6, 128, value, e->ip[i]))
        return NULL;
    return expect_ip;
}

/* Options that go with one kind. */
static const struct {
    enum endpoint_kind kind;
    const char *key;
    const char *(*add)(struct endpoint *e, const char *value);
    const char *expected; /* where it was none that there is */
} kind_options[] = {
    { ENDPOINT_UDP, "learn", add_learn, "an option of this endpoint: learn, " OPTIONS },
    { ENDPOINT_MCAST, "ttl", add_ttl, "an option of this endpoint: ttl=HOPS, " OPTIONS },
    { ENDPOINT_TAP, "ip", add_ip, "an option of this endpoint: ip=ADDR/PREFIX, " OPTIONS },
};

static const char *unknown_option(const struct endpoint *e)
{
    for (size_t i = 0; i < sizeof(kind_options) / sizeof(kind_options[0]); i++) {
        if (kind_options[i].kind == e->kind)
            return kind_options[i].expected;
    }
    return *e->path ? expect_path_option : expect_option;
}

static const char *read_option(struct endpoint *e, char *item)
{
    char whole[ENDPOINT_TEXT_MAX];
    const char *expected;
    char *value;

    snprintf(whole, sizeof(whole), "%s", item);
    value = strchr(item, '=');
    if (value)
        *value++ = '\0';
    for (size_t i = 0; i < sizeof(kind_options) / sizeof(kind_options[0]); i++) {
        if (kind_options[i].kind == e->kind && strcmp(kind_options[i].key, item) == 0)
            return kind_options[i].add(e, value);
    }
    expected = port_options_add(&e->options, item, value);
    if (!expected || *expected)
        return expected;
    return e->kind == ENDPOINT_USER && value ? add_user(e, whole) : unknown_option(e);
}

/* The text to the next single comma, a doubled one being a comma. False where it is too long. */
static bool next_item(const char **text, char buf[ENDPOINT_TEXT_MAX])
{
    const char *c = *text;
    size_t n = 0;

    for (; *c && (*c != ',' || c[1] == ','); c++) {
        if (n == ENDPOINT_TEXT_MAX - 1)
            return false;
        buf[n++] = *c;
        c += *c == ',';
    }
    buf[n] = '\0';
    *text = c;
    return true;
}

/* From where such an address is reached, when none of ours is chosen. */
static bool is_loopback(const char *host)
{
    return strcmp(host, "127.0.0.1") == 0 || strcmp(host, "::1") == 0 ||
           strcmp(host, "localhost") == 0;
}

/* It would hear nobody but itself. */
static bool is_own_peer(const struct endpoint *e)
{
    if (e->kind == ENDPOINT_UNIX_DGRAM)
        return strcmp(e->path, e->peer_path) == 0;
    return e->kind == ENDPOINT_UDP && e->local.l4_port == e->remote.l4_port &&
           (strcmp(e->local.host, e->remote.host) == 0 ||
            (!*e->local.host && is_loopback(e->remote.host)));
}

static const char *check(const struct endpoint *e)
{
    if (is_own_peer(e))
        return e->kind == ENDPOINT_UDP ? expect_other_port : expect_other_path;
    if (e->kind != ENDPOINT_UDP || e->learn == (e->remote.l4_port == 0))
        return NULL;
    return e->learn ? expect_no_peer : expect_udp;
}

static const char *read_all(const char *(*read)(struct endpoint *, struct span), struct endpoint *e,
                            const char *text)
{
    char item[ENDPOINT_TEXT_MAX];
    const char *expected;

    if (!next_item(&text, item))
        return expect_endpoint;
    expected = read(e, (struct span){ item, strlen(item) });
    while (!expected && *text == ',') {
        ++text;
        expected = next_item(&text, item) ? read_option(e, item) : expect_option;
    }
    return expected ? expected : check(e);
}

static int parse_by(const char *(*read)(struct endpoint *, struct span), struct endpoint *ret,
                    const char *text, const char **ret_expected)
{
    struct endpoint e = { .fd = -1 };
    const char *expected = read_all(read, &e, text);

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
