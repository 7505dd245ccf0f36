/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/policy.h"

#include <stdlib.h>
#include <string.h>
#include "common/prefix.h"
#include "xml/value.h"

#define IFNAME_MAX 15 /* characters of a kernel interface's name */

/* --- ranges of port numbers */

typedef struct {
    guint16 low, high;
} Ports;

static gboolean read_ports(const char *word, Ports *ret)
{
    g_auto(GStrv) ends = g_strsplit(word, "-", 2);

    if (!ends[0] || !nr_value_l4_port(ends[0], &ret->low))
        return FALSE;
    ret->high = ret->low;
    return !ends[1] || (nr_value_l4_port(ends[1], &ret->high) && ret->low <= ret->high);
}

gboolean nr_policy_is_ports(const char *word)
{
    Ports ports;

    return read_ports(word, &ports);
}

static gboolean covers_port(const char *word, guint16 l4_port)
{
    Ports ports;

    return read_ports(word, &ports) && l4_port >= ports.low && l4_port <= ports.high;
}

/* --- prefixes of addresses */

gboolean nr_policy_is_address(const char *word)
{
    struct prefix prefix;

    return prefix_parse(&prefix, word);
}

/* host: as inet_ntop() writes it; what is no address is in no prefix. */
static gboolean covers_host(const char *word, const char *host)
{
    struct sockaddr_in four = { .sin_family = AF_INET };
    struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
    struct prefix prefix;

    if (!prefix_parse(&prefix, word))
        return FALSE;
    if (inet_pton(AF_INET, host, &four.sin_addr) == 1)
        return prefix_covers(&prefix, (struct sockaddr *)&four);
    return inet_pton(AF_INET6, host, &six.sin6_addr) == 1 &&
           prefix_covers(&prefix, (struct sockaddr *)&six);
}

/* --- peers */

/* "[2001:db8::2]:12345", also of a pattern: the host without its brackets, and the port. */
static gboolean split_peer(const char *text, char **ret_host, const char **ret_port)
{
    const char *colon = strrchr(text, ':');
    gsize length = colon ? (gsize)(colon - text) : 0;

    if (length == 0)
        return FALSE;
    *ret_port = colon + 1;
    *ret_host = text[0] == '[' && colon[-1] == ']' && length > 2 ? g_strndup(text + 1, length - 2)
                                                                 : g_strndup(text, length);
    return TRUE;
}

/* No name begins with a digit (nr_value_host()), so "10.0.0.*" fits addresses only. */
static gboolean fits_host(const char *word, const char *host)
{
    return strchr(word, '/') ? covers_host(word, host) : g_pattern_match_simple(word, host);
}

static gboolean fits_peer(const char *word, const char *host, const char *port)
{
    g_autofree char *word_host = NULL;
    const char *word_port;
    guint16 number = 0;

    if (g_str_equal(word, "*"))
        return TRUE;
    return split_peer(word, &word_host, &word_port) && fits_host(word_host, host) &&
           (g_pattern_match_simple(word_port, port) ||
            (nr_value_l4_port(port, &number) && covers_port(word_port, number)));
}

static gboolean is_port_glob(const char *text)
{
    return strpbrk(text, "*?") && text[strspn(text, "0123456789*?")] == '\0';
}

/* One without a colon would fit nothing, unless it fits all. */
gboolean nr_policy_is_peer(const char *word)
{
    g_autofree char *host = NULL;
    const char *port;

    if (g_str_equal(word, "*"))
        return TRUE;
    if (!split_peer(word, &host, &port) || !(nr_policy_is_ports(port) || is_port_glob(port)))
        return FALSE;
    if (strchr(host, '/'))
        return nr_policy_is_address(host);
    for (const char *c = host; *c; c++)
        if (!g_ascii_isgraph(*c))
            return FALSE;
    return TRUE;
}

/* --- bridges */

gboolean nr_policy_is_bridge(const char *word)
{
    gsize length = strlen(word);

    if (!length || length > IFNAME_MAX)
        return FALSE;
    for (const char *c = word; *c; c++)
        if (!g_ascii_isgraph(*c) || *c == '/' || *c == ':')
            return FALSE;
    return TRUE;
}

/* --- the questions */

gboolean nr_policy_allows_bridge(const NrPolicy *policy, const char *bridge)
{
    gboolean allowed = !policy->system;

    for (char **word = policy->bridges; !allowed && word && *word; word++)
        allowed = g_pattern_match_simple(*word, bridge);
    return allowed;
}

gboolean nr_policy_allows_peer(const NrPolicy *policy, const char *peer)
{
    gboolean allowed = !policy->system;
    g_autofree char *host = NULL;
    const char *port;

    if (!split_peer(peer, &host, &port))
        return allowed;
    for (char **word = policy->peers; !allowed && word && *word; word++)
        allowed = fits_peer(*word, host, port);
    return allowed;
}

gboolean nr_policy_allows_address(const NrPolicy *policy, const NrPlace *place)
{
    gboolean allowed = !policy->system || !policy->addresses;

    for (char **word = policy->addresses; !allowed && *word; word++)
        allowed = covers_host(*word, place->host);
    return allowed;
}

gboolean nr_policy_allows_port(const NrPolicy *policy, const NrPlace *place)
{
    gboolean allowed = !policy->system || !policy->ports;

    for (char **word = policy->ports; !allowed && *word; word++)
        allowed = covers_port(*word, place->l4_port);
    return allowed;
}

const char *nr_policy_file(const NrPolicy *policy)
{
    return policy->config ? policy->config : "netrelayd.conf";
}
