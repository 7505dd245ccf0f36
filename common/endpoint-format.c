/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The canonical form. */
#include <stdio.h>
#include <string.h>
#include "common/endpoint.h"

/* Text that grows; it is never longer than ENDPOINT_TEXT_MAX, and cut there if it were. */
struct out {
    char *buf;
    size_t len;
};

static void put_char(struct out *out, char c)
{
    if (out->len < ENDPOINT_TEXT_MAX - 1)
        out->buf[out->len++] = c;
    out->buf[out->len] = '\0';
}

static void put(struct out *out, const char *text)
{
    for (; *text; text++)
        put_char(out, *text);
}

static void put_number(struct out *out, int number)
{
    char text[16];

    snprintf(text, sizeof(text), "%d", number);
    put(out, text);
}

/* Commas doubled, so that none begins an option. */
static void put_name(struct out *out, const char *name)
{
    for (; *name; name++) {
        if (*name == ',')
            put_char(out, ',');
        put_char(out, *name);
    }
}

static void put_host(struct out *out, const char *host)
{
    bool is_v6 = strchr(host, ':');

    put(out, is_v6 ? "[" : "");
    put_name(out, *host ? host : "*");
    put(out, is_v6 ? "]" : "");
}

static void put_address(struct out *out, const struct endpoint_address *address)
{
    put_host(out, address->host);
    put_char(out, ':');
    put_number(out, address->l4_port);
}

static void put_mcast(struct out *out, const struct endpoint *e)
{
    put_address(out, &e->remote);
    if (*e->mcast_if) {
        put_char(out, '@');
        put_host(out, e->mcast_if);
    }
    if (e->ttl) {
        put(out, ",ttl=");
        put_number(out, e->ttl);
    }
}

/* What stands behind the scheme. */
static void put_rest(struct out *out, const struct endpoint *e)
{
    if (e->kind != ENDPOINT_STDIO)
        put_char(out, ':');
    switch (e->kind) {
    case ENDPOINT_LISTEN:
        put_address(out, &e->local);
        break;
    case ENDPOINT_TCP:
        put_address(out, &e->remote);
        break;
    case ENDPOINT_UDP:
        put_address(out, &e->local);
        put(out, e->learn ? ",learn" : ":");
        if (!e->learn)
            put_address(out, &e->remote);
        break;
    case ENDPOINT_MCAST:
        put_mcast(out, e);
        break;
    case ENDPOINT_UNIX_DGRAM:
        put_name(out, e->path);
        put_char(out, ':');
        put_name(out, e->peer_path);
        break;
    case ENDPOINT_UNIX:
    case ENDPOINT_UNIX_LISTEN:
    case ENDPOINT_VDE:
        put_name(out, e->path);
        break;
    case ENDPOINT_USER: /* its commas are between options */
        put(out, e->user);
        break;
    case ENDPOINT_TAP:
    case ENDPOINT_BRIDGE:
        put_name(out, e->ifname);
        for (size_t i = 0; i < ENDPOINT_IPS_MAX && *e->ip[i]; i++) {
            put(out, ",ip=");
            put(out, e->ip[i]);
        }
        break;
    case ENDPOINT_FD:
        put_number(out, e->fd);
        break;
    default:
        break;
    }
}

const char *endpoint_address_format(const struct endpoint_address *address,
                                    char buf[ENDPOINT_TEXT_MAX])
{
    struct out out = { .buf = buf };

    put_address(&out, address);
    return buf;
}

const char *endpoint_format(const struct endpoint *endpoint, char buf[ENDPOINT_TEXT_MAX])
{
    char options[PORT_OPTIONS_TEXT_MAX];
    struct out out = { .buf = buf };

    put(&out, endpoint_kind_name(endpoint->kind));
    put_rest(&out, endpoint);
    put(&out, port_options_format(&endpoint->options, options));
    return buf;
}
