/* SPDX-License-Identifier: GPL-2.0-or-later */
/* <route>: what is behind the bridge beside its subnets. libvirt's element, and proxy= of ours. */
#include "xml/network-reading.h"

#include <string.h>

#include "xml/ip-value.h"
#include "xml/value.h"

#define ROUTES_MAX 32

typedef struct {
    char *address, *prefix, *gateway, *family, *proxy;
} Attributes;

static void attributes_clear(Attributes *a)
{
    g_free(a->address);
    g_free(a->prefix);
    g_free(a->gateway);
    g_free(a->family);
    g_free(a->proxy);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Attributes, attributes_clear)

static guint bits_of(const char *plain)
{
    return strchr(plain, ':') ? 128 : 32;
}

/* "192.0.2.10/32"; new string, or NULL: it is refused. */
static char *read_destination(NrNetworkReading *reading, const Attributes *a)
{
    g_autofree char *plain = a->address ? nr_ip_plain(a->address) : NULL;
    g_autofree char *quoted = a->address ? nr_value_quote(a->address) : NULL;
    g_autofree char *one = NULL, *fault = NULL, *whole = NULL, *first = NULL, *bits = NULL;
    guint64 prefix = plain ? bits_of(plain) : 0;

    if (!plain) {
        nr_network_refuse(reading, "address %s: an IP address was expected",
                          quoted ? quoted : "is missing");
        return NULL;
    }
    if (a->prefix && !g_ascii_string_to_unsigned(a->prefix, 10, 1, prefix, &prefix, NULL)) {
        nr_network_refuse(reading, "prefix: a number from 1 to %u was expected", bits_of(plain));
        return NULL;
    }
    bits = g_strdup_printf("%u", bits_of(plain));
    fault = nr_ip_value(&(NrIpAttributes){ plain, bits, NULL, a->family }, &one);
    whole = g_strdup_printf("%s/%u", plain, (guint)prefix);
    first = fault ? NULL : nr_ip_subnet(whole);
    if (fault || !g_str_equal(first, plain)) {
        nr_network_refuse(reading,
                          "address %s: a guest's address, or the first one of a subnet with its "
                          "prefix, was expected, and its family",
                          quoted);
        return NULL;
    }
    return g_steal_pointer(&whole);
}

/* FALSE: it is refused. */
static gboolean read_gateway(NrNetworkReading *reading, const Attributes *a, NrRoute *route)
{
    g_autofree char *quoted = a->gateway ? nr_value_quote(a->gateway) : NULL;

    if (!a->gateway)
        return TRUE;
    route->gateway = nr_ip_plain(a->gateway);
    return (route->gateway && bits_of(route->gateway) == bits_of(route->destination)) ||
           nr_network_refuse(reading, "gateway %s: an IP address of the same family was expected",
                             quoted);
}

static gboolean read_proxy(NrNetworkReading *reading, const Attributes *a, NrRoute *route)
{
    g_autofree char *quoted = a->proxy ? nr_value_quote(a->proxy) : NULL;

    route->proxy = g_strcmp0(a->proxy, "yes") == 0;
    if (a->proxy && !route->proxy && !g_str_equal(a->proxy, "no"))
        return nr_network_refuse(reading, "proxy %s: yes or no was expected", quoted);
    return !route->proxy || nr_ip_prefix(route->destination) == bits_of(route->destination) ||
           nr_network_refuse(reading, "proxy='yes' with a prefix; one address was expected");
}

static gboolean is_there(const GPtrArray *routes, const NrRoute *route)
{
    for (guint i = 0; i < routes->len; i++)
        if (g_str_equal(((NrRoute *)routes->pdata[i])->destination, route->destination))
            return TRUE;
    return FALSE;
}

gboolean nr_network_read_route(NrNetworkReading *reading)
{
    g_auto(Attributes) a = {
        .address = nr_xml_attribute(reading->node, "address"),
        .prefix = nr_xml_attribute(reading->node, "prefix"),
        .gateway = nr_xml_attribute(reading->node, "gateway"),
        .family = nr_xml_attribute(reading->node, "family"),
        .proxy = nr_xml_attribute(reading->node, "proxy"),
    };
    GPtrArray *routes = reading->network->routes;
    NrRoute *route = g_new0(NrRoute, 1);

    route->destination = read_destination(reading, &a);
    if (!route->destination || !read_gateway(reading, &a, route) ||
        !read_proxy(reading, &a, route) ||
        (is_there(routes, route) &&
         !nr_network_refuse(reading, "%s is given twice", route->destination)) ||
        (routes->len == ROUTES_MAX &&
         !nr_network_refuse(reading, "too many; at most %d were expected", ROUTES_MAX))) {
        nr_route_free(route);
        return FALSE;
    }
    g_ptr_array_add(routes, route);
    return TRUE;
}

static gboolean is_reached(const NrNetwork *network, const char *gateway)
{
    for (guint i = 0; i < network->ips->len; i++)
        if (nr_ip_is_neighbour(network->ips->pdata[i], gateway))
            return TRUE;
    return FALSE;
}

gboolean nr_network_check_routes(NrNetworkReading *reading)
{
    const NrNetwork *network = reading->network;

    if (network->routes->len > 0 && (network->ips->len == 0 || !network->bridge))
        return nr_network_refuse(reading, "<route> without a <bridge> and an <ip>; both were "
                                          "expected: where the way leads");
    for (guint i = 0; i < network->routes->len; i++) {
        const NrRoute *route = g_ptr_array_index(network->routes, i);

        if (route->gateway && !is_reached(network, route->gateway))
            return nr_network_refuse(reading,
                                     "<route gateway='%s'> is in no subnet of an <ip>; a guest's "
                                     "address was expected",
                                     route->gateway);
        if (route->proxy && !nr_network_forwards(network))
            return nr_network_refuse(reading, "<route proxy='yes'> needs <forward mode='route'/>, "
                                              "which was expected");
    }
    return TRUE;
}
