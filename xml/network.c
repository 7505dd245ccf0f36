/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xml/network.h"

static void address_free(gpointer data)
{
    NrAddress *address = data;

    g_free(address->host);
    g_free(address->admit);
    g_free(address);
}

static void group_free(gpointer data)
{
    NrGroup *group = data;

    g_free(group->address.host);
    g_free(group->dev);
    g_free(group);
}

static void match_free(gpointer data)
{
    NrMatch *match = data;

    g_free(match->domain);
    g_free(match->host);
    g_free(match);
}

NrPortForward *nr_port_forward_copy(const NrPortForward *forward)
{
    NrPortForward *copy = g_new(NrPortForward, 1);

    *copy = *forward;
    copy->address = g_strdup(forward->address);
    copy->to = g_strdup(forward->to);
    return copy;
}

void nr_port_forward_free(NrPortForward *forward)
{
    if (!forward)
        return;
    g_free(forward->address);
    g_free(forward->to);
    g_free(forward);
}

static void free_port_forward(gpointer data)
{
    nr_port_forward_free(data);
}

void nr_route_free(gpointer data)
{
    NrRoute *route = data;

    g_free(route->destination);
    g_free(route->gateway);
    g_free(route);
}

gboolean nr_network_takes_uplink(const NrNetwork *network)
{
    return network->forward == NR_FORWARD_BRIDGE && network->forward_dev;
}

NrNetwork *nr_network_new(void)
{
    NrNetwork *network = g_new0(NrNetwork, 1);

    network->listens = g_ptr_array_new_with_free_func(address_free);
    network->udps = g_ptr_array_new_with_free_func(address_free);
    network->ips = g_ptr_array_new_with_free_func(g_free);
    network->routes = g_ptr_array_new_with_free_func(nr_route_free);
    network->port_forwards = g_ptr_array_new_with_free_func(free_port_forward);
    network->peers = g_ptr_array_new_with_free_func(address_free);
    network->groups = g_ptr_array_new_with_free_func(group_free);
    network->matches = g_ptr_array_new_with_free_func(match_free);
    return network;
}

void nr_network_free(NrNetwork *network)
{
    if (!network)
        return;
    g_free(network->name);
    g_free(network->file);
    g_free(network->bridge);
    g_free(network->forward_dev);
    g_ptr_array_unref(network->listens);
    g_ptr_array_unref(network->udps);
    g_ptr_array_unref(network->ips);
    g_ptr_array_unref(network->routes);
    nr_addressing_unref(network->addressing);
    g_ptr_array_unref(network->port_forwards);
    g_ptr_array_unref(network->peers);
    g_ptr_array_unref(network->groups);
    g_ptr_array_unref(network->matches);
    g_free(network);
}

gboolean nr_network_forwards(const NrNetwork *network)
{
    return network->forward == NR_FORWARD_ROUTE || network->forward == NR_FORWARD_NAT;
}

char *nr_network_nat_value(const NrNetwork *network, const char *ip, const char *way)
{
    if (network->forward != NR_FORWARD_NAT || (strchr(ip, ':') && !network->nat_v6))
        return NULL;
    return g_strjoin(way ? "," : "", ip, way ? way : "", NULL);
}
