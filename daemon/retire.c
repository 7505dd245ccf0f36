/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An address on which nobody listens is an address without us: a guest that starts now is as it
 * would be if we had never been there. Connections that came through a listener stay without it.
 * A dnsmasq has ended with the manager before: who stays renews the lease with another one.
 */
#include "daemon/retire.h"

#include "daemon/plan.h"

static gboolean is_listener(const char *endpoint)
{
    return g_str_has_prefix(endpoint, "listen:");
}

static gboolean has_label(const NrActualNetwork *network, const char *label)
{
    for (guint i = 0; i < network->ports->len; i++) {
        const NrActualPort *port = network->ports->pdata[i];

        if (port->label && g_str_equal(port->label, label))
            return TRUE;
    }
    return FALSE;
}

static gboolean has_endpoint(const NrActualNetwork *network, const char *text)
{
    for (guint i = 0; i < network->endpoints->len; i++) {
        const NrActualEndpoint *endpoint = network->endpoints->pdata[i];

        if (g_str_equal(endpoint->text, text))
            return TRUE;
    }
    return FALSE;
}

/* Behind a listener anybody may be; else the endpoint is there for that NIC. */
static gboolean is_served(const NrBinding *binding, const NrActualNetwork *network)
{
    g_autofree char *label = NULL;
    char mac[MAC_TEXT_MAX];

    if (!nr_guest_is_active(binding->guest) || !binding->network ||
        !g_str_equal(binding->network, network->name))
        return FALSE;
    label = g_strconcat(binding->guest->uuid, "/", mac_format(binding->nic->mac, mac), NULL);
    return has_label(network, label) || (binding->endpoint && !is_listener(binding->endpoint) &&
                                         has_endpoint(network, binding->endpoint));
}

static gboolean is_needed(const NrDesired *desired, const NrActual *actual, const char *name)
{
    const NrActualNetwork *network = nr_actual_find(actual, name);

    for (guint i = 0; network && i < desired->bindings->len; i++)
        if (is_served(desired->bindings->pdata[i], network))
            return TRUE;
    return FALSE;
}

static void remove_listeners(NrDesiredNetwork *network)
{
    for (guint i = network->endpoints->len; i-- > 0;) {
        const NrDesiredEndpoint *endpoint = network->endpoints->pdata[i];

        if (is_listener(endpoint->text))
            g_ptr_array_remove_index(network->endpoints, i);
    }
}

void nr_retire_desired(NrDesired *desired, const NrActual *actual)
{
    for (guint i = desired->networks->len; i-- > 0;) {
        NrDesiredNetwork *network = desired->networks->pdata[i];

        if (is_needed(desired, actual, network->name))
            remove_listeners(network);
        else
            g_ptr_array_remove_index(desired->networks, i);
    }
}

static gboolean is_left_to_do(const NrAction *action)
{
    return nr_action_takes(action) || action->kind == NR_ACTION_SERVE;
}

void nr_retire_plan(GPtrArray *actions)
{
    for (guint i = actions->len; i-- > 0;) {
        const NrAction *action = actions->pdata[i];

        if (!is_left_to_do(action))
            g_ptr_array_remove_index(actions, i);
    }
}
