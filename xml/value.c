/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xml/value.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <string.h>

#define HOST_NAME_MAX_BYTES  253 /* RFC 1035, without the root's dot */
#define HOST_LABEL_MAX_BYTES 63
#define NETWORK_NAME_MAX     64
#define SHOWN_MAX            64 /* characters of a foreign text that a sentence can bear */

gboolean nr_value_l4_port(const char *text, guint16 *ret)
{
    guint64 number;

    if (!g_ascii_string_to_unsigned(text, 10, 1, G_MAXUINT16, &number, NULL))
        return FALSE;
    *ret = (guint16)number;
    return TRUE;
}

/* Underscores are no host name's by the book, but resolvers and /etc/hosts know them. */
static gboolean is_host_name(const char *text)
{
    gsize length = strlen(text);
    gsize label = 0;

    if (length == 0 || length > HOST_NAME_MAX_BYTES || *text == '-')
        return FALSE;
    for (; *text; text++) {
        if (*text == '.') {
            if (label == 0)
                return FALSE;
            label = 0;
        } else if (!g_ascii_isalnum(*text) && *text != '-' && *text != '_') {
            return FALSE;
        } else if (++label > HOST_LABEL_MAX_BYTES) {
            return FALSE;
        }
    }
    return TRUE;
}

NrHostKind nr_value_host(const char *text, char **ret)
{
    char buf[INET6_ADDRSTRLEN];
    struct in6_addr six;
    struct in_addr four;

    *ret = NULL;
    if (inet_pton(AF_INET6, text, &six) == 1) {
        *ret = g_strdup(inet_ntop(AF_INET6, &six, buf, sizeof(buf)));
        return NR_HOST_IPV6;
    }
    if (!is_host_name(text)) /* also what inet_aton() would read past: "127.0.0.1 x" */
        return NR_HOST_NONE;
    if (g_ascii_isdigit(*text)) {
        if (!inet_aton(text, &four))
            return NR_HOST_NONE;
        *ret = g_strdup(inet_ntop(AF_INET, &four, buf, sizeof(buf)));
        return NR_HOST_IPV4;
    }
    *ret = g_ascii_strdown(text, -1);
    return NR_HOST_NAME;
}

gboolean nr_value_is_group(const char *ipv4)
{
    int first = atoi(ipv4);

    return first >= 224 && first <= 239;
}

gboolean nr_value_is_one_host(const char *host)
{
    struct in6_addr six;
    struct in_addr four;

    if (inet_pton(AF_INET6, host, &six) == 1)
        return !IN6_IS_ADDR_UNSPECIFIED(&six) && !IN6_IS_ADDR_MULTICAST(&six);
    return inet_pton(AF_INET, host, &four) != 1 ||
           (four.s_addr != INADDR_ANY && !IN_MULTICAST(ntohl(four.s_addr)));
}

const char *nr_value_peer(const char *text, char **ret)
{
    const char *colon = strrchr(text, ':');
    gboolean brackets = colon && colon - text >= 2 && text[0] == '[' && colon[-1] == ']';
    g_autofree char *written = NULL, *host = NULL;
    NrAddress address = { 0 };
    NrHostKind kind;

    *ret = NULL;
    if (!colon || !nr_value_l4_port(colon + 1, &address.l4_port))
        return NR_PEER_EXPECTED;
    written = brackets ? g_strndup(text + 1, (gsize)(colon - text) - 2)
                       : g_strndup(text, (gsize)(colon - text));
    if (!*written || !brackets != !strchr(written, ':'))
        return NR_PEER_EXPECTED;
    kind = nr_value_host(written, &host);
    if (kind == NR_HOST_NONE || !nr_value_is_one_host(host))
        return NR_PEER_HOST_EXPECTED;
    address.host = host;
    *ret = nr_address_format(&address);
    return NULL;
}

gboolean nr_value_is_network_name(const char *text)
{
    if (!g_ascii_isalnum(*text) || strlen(text) > NETWORK_NAME_MAX)
        return FALSE;
    for (; *text; text++) {
        if (!g_ascii_isalnum(*text) && !strchr("_.-", *text))
            return FALSE;
    }
    return TRUE;
}

gboolean nr_value_is_bridge_name(const char *text)
{
    if (!*text || strlen(text) >= IF_NAMESIZE || g_str_equal(text, ".") || g_str_equal(text, ".."))
        return FALSE;
    for (; *text; text++) {
        if (!g_ascii_isgraph(*text) || *text == '/' || *text == ':')
            return FALSE;
    }
    return TRUE;
}

static gboolean is_dns_label(const char *text, gsize length)
{
    if (length == 0 || length > HOST_LABEL_MAX_BYTES || text[0] == '-' || text[length - 1] == '-')
        return FALSE;
    for (gsize i = 0; i < length; i++) {
        if (!g_ascii_isalnum(text[i]) && text[i] != '-')
            return FALSE;
    }
    return TRUE;
}

gboolean nr_value_is_dns_name(const char *text)
{
    gsize length = strcspn(text, ".");

    if (strlen(text) > HOST_NAME_MAX_BYTES)
        return FALSE;
    while (is_dns_label(text, length)) {
        if (!text[length])
            return TRUE;
        text += length + 1;
        length = strcspn(text, ".");
    }
    return FALSE;
}

static gboolean is_number(const char *text)
{
    return *text && text[strspn(text, "-0123456789")] == '\0';
}

char *nr_value_shown(const char *text)
{
    g_autofree char *shown = nr_printable(text);
    g_autofree char *cut = NULL;

    if (g_utf8_strlen(shown, -1) <= SHOWN_MAX)
        return g_steal_pointer(&shown);
    cut = g_utf8_substring(shown, 0, SHOWN_MAX);
    return g_strconcat(cut, "...", NULL);
}

char *nr_value_quote(const char *text)
{
    g_autofree char *shown = nr_value_shown(text);

    return is_number(text) ? g_steal_pointer(&shown) : g_strdup_printf("'%s'", shown);
}

gboolean nr_value_pin(const char *text, NrPin *ret)
{
    *ret = strcmp(text, "yes") == 0 ? NR_PIN_YES : NR_PIN_NO;
    return *ret == NR_PIN_YES || strcmp(text, "no") == 0;
}
