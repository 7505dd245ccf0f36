/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xml/ip-value.h"

#include <arpa/inet.h>
#include <string.h>

#include "xml/value.h"

#define ADDRESS_EXPECTED "an address of this host on the bridge, such as 192.168.9.1, was expected"

typedef struct {
    int family;
    guint8 bytes[16]; /* of IPv4 the first 4 */
    guint bits;       /* of the whole address */
} Address;

static gboolean address_parse(Address *ret, const char *text)
{
    *ret = (Address){ .family = strchr(text, ':') ? AF_INET6 : AF_INET };
    ret->bits = ret->family == AF_INET6 ? 128 : 32;
    return inet_pton(ret->family, text, ret->bytes) == 1;
}

static char *address_format(const Address *address)
{
    char text[INET6_ADDRSTRLEN];

    return g_strdup(inet_ntop(address->family, address->bytes, text, sizeof(text)));
}

static gboolean bit(const Address *address, guint i)
{
    return address->bytes[i / 8] >> (7 - i % 8) & 1;
}

/* All bits from `first` on are the same as this. */
static gboolean ends_in(const Address *address, guint first, gboolean value)
{
    for (guint i = first; i < address->bits; i++)
        if (bit(address, i) != value)
            return FALSE;
    return TRUE;
}

static char *check_family(const NrIpAttributes *ip, const Address *address)
{
    const char *meant = address->family == AF_INET6 ? "ipv6" : "ipv4";
    g_autofree char *quoted = ip->family ? nr_value_quote(ip->family) : NULL;

    if (!ip->family || g_str_equal(ip->family, meant))
        return NULL;
    return g_strdup_printf("family %s does not go with the address %s; %s, or none, was expected",
                           quoted, ip->address, meant);
}

static char *read_netmask(const NrIpAttributes *ip, const Address *address, guint *ret)
{
    g_autofree char *quoted = nr_value_quote(ip->netmask);
    Address mask;

    if (address->family == AF_INET6)
        return g_strdup("netmask is for IPv4; prefix was expected");
    *ret = 0;
    if (address_parse(&mask, ip->netmask) && mask.family == AF_INET)
        while (*ret < mask.bits && bit(&mask, *ret))
            ++*ret;
    if (*ret == 0 || !ends_in(&mask, *ret, FALSE))
        return g_strdup_printf("netmask %s: one such as 255.255.255.0 was expected", quoted);
    return NULL;
}

static char *read_prefix(const NrIpAttributes *ip, const Address *address, guint *ret)
{
    g_autofree char *quoted = ip->prefix ? nr_value_quote(ip->prefix) : NULL;
    guint64 number;

    if (ip->prefix && ip->netmask)
        return g_strdup("prefix and netmask are both given; one of them was expected");
    if (ip->netmask)
        return read_netmask(ip, address, ret);
    if (!ip->prefix)
        return g_strdup_printf("no prefix; prefix='%u', or another number of bits, was expected",
                               address->family == AF_INET6 ? 64 : 24);
    if (!g_ascii_string_to_unsigned(ip->prefix, 10, 1, address->bits, &number, NULL))
        return g_strdup_printf("prefix %s: a number from 1 to %u was expected", quoted,
                               address->bits);
    *ret = (guint)number;
    return NULL;
}

/* What one host can have for itself. */
static gboolean is_one_host(const Address *address, guint prefix)
{
    guint8 first = address->bytes[0];

    if (ends_in(address, 0, FALSE)) /* any */
        return FALSE;
    if (address->family == AF_INET6) /* no group, not the loopback, and not the subnet's routers */
        return first != 0xff && memcmp(address->bytes, &in6addr_loopback, 16) != 0 &&
               (prefix + 1 >= address->bits || !ends_in(address, prefix, FALSE));
    if (first == 0 || first == 127 || first >= 224)
        return FALSE;
    return prefix + 1 >= address->bits ||
           (!ends_in(address, prefix, FALSE) && !ends_in(address, prefix, TRUE));
}

char *nr_ip_value(const NrIpAttributes *ip, char **ret)
{
    g_autofree char *quoted = ip->address ? nr_value_quote(ip->address) : NULL;
    g_autofree char *text = NULL;
    Address address;
    guint prefix = 0;
    char *fault;

    if (!ip->address)
        return g_strdup("no address; " ADDRESS_EXPECTED);
    if (!address_parse(&address, ip->address))
        return g_strdup_printf("address %s: " ADDRESS_EXPECTED, quoted);
    fault = check_family(ip, &address);
    if (!fault)
        fault = read_prefix(ip, &address, &prefix);
    if (fault)
        return fault;
    if (!is_one_host(&address, prefix))
        return g_strdup_printf(
            "address %s with a prefix of %u is none that a host can have; " ADDRESS_EXPECTED,
            quoted, prefix);
    text = address_format(&address);
    *ret = g_strdup_printf("%s/%u", text, prefix);
    return NULL;
}

guint nr_ip_prefix(const char *ip)
{
    return (guint)g_ascii_strtoull(strchr(ip, '/') + 1, NULL, 10);
}

gboolean nr_ip_is_v6(const char *ip)
{
    return strchr(ip, ':') != NULL;
}

/* Of "192.168.9.1/24" the address. */
static Address address_of(const char *ip)
{
    g_autofree char *plain = g_strndup(ip, strcspn(ip, "/"));
    Address address;

    (void)address_parse(&address, plain);
    return address;
}

char *nr_ip_subnet(const char *ip)
{
    Address address = address_of(ip);

    for (guint i = nr_ip_prefix(ip); i < address.bits; i++)
        address.bytes[i / 8] &= (guint8) ~(1 << (7 - i % 8));
    return address_format(&address);
}

char *nr_ip_plain(const char *text)
{
    Address address;

    return address_parse(&address, text) ? address_format(&address) : NULL;
}

gboolean nr_ip_is_neighbour(const char *ip, const char *plain)
{
    guint prefix = nr_ip_prefix(ip);
    Address mine = address_of(ip), other = address_of(plain);

    if (mine.family != other.family || memcmp(mine.bytes, other.bytes, mine.bits / 8) == 0)
        return FALSE;
    for (guint i = 0; i < prefix; i++)
        if (bit(&mine, i) != bit(&other, i))
            return FALSE;
    return is_one_host(&other, prefix);
}

gboolean nr_ip_is_before(const char *a, const char *b)
{
    Address first = address_of(a), second = address_of(b);

    return memcmp(first.bytes, second.bytes, first.bits / 8) < 0;
}
