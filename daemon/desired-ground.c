/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a network file asks of this host's kernel. */
#include "daemon/desired-private.h"

#include <string.h>

#include "common/host-change.h"
#include "xml/ip-value.h"

/* One file's ground in the making. */
typedef struct {
    const NrDesiredInput *input;
    const NrNetwork *file;
    GPtrArray *ground;
    char *lacks; /* the first thing */
} Ground;

static void add(Ground *g, enum host_change_kind kind, const char *device, const char *value)
{
    struct host_change change = { .kind = kind };
    char text[HOST_CHANGE_TEXT_MAX];

    g_strlcpy(change.device, device, sizeof(change.device));
    g_strlcpy(change.value, value, sizeof(change.value));
    host_change_format(&change, text);
    if (!g_ptr_array_find_with_equal_func(g->ground, text, g_str_equal, NULL))
        g_ptr_array_add(g->ground, g_strdup(text));
}

static gboolean G_GNUC_PRINTF(2, 3) lacks(Ground *g, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (!g->lacks)
        g->lacks = g_strdup_vprintf(format, args);
    va_end(args);
    return FALSE;
}

/* --- ways out */

typedef enum { V4, V6 } Family;

static gboolean has_family(const NrNetwork *file, Family family)
{
    for (guint i = 0; i < file->ips->len; i++)
        if (nr_ip_is_v6(g_ptr_array_index(file->ips, i)) == (family == V6))
            return TRUE;
    for (guint i = 0; i < file->routes->len; i++)
        if (nr_ip_is_v6(((NrRoute *)file->routes->pdata[i])->destination) == (family == V6))
            return TRUE;
    return FALSE;
}

static gboolean forwards(const NrNetwork *file, Family family)
{
    return nr_network_forwards(file) && !file->stopped && has_family(file, family);
}

/* The device that the file names; where that is in another's bridge now, for its frames pass there,
 * the bridge. Borrowed; NULL: none is named. */
static const char *way_named(const NrDesiredInput *input, const NrNetwork *file)
{
    for (guint i = 0; file->forward_dev && input->devices && i < input->devices->len; i++) {
        const NrDevice *device = g_ptr_array_index(input->devices, i);

        if (g_str_equal(device->name, file->forward_dev) && device->bridge &&
            !g_str_equal(device->bridge, file->bridge))
            return device->bridge;
    }
    return file->forward_dev;
}

static gboolean is_way_out(const NrDesiredInput *input, const NrNetwork *file,
                           const NrDevice *device, Family family)
{
    const char *named = way_named(input, file);

    if (named)
        return g_str_equal(device->name, named);
    return (family == V4 ? device->leads_v4 : device->leads_v6) &&
           !g_str_equal(device->name, file->bridge);
}

/* The devices, borrowed, new list; none: what is lacking has been said. */
static GPtrArray *ways_out(Ground *g, Family family)
{
    GPtrArray *ways = g_ptr_array_new();

    for (guint i = 0; g->input->devices && i < g->input->devices->len; i++)
        if (is_way_out(g->input, g->file, g->input->devices->pdata[i], family))
            g_ptr_array_add(ways, g->input->devices->pdata[i]);
    if (ways->len > 0 || !g->input->devices)
        return ways;
    if (g->file->forward_dev)
        lacks(g,
              "its guests cannot get out yet: there is no device %s; make it, plug it in, or "
              "correct its name",
              g->file->forward_dev);
    else
        lacks(g,
              "its guests cannot get out yet: this host has no default route of IPv%c; set one, or "
              "name the way with <forward dev='...'/>",
              family == V4 ? '4' : '6');
    return ways;
}

/* --- forwarding */

static void forward_v4(Ground *g)
{
    g_autoptr(GPtrArray) ways = ways_out(g, V4);

    for (guint i = 0; i < ways->len; i++)
        add(g, HOST_FORWARD_V4, ((NrDevice *)ways->pdata[i])->name, "");
    if (ways->len > 0)
        add(g, HOST_FORWARD_V4, g->file->bridge, "");
}

/* Another way out, by which the host lives itself, must not fall silent with the first one's
 * switch; and what hears always may do so by our doing. */
static gboolean is_to_hear(const NrDesiredInput *input, const NrDevice *device)
{
    for (guint i = 0; device->hears && i < input->networks->len; i++) {
        const NrNetwork *file = g_ptr_array_index(input->networks, i);

        if (forwards(file, V6) && is_way_out(input, file, device, V6))
            return TRUE;
    }
    return device->hears_always || (device->hears && device->leads_v6);
}

static void forward_v6(Ground *g)
{
    g_autoptr(GPtrArray) ways = ways_out(g, V6);

    if (ways->len == 0)
        return;
    for (guint i = 0; i < g->input->devices->len; i++) {
        const NrDevice *device = g_ptr_array_index(g->input->devices, i);

        if (is_to_hear(g->input, device))
            add(g, HOST_HEAR_ROUTERS, device->name, "");
    }
    add(g, HOST_FORWARD_V6, HOST_ALL_DEVICES, "");
}

/* Before anything is forwarded, so that nothing leaves with an address that is not to be seen. */
static void masquerade(Ground *g)
{
    for (guint i = 0; i < g->file->ips->len; i++) {
        g_autofree char *value = nr_network_nat_value(g->file, g_ptr_array_index(g->file->ips, i),
                                                      way_named(g->input, g->file));

        if (value)
            add(g, HOST_NAT, g->file->bridge, value);
    }
}

/* --- what is behind the bridge beside its subnets */

static void route_to(Ground *g, const NrRoute *route)
{
    g_autofree char *value =
        g_strjoin(route->gateway ? "," : NULL, route->destination, route->gateway, NULL);

    add(g, HOST_ROUTE, g->file->bridge, value);
}

static void answer_for(Ground *g, const NrRoute *route)
{
    Family family = nr_ip_is_v6(route->destination) ? V6 : V4;
    g_autoptr(GPtrArray) ways = ways_out(g, family);
    g_autofree char *address = g_strdup(route->destination);

    *strchr(address, '/') = '\0';
    for (guint i = 0; i < ways->len; i++) {
        const NrDevice *device = g_ptr_array_index(ways, i);

        if (family == V6)
            add(g, HOST_PROXY_NDP, device->name, "");
        add(g, HOST_PROXY, device->name, address);
    }
}

static void lead_routes(Ground *g)
{
    for (guint i = 0; i < g->file->routes->len; i++) {
        const NrRoute *route = g_ptr_array_index(g->file->routes, i);

        route_to(g, route);
        if (route->proxy)
            answer_for(g, route);
    }
}

void nr_ground_of_file(const NrDecision *d, const NrNetwork *file, NrDesiredEndpoint *endpoint)
{
    Ground g = { .input = d->input, .file = file };

    if (file->ips->len == 0 && !nr_network_takes_uplink(file))
        return;
    g.ground = g_ptr_array_new_with_free_func(g_free);
    add(&g, HOST_BRIDGE, file->bridge, "");
    for (guint i = 0; i < file->ips->len; i++)
        add(&g, HOST_ADDRESS, file->bridge, g_ptr_array_index(file->ips, i));
    masquerade(&g);
    if (nr_network_takes_uplink(file))
        add(&g, HOST_UPLINK, file->forward_dev, file->bridge);
    if (forwards(file, V4))
        forward_v4(&g);
    if (forwards(file, V6))
        forward_v6(&g);
    lead_routes(&g);
    endpoint->ground = g.ground;
    endpoint->lacks = g.lacks;
}
