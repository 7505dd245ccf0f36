/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/holder.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include "common/endpoint.h"
#include "net/sockdiag.h"

static gboolean address_parse(const struct endpoint_address *address, struct sockaddr_storage *ret)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;

    *ret = (struct sockaddr_storage){ 0 };
    if (address->host[0] == '\0' || inet_pton(AF_INET, address->host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(address->l4_port);
        return TRUE;
    }
    if (inet_pton(AF_INET6, address->host, &v6->sin6_addr) != 1)
        return FALSE;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(address->l4_port);
    return TRUE;
}

gboolean nr_sockaddr_parse(const char *text, struct sockaddr_storage *ret)
{
    g_autofree char *dialled = g_strdup_printf("tcp:%s", text ? text : "");
    struct endpoint endpoint;
    const char *expected;

    return endpoint_parse(&endpoint, dialled, &expected) == 0 &&
           address_parse(&endpoint.remote, ret);
}

char *nr_holder_describe(const char *text)
{
    char where[ENDPOINT_TEXT_MAX], holder[SOCKDIAG_HOLDER_MAX];
    struct sockaddr_storage address;
    struct endpoint endpoint;
    const char *expected;
    int protocol;

    if (endpoint_parse(&endpoint, text, &expected) < 0 ||
        (endpoint.kind != ENDPOINT_LISTEN && endpoint.kind != ENDPOINT_UDP) ||
        !address_parse(&endpoint.local, &address))
        return NULL;
    protocol = endpoint.kind == ENDPOINT_UDP ? IPPROTO_UDP : IPPROTO_TCP;
    if (sockdiag_holder(protocol, (struct sockaddr *)&address, holder) < 0)
        return NULL;
    endpoint_address_format(&endpoint.local, where);
    return g_strdup_printf("%s is in use by %s", where, holder);
}

char *nr_holder_served(const char *address)
{
    char holder[SOCKDIAG_HOLDER_MAX];
    struct sockaddr_storage at;

    return nr_sockaddr_parse(address, &at) && sockdiag_served(&at, holder) == 0 ? g_strdup(holder)
                                                                                : NULL;
}
