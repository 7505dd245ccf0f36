/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each option has a reader, which returns NULL or the phrase that says what it expected. What
 * depends on several of them is settled, and checked, when all have been read.
 */
#include "relay-user/options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

#define NET_BITS_MIN 8
#define NET_BITS_MAX 27 /* below its addresses are .2, .3 and sixteen from .15 on */

static const char expect_switch[] = "on or off";
static const char expect_ipv4[] = "an IPv4 address";
static const char expect_ipv6[] = "an IPv6 address";
static const char expect_net[] = "an IPv4 network of 8 to 27 bits, as in 10.0.2.0/24";
static const char expect_net6[] = "an IPv6 network, as in fd00:1::/64";
static const char expect_bits6[] = "a number of bits from 0 to 126";
static const char expect_hostname[] = "a host name of at most 32 characters";
static const char expect_text[] = "a value";
static const char expect_domain[] = "a domain of at most 255 characters";
static const char expect_bootfile[] = "a file name of at most 127 characters";
static const char expect_folder[] = "the path of a folder, from / on";
static const char expect_dnssearch[] = "a domain of at most 255 characters, and at most 16 of them";
static const char expect_forward[] =
    "[tcp|udp]:[HOSTADDR]:HOSTPORT-[GUESTADDR]:GUESTPORT, as in tcp::2222-:22";
static const char expect_port[] = "port numbers from 1 to 65535";
static const char expect_few[] = "at most 32 of these";

static const char *read_switch(bool *ret, const char *value)
{
    *ret = strcmp(value, "on") == 0 || strcmp(value, "yes") == 0;
    return *ret || strcmp(value, "off") == 0 || strcmp(value, "no") == 0 ? NULL : expect_switch;
}

static const char *read_v4(struct in_addr *ret, const char *value)
{
    return inet_pton(AF_INET, value, ret) == 1 ? NULL : expect_ipv4;
}

static const char *read_v6(struct in6_addr *ret, const char *value)
{
    return inet_pton(AF_INET6, value, ret) == 1 ? NULL : expect_ipv6;
}

/* Digits only, no longer than any number here. */
static bool read_number(const char *text, long max, long *ret)
{
    size_t len = strspn(text, "0123456789");

    if (len == 0 || len > 5 || text[len])
        return false;
    *ret = atol(text);
    return *ret <= max;
}

static const char *read_ipv4(struct user_options *o, const char *value)
{
    return read_switch(&o->ipv4, value);
}

static const char *read_ipv6(struct user_options *o, const char *value)
{
    return read_switch(&o->ipv6, value);
}

static const char *read_restrict(struct user_options *o, const char *value)
{
    return read_switch(&o->restricted, value);
}

/* ADDRESS, whose class says how many bits, or ADDRESS/BITS. */
static const char *read_net(struct user_options *o, const char *value)
{
    char address[INET_ADDRSTRLEN];
    const char *slash = strchr(value, '/');
    size_t len = slash ? (size_t)(slash - value) : strlen(value);
    long bits;

    if (len >= sizeof(address))
        return expect_net;
    memcpy(address, value, len);
    address[len] = '\0';
    if (read_v4(&o->net, address))
        return expect_net;
    if (!slash)
        bits = IN_CLASSA(ntohl(o->net.s_addr)) ? 8 : IN_CLASSB(ntohl(o->net.s_addr)) ? 16 : 24;
    else if (!read_number(slash + 1, NET_BITS_MAX, &bits) || bits < NET_BITS_MIN)
        return expect_net;
    o->mask.s_addr = htonl(UINT32_MAX << (32 - bits));
    o->net.s_addr &= o->mask.s_addr;
    return NULL;
}

static const char *read_host(struct user_options *o, const char *value)
{
    return read_v4(&o->host, value);
}

static const char *read_dns(struct user_options *o, const char *value)
{
    return read_v4(&o->dns, value);
}

static const char *read_dhcpstart(struct user_options *o, const char *value)
{
    return read_v4(&o->dhcp_start, value);
}

static const char *read_bits6(struct user_options *o, const char *value)
{
    long bits;

    if (!read_number(value, 126, &bits))
        return expect_bits6;
    o->net6_bits = (uint8_t)bits;
    return NULL;
}

static const char *read_net6(struct user_options *o, const char *value)
{
    char address[INET6_ADDRSTRLEN];
    const char *slash = strchr(value, '/');
    size_t len = slash ? (size_t)(slash - value) : strlen(value);

    if (len >= sizeof(address))
        return expect_net6;
    memcpy(address, value, len);
    address[len] = '\0';
    if (read_v6(&o->net6, address))
        return expect_net6;
    return slash ? read_bits6(o, slash + 1) : NULL;
}

static const char *read_prefix6(struct user_options *o, const char *value)
{
    return read_v6(&o->net6, value);
}

static const char *read_host6(struct user_options *o, const char *value)
{
    return read_v6(&o->host6, value);
}

static const char *read_dns6(struct user_options *o, const char *value)
{
    return read_v6(&o->dns6, value);
}

static const char *read_text(char *ret, size_t size, const char *value, const char *expected)
{
    if (!*value || strlen(value) >= size)
        return expected;
    strcpy(ret, value);
    return NULL;
}

static const char *read_hostname(struct user_options *o, const char *value)
{
    return read_text(o->hostname, sizeof(o->hostname), value, expect_hostname);
}

static const char *read_domainname(struct user_options *o, const char *value)
{
    return read_text(o->domainname, sizeof(o->domainname), value, expect_domain);
}

static const char *read_bootfile(struct user_options *o, const char *value)
{
    return read_text(o->bootfile, sizeof(o->bootfile), value, expect_bootfile);
}

static const char *read_tftp(struct user_options *o, const char *value)
{
    return *value == '/' ? read_text(o->tftp, sizeof(o->tftp), value, expect_folder)
                         : expect_folder;
}

static const char *read_tftp_server(struct user_options *o, const char *value)
{
    return read_text(o->tftp_server_name, sizeof(o->tftp_server_name), value, expect_text);
}

static const char *read_dnssearch(struct user_options *o, const char *value)
{
    if (o->n_dnssearch == USER_DNSSEARCH_MAX)
        return expect_dnssearch;
    return read_text(o->dnssearch[o->n_dnssearch++], USER_DOMAIN_MAX, value, expect_dnssearch);
}

/* Cuts *text at the next such sign; NULL where there is none. */
static char *cut(char **text, char sign)
{
    char *start = *text, *end = strchr(start, sign);

    if (!end)
        return NULL;
    *end = '\0';
    *text = end + 1;
    return start;
}

static const char *read_side(const char *address, const char *l4_port, struct in_addr *ret,
                             uint16_t *ret_port)
{
    long number;

    ret->s_addr = htonl(INADDR_ANY);
    if (*address && read_v4(ret, address))
        return expect_forward;
    if (!read_number(l4_port, UINT16_MAX, &number) || number == 0)
        return expect_port;
    *ret_port = (uint16_t)number;
    return NULL;
}

static const char *read_forward(struct user_options *o, const char *value)
{
    struct user_forward *forward = &o->forward[o->n_forwards];
    char copy[USER_TEXT_MAX], *text = copy;
    const char *protocol, *host, *host_port, *guest, *expected;

    if (o->n_forwards == USER_FORWARDS_MAX)
        return expect_few;
    snprintf(copy, sizeof(copy), "%s", value);
    protocol = cut(&text, ':');
    host = protocol ? cut(&text, ':') : NULL;
    host_port = host ? cut(&text, '-') : NULL;
    guest = host_port ? cut(&text, ':') : NULL;
    if (!guest || (*protocol && strcmp(protocol, "tcp") != 0 && strcmp(protocol, "udp") != 0))
        return expect_forward;
    forward->udp = strcmp(protocol, "udp") == 0;
    expected = read_side(host, host_port, &forward->host, &forward->host_port);
    if (!expected)
        expected = read_side(guest, text, &forward->guest, &forward->guest_port);
    if (!expected)
        ++o->n_forwards;
    return expected;
}

static const struct {
    const char *key;
    const char *(*read)(struct user_options *o, const char *value);
} keys[] = {
    { "ipv4", read_ipv4 },
    { "net", read_net },
    { "host", read_host },
    { "dns", read_dns },
    { "dhcpstart", read_dhcpstart },
    { "ipv6", read_ipv6 },
    { "ipv6-net", read_net6 },
    { "ipv6-prefix", read_prefix6 },
    { "ipv6-prefixlen", read_bits6 },
    { "ipv6-host", read_host6 },
    { "ipv6-dns", read_dns6 },
    { "restrict", read_restrict },
    { "hostname", read_hostname },
    { "domainname", read_domainname },
    { "dnssearch", read_dnssearch },
    { "tftp", read_tftp },
    { "tftp-server-name", read_tftp_server },
    { "bootfile", read_bootfile },
    { "hostfwd", read_forward },
};

static int fail(char error[USER_ERROR_MAX], const char *key, const char *value,
                const char *expected)
{
    snprintf(error, USER_ERROR_MAX, "%.32s=%.100s: expected %s", key, value, expected);
    return -EINVAL;
}

static int read_item(struct user_options *o, char *item, char error[USER_ERROR_MAX])
{
    char *value = strchr(item, '=');
    size_t n;

    if (value)
        *value++ = '\0';
    for (size_t i = 0; value && i < N_OF(keys); ++i) {
        const char *expected;

        if (strcmp(keys[i].key, item) != 0)
            continue;
        expected = keys[i].read(o, value);
        return expected ? fail(error, item, value, expected) : 0;
    }
    n = (size_t)snprintf(error, USER_ERROR_MAX, "'%.32s': expected KEY=VALUE with one of", item);
    for (size_t i = 0; i < N_OF(keys); ++i)
        n += (size_t)snprintf(error + n, USER_ERROR_MAX - n, "%s %s", i ? "," : "", keys[i].key);
    return -EINVAL;
}

/* The text to the next single comma, a doubled one being a comma. */
static const char *next_item(const char *text, char item[USER_TEXT_MAX])
{
    size_t n = 0;

    for (; *text && (*text != ',' || text[1] == ','); ++text) {
        item[n++] = *text;
        text += *text == ',';
    }
    item[n] = '\0';
    return *text ? text + 1 : text;
}

static struct in_addr v4_in(const struct user_options *o, uint32_t number)
{
    return (struct in_addr){ o->net.s_addr | (htonl(number) & ~o->mask.s_addr) };
}

static struct in6_addr v6_in(const struct user_options *o, uint8_t number)
{
    struct in6_addr address = o->net6;

    address.s6_addr[15] |= number;
    return address;
}

/* What was not given follows from the networks. */
static void add_defaults(struct user_options *o)
{
    for (unsigned bit = o->net6_bits; bit < 128; ++bit)
        o->net6.s6_addr[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
    if (!o->host.s_addr)
        o->host = v4_in(o, 0x0202);
    if (!o->dns.s_addr)
        o->dns = v4_in(o, 0x0203);
    if (!o->dhcp_start.s_addr)
        o->dhcp_start = v4_in(o, 0x020f);
    if (IN6_IS_ADDR_UNSPECIFIED(&o->host6))
        o->host6 = v6_in(o, 2);
    if (IN6_IS_ADDR_UNSPECIFIED(&o->dns6))
        o->dns6 = v6_in(o, 3);
}

/* Neither outside nor the network's first or last address. */
static bool is_in_net(const struct user_options *o, struct in_addr address)
{
    uint32_t rest = address.s_addr & ~o->mask.s_addr;

    return (address.s_addr & o->mask.s_addr) == o->net.s_addr && rest && rest != ~o->mask.s_addr;
}

static bool is_in_net6(const struct user_options *o, const struct in6_addr *address)
{
    for (unsigned bit = 0; bit < o->net6_bits; ++bit)
        if ((address->s6_addr[bit / 8] ^ o->net6.s6_addr[bit / 8]) & (0x80 >> bit % 8))
            return false;
    return true;
}

static bool gives_address(const struct user_options *o, struct in_addr address)
{
    uint32_t at = ntohl(address.s_addr) - ntohl(o->dhcp_start.s_addr);

    return at < USER_DHCP_ADDRESSES;
}

static int check_v4(const struct user_options *o, char error[USER_ERROR_MAX])
{
    struct in_addr last = { htonl(ntohl(o->dhcp_start.s_addr) + USER_DHCP_ADDRESSES - 1) };
    const struct {
        const char *key;
        struct in_addr address;
        bool is_right;
        const char *expected;
    } rows[] = {
        { "host", o->host, is_in_net(o, o->host), "an address of net" },
        { "dns", o->dns, is_in_net(o, o->dns), "an address of net" },
        { "dns", o->dns, o->dns.s_addr != o->host.s_addr, "another address than host" },
        { "dhcpstart", o->dhcp_start, is_in_net(o, o->dhcp_start) && is_in_net(o, last),
          "the first of sixteen addresses of net" },
        { "dhcpstart", o->dhcp_start, !gives_address(o, o->host) && !gives_address(o, o->dns),
          "sixteen addresses without host and dns" },
    };
    char text[INET_ADDRSTRLEN];

    for (size_t i = 0; i < N_OF(rows); ++i)
        if (!rows[i].is_right)
            return fail(error, rows[i].key,
                        inet_ntop(AF_INET, &rows[i].address, text, sizeof(text)), rows[i].expected);
    return 0;
}

static int check_v6(const struct user_options *o, char error[USER_ERROR_MAX])
{
    char text[INET6_ADDRSTRLEN];

    if (!is_in_net6(o, &o->host6))
        return fail(error, "ipv6-host", inet_ntop(AF_INET6, &o->host6, text, sizeof(text)),
                    "an address of ipv6-net");
    if (!is_in_net6(o, &o->dns6) || memcmp(&o->dns6, &o->host6, sizeof(o->dns6)) == 0)
        return fail(error, "ipv6-dns", inet_ntop(AF_INET6, &o->dns6, text, sizeof(text)),
                    "another address of ipv6-net than ipv6-host");
    return 0;
}

static int check_rest(const struct user_options *o, char error[USER_ERROR_MAX])
{
    char text[INET_ADDRSTRLEN];

    if (!o->ipv4 && !o->ipv6)
        return fail(error, "ipv6", "off", "not both, ipv4 and ipv6, off");
    for (unsigned i = 0; i < o->n_forwards; ++i)
        if (o->forward[i].guest.s_addr && !is_in_net(o, o->forward[i].guest))
            return fail(error, "hostfwd",
                        inet_ntop(AF_INET, &o->forward[i].guest, text, sizeof(text)),
                        "a guest's address in net");
    return 0;
}

int user_options_parse(struct user_options *ret, const char *text, char error[USER_ERROR_MAX])
{
    struct user_options o = { .ipv4 = true, .ipv6 = true, .net6_bits = 64 };
    char item[USER_TEXT_MAX];
    int r = 0;

    read_net(&o, "10.0.2.0/24");
    read_net6(&o, "fec0::/64");
    if (strlen(text) >= USER_TEXT_MAX)
        return fail(error, "options", text, "fewer than 2304 characters");
    while (r == 0 && *text) {
        text = next_item(text, item);
        r = read_item(&o, item, error);
    }
    add_defaults(&o);
    if (r == 0)
        r = check_v4(&o, error);
    if (r == 0)
        r = check_v6(&o, error);
    if (r == 0)
        r = check_rest(&o, error);
    if (r == 0)
        *ret = o;
    return r;
}
