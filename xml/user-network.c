/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network's <ip> is the gateway. Where guests ask for names, and the first of the addresses
 * that they get, follow from it as QEMU has them, so that what is known of -netdev user holds here.
 */
#include "xml/user-network.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "xml/ip-value.h"

#define PREFIX_MIN 8
#define PREFIX_MAX 27 /* below its addresses are .2, .3, and the sixteen from .15 on */
#define PREFIX6    64
#define DNS        3 /* its number in both families, unless that is taken */
#define DNS_ELSE   2
#define GIVEN_FROM 15
#define GIVEN      16 /* addresses, as many as libslirp has */

#define UNEXPECTED "; with mode='user' none was expected: "

/* Without <ip>: QEMU's. */
static const char default4[] = "10.0.2.2/24";
static const char default6[] = "fec0::2/64";

typedef struct {
    gboolean ipv4, ipv6;
    guint32 host, mask; /* in the host's byte order */
    struct in6_addr host6;
    guint prefix, prefix6;
    guint32 given; /* the number of the first that guests get */
} Addresses;

/* As nr_ip_value() wrote it. */
static void read_ip(Addresses *addresses, const char *ip)
{
    g_autofree char *address = g_strndup(ip, strcspn(ip, "/"));
    guint prefix = (guint)atoi(strchr(ip, '/') + 1);
    struct in_addr host;

    if (inet_pton(AF_INET, address, &host) == 1) {
        addresses->ipv4 = TRUE;
        addresses->host = ntohl(host.s_addr);
        addresses->prefix = prefix;
        addresses->mask = G_MAXUINT32 << (32 - prefix);
    } else {
        addresses->ipv6 = TRUE;
        inet_pton(AF_INET6, address, &addresses->host6);
        addresses->prefix6 = prefix;
    }
}

static guint32 v4_of(const char *text)
{
    struct in_addr address;

    inet_pton(AF_INET, text, &address);
    return ntohl(address.s_addr);
}

/* The <range> of IPv4, or NULL. */
static const NrDhcpRange *range_of(const NrNetwork *network)
{
    const GPtrArray *dhcps = network->addressing ? network->addressing->dhcps : NULL;

    for (guint i = 0; dhcps && i < dhcps->len; i++) {
        const NrDhcp *dhcp = g_ptr_array_index(dhcps, i);

        if (!nr_ip_is_v6(dhcp->ip) && dhcp->ranges->len > 0)
            return g_ptr_array_index(dhcp->ranges, 0);
    }
    return NULL;
}

static Addresses addresses_of(const NrNetwork *network)
{
    const NrDhcpRange *range = range_of(network);
    Addresses addresses = { FALSE };

    for (guint i = 0; i < network->ips->len; i++)
        read_ip(&addresses, g_ptr_array_index(network->ips, i));
    if (network->ips->len == 0) {
        read_ip(&addresses, default4);
        read_ip(&addresses, default6);
    }
    addresses.given = range ? v4_of(range->start) & ~addresses.mask : GIVEN_FROM;
    return addresses;
}

/* The subnet's address of that number. Returns buf. */
static const char *v4_text(const Addresses *addresses, guint32 number, char buf[INET_ADDRSTRLEN])
{
    struct in_addr address = { htonl((addresses->host & addresses->mask) | number) };

    return inet_ntop(AF_INET, &address, buf, INET_ADDRSTRLEN);
}

static const char *v6_text(const Addresses *addresses, guint8 number, char buf[INET6_ADDRSTRLEN])
{
    struct in6_addr address = addresses->host6;

    memset(address.s6_addr + PREFIX6 / 8, 0, sizeof(address) - PREFIX6 / 8);
    address.s6_addr[15] = number;
    return inet_ntop(AF_INET6, &address, buf, INET6_ADDRSTRLEN);
}

/* One that a guest may have. */
static gboolean is_in_subnet(const Addresses *addresses, const char *text)
{
    guint32 address = v4_of(text), number = address & ~addresses->mask;

    return (address & addresses->mask) == (addresses->host & addresses->mask) && number != 0 &&
           number != ~addresses->mask;
}

static gboolean is_given(const Addresses *addresses, guint32 number)
{
    return number >= addresses->given && number - addresses->given < GIVEN;
}

/* The gateway has one of four at most, and the guests three. */
static guint32 dns_of(const Addresses *addresses)
{
    const guint32 wishes[] = { DNS, DNS_ELSE, addresses->given + GIVEN };

    for (guint i = 0; i < G_N_ELEMENTS(wishes); i++) {
        if (wishes[i] != (addresses->host & ~addresses->mask) && !is_given(addresses, wishes[i]))
            return wishes[i];
    }
    return addresses->given + GIVEN + 1;
}

/* --- faults */

static char *families_fault(const NrNetwork *network)
{
    guint n4 = 0, n6 = 0;

    for (guint i = 0; i < network->ips->len; i++)
        ++*(strchr(g_ptr_array_index(network->ips, i), ':') ? &n6 : &n4);
    if (n4 > 1 || n6 > 1)
        return g_strdup("two <ip> of one family; with mode='user' the gateway's one address in "
                        "each was expected");
    return NULL;
}

static char *gateway_fault(const Addresses *addresses)
{
    char first[INET_ADDRSTRLEN], last[INET_ADDRSTRLEN];
    guint32 number = addresses->host & ~addresses->mask;

    if (addresses->ipv6 && addresses->prefix6 != PREFIX6)
        return g_strdup_printf("<ip> with a prefix of %u; with mode='user' an IPv6 prefix of %d "
                               "was expected, in which guests make addresses themselves",
                               addresses->prefix6, PREFIX6);
    if (!addresses->ipv4)
        return NULL;
    if (addresses->prefix < PREFIX_MIN || addresses->prefix > PREFIX_MAX)
        return g_strdup_printf("<ip> with a prefix of %u; with mode='user' one from %d to %d was "
                               "expected",
                               addresses->prefix, PREFIX_MIN, PREFIX_MAX);
    if (is_given(addresses, number))
        return g_strdup_printf(
            "the <ip> is one of those that guests get, %s to %s; another one of its subnet was "
            "expected",
            v4_text(addresses, addresses->given, first),
            v4_text(addresses, addresses->given + GIVEN - 1, last));
    return NULL;
}

static char *forwards_fault(const NrNetwork *network, const Addresses *addresses)
{
    guint count = 0;

    if (network->port_forwards->len > 0 && !addresses->ipv4)
        return g_strdup("<portForward> without an <ip> of IPv4; one was expected: IPv6 is not "
                        "forwarded");
    for (guint i = 0; i < network->port_forwards->len; i++) {
        const NrPortForward *forward = g_ptr_array_index(network->port_forwards, i);

        count += (guint)(forward->end - forward->start + 1);
        if (forward->to && !is_in_subnet(addresses, forward->to))
            return g_strdup_printf("<portForward> to %s; an address of the <ip>'s subnet was "
                                   "expected",
                                   forward->to);
    }
    if (count > NR_USER_FORWARDS_MAX)
        return g_strdup_printf("<portForward> for %u ports in all; at most %d were expected", count,
                               NR_USER_FORWARDS_MAX);
    return NULL;
}

static char *range_fault(const Addresses *addresses, const NrDhcpRange *range)
{
    char last[INET_ADDRSTRLEN];

    if (range->lease_s != NR_LEASE_DEFAULT_S)
        return g_strdup("<lease>" UNEXPECTED "guests have their addresses as long as it runs");
    if (v4_of(range->end) - v4_of(range->start) == GIVEN - 1)
        return NULL;
    return g_strdup_printf("<range> from %s to %s; with mode='user' sixteen addresses were "
                           "expected, to %s, or no <range>",
                           range->start, range->end,
                           v4_text(addresses, addresses->given + GIVEN - 1, last));
}

static char *dhcp_fault(const Addresses *addresses, const NrDhcp *dhcp)
{
    if (dhcp->hosts->len > 0)
        return g_strdup("<host> in <dhcp>" UNEXPECTED "each guest gets the next address");
    if (dhcp->ranges->len == 0)
        return NULL;
    if (nr_ip_is_v6(dhcp->ip))
        return g_strdup("<range> of IPv6" UNEXPECTED "guests make addresses themselves");
    if (dhcp->ranges->len > 1)
        return g_strdup("two <range>; with mode='user' one at most was expected");
    return range_fault(addresses, g_ptr_array_index(dhcp->ranges, 0));
}

/* What libslirp has no words for. */
static char *addressing_fault(const NrNetwork *network, const Addresses *addresses)
{
    const NrAddressing *addressing = network->addressing;
    char *fault = NULL;

    if (!addressing)
        return NULL;
    for (guint i = 0; i < addressing->dhcps->len && !fault; i++)
        fault = dhcp_fault(addresses, g_ptr_array_index(addressing->dhcps, i));
    if (fault)
        return fault;
    if (addressing->no_dns)
        return g_strdup("<dns enable='no'>" UNEXPECTED "guests are always told whom to ask");
    if (addressing->dns_hosts->len > 0)
        return g_strdup("<host> in <dns>" UNEXPECTED "this host's name server answers");
    if (addressing->forwarders->len > 0)
        return g_strdup("<forwarder>" UNEXPECTED "this host's name server answers");
    if (addressing->domain_local)
        return g_strdup("localOnly of <domain>" UNEXPECTED "this host's name server answers");
    return NULL;
}

char *nr_user_network_fault(const NrNetwork *network)
{
    Addresses addresses = addresses_of(network);
    char *fault = NULL;

    if (network->bridge)
        return g_strdup("a <bridge> beside <forward mode='user'/>; one of them was expected: with "
                        "mode='user' the host is no station of the network");
    fault = families_fault(network);
    if (!fault)
        fault = addressing_fault(network, &addresses);
    if (!fault)
        fault = gateway_fault(&addresses);
    return fault ? fault : forwards_fault(network, &addresses);
}

/* --- options */

static void put_ipv4(GString *out, const Addresses *addresses)
{
    guint32 number = addresses->host & ~addresses->mask;
    char text[INET_ADDRSTRLEN];

    g_string_append_printf(out, "net=%s/%u", v4_text(addresses, 0, text), addresses->prefix);
    g_string_append_printf(out, ",host=%s", v4_text(addresses, number, text));
    g_string_append_printf(out, ",dns=%s", v4_text(addresses, dns_of(addresses), text));
    g_string_append_printf(out, ",dhcpstart=%s", v4_text(addresses, addresses->given, text));
}

static void put_ipv6(GString *out, const Addresses *addresses)
{
    char host[INET6_ADDRSTRLEN], text[INET6_ADDRSTRLEN];

    inet_ntop(AF_INET6, &addresses->host6, host, sizeof(host));
    g_string_append_printf(out, ",ipv6-net=%s/%d", v6_text(addresses, 0, text), PREFIX6);
    g_string_append_printf(out, ",ipv6-host=%s", host);
    if (strcmp(v6_text(addresses, DNS, text), host) == 0)
        v6_text(addresses, DNS_ELSE, text);
    g_string_append_printf(out, ",ipv6-dns=%s", text);
}

static void put_forward(GString *out, const NrPortForward *forward)
{
    for (guint port = forward->start; port <= forward->end; port++)
        g_string_append_printf(out, ",hostfwd=%s:%s:%u-%s:%u", forward->udp ? "udp" : "tcp",
                               forward->address ? forward->address : "", port,
                               forward->to ? forward->to : "",
                               forward->to_start + port - forward->start);
}

char *nr_user_network_options(const NrNetwork *network)
{
    Addresses addresses = addresses_of(network);
    GString *out = g_string_new(NULL);

    if (addresses.ipv4)
        put_ipv4(out, &addresses);
    else
        g_string_append(out, "ipv4=off");
    if (addresses.ipv6)
        put_ipv6(out, &addresses);
    else
        g_string_append(out, ",ipv6=off");
    if (network->addressing && network->addressing->domain)
        g_string_append_printf(out, ",domainname=%s", network->addressing->domain);
    for (guint i = 0; i < network->port_forwards->len; i++)
        put_forward(out, g_ptr_array_index(network->port_forwards, i));
    return g_string_free(out, FALSE);
}
