/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/actual.h"

#include <string.h>

static void network_free(gpointer network)
{
    nr_actual_network_free(network);
}

static void endpoint_free(gpointer endpoint)
{
    nr_actual_endpoint_free(endpoint);
}

static void port_free(gpointer port)
{
    nr_actual_port_free(port);
}

static void change_free(gpointer data)
{
    NrActualChange *change = data;

    g_free(change->change);
    g_free(change->network);
    g_free(change);
}

static void service_free(gpointer data)
{
    NrActualService *service = data;

    g_free(service->network);
    g_free(service->conf);
    g_free(service);
}

NrActualService *nr_actual_service_new(const char *network, const char *conf)
{
    NrActualService *service = g_new0(NrActualService, 1);

    service->network = g_strdup(network);
    service->conf = g_strdup(conf);
    return service;
}

NrActualService *nr_actual_service(const NrActual *actual, const char *network)
{
    for (guint i = 0; i < actual->services->len; i++) {
        NrActualService *service = g_ptr_array_index(actual->services, i);

        if (g_str_equal(service->network, network))
            return service;
    }
    return NULL;
}

NrActualChange *nr_actual_change_new(const char *text, const char *network)
{
    NrActualChange *change = g_new0(NrActualChange, 1);

    change->change = g_strdup(text);
    change->network = g_strdup(network);
    return change;
}

NrActual *nr_actual_new(void)
{
    NrActual *actual = g_new0(NrActual, 1);

    actual->networks = g_ptr_array_new_with_free_func(network_free);
    actual->services = g_ptr_array_new_with_free_func(service_free);
    actual->changes = g_ptr_array_new_with_free_func(change_free);
    return actual;
}

void nr_actual_free(NrActual *actual)
{
    if (!actual)
        return;
    g_ptr_array_unref(actual->networks);
    g_ptr_array_unref(actual->services);
    g_ptr_array_unref(actual->changes);
    g_free(actual);
}

NrActualNetwork *nr_actual_network_new(const char *name, pid_t pid)
{
    NrActualNetwork *network = g_new0(NrActualNetwork, 1);

    network->name = g_strdup(name);
    network->pid = pid;
    network->endpoints = g_ptr_array_new_with_free_func(endpoint_free);
    network->ports = g_ptr_array_new_with_free_func(port_free);
    return network;
}

void nr_actual_network_free(NrActualNetwork *network)
{
    if (!network)
        return;
    g_free(network->name);
    g_ptr_array_unref(network->endpoints);
    g_ptr_array_unref(network->ports);
    g_free(network);
}

NrActualEndpoint *nr_actual_endpoint_new(guint32 id, const char *text)
{
    NrActualEndpoint *endpoint = g_new0(NrActualEndpoint, 1);

    endpoint->id = id;
    endpoint->text = g_strdup(text);
    return endpoint;
}

void nr_actual_endpoint_free(NrActualEndpoint *endpoint)
{
    if (!endpoint)
        return;
    g_free(endpoint->text);
    g_free(endpoint->label);
    g_free(endpoint->detail);
    g_free(endpoint->admit);
    g_free(endpoint);
}

NrActualPort *nr_actual_port_new(guint32 id, guint32 endpoint)
{
    NrActualPort *port = g_new0(NrActualPort, 1);

    port->id = id;
    port->endpoint = endpoint;
    return port;
}

void nr_actual_port_free(NrActualPort *port)
{
    if (!port)
        return;
    g_free(port->label);
    g_free(port->local);
    g_free(port->peer);
    g_free(port->detail);
    g_free(port->options);
    g_free(port->source);
    g_free(port);
}

static NrActualEndpoint *endpoint_copy(const NrActualEndpoint *from)
{
    NrActualEndpoint *to = nr_actual_endpoint_new(from->id, from->text);

    to->label = g_strdup(from->label);
    to->state = from->state;
    to->admit = g_strdup(from->admit);
    to->detail = g_strdup(from->detail);
    to->since = from->since;
    to->refused = from->refused;
    to->astray = from->astray;
    return to;
}

static NrActualPort *port_copy(const NrActualPort *from)
{
    NrActualPort *to = nr_actual_port_new(from->id, from->endpoint);

    *to = *from;
    to->label = g_strdup(from->label);
    to->local = g_strdup(from->local);
    to->peer = g_strdup(from->peer);
    to->detail = g_strdup(from->detail);
    to->options = g_strdup(from->options);
    to->source = g_strdup(from->source);
    return to;
}

NrActualNetwork *nr_actual_network_copy(const NrActualNetwork *from)
{
    NrActualNetwork *to = nr_actual_network_new(from->name, from->pid);

    to->mute = from->mute;
    for (guint i = 0; i < from->endpoints->len; i++)
        g_ptr_array_add(to->endpoints, endpoint_copy(from->endpoints->pdata[i]));
    for (guint i = 0; i < from->ports->len; i++)
        g_ptr_array_add(to->ports, port_copy(from->ports->pdata[i]));
    return to;
}

NrActualNetwork *nr_actual_find(const NrActual *actual, const char *name)
{
    for (guint i = 0; i < actual->networks->len; i++) {
        NrActualNetwork *network = g_ptr_array_index(actual->networks, i);

        if (g_str_equal(network->name, name))
            return network;
    }
    return NULL;
}

void nr_actual_socket_name(const char *network, char ret[NR_ACTUAL_SOCKET_MAX])
{
    g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, network, -1);

    g_snprintf(ret, NR_ACTUAL_SOCKET_MAX, "%.32s.sock", sum);
}

NrActualPort *nr_actual_port_labelled(const NrActualNetwork *network, const char *label)
{
    for (guint i = 0; network && i < network->ports->len; i++) {
        NrActualPort *port = network->ports->pdata[i];

        if (port->state != CTL_PORT_CLOSING && g_strcmp0(port->label, label) == 0)
            return port;
    }
    return NULL;
}
