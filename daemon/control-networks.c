/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/control-networks.h"
#include "daemon/leases.h"
#include "daemon/log.h"
#include "daemon/row.h"

#include <string.h>

GVariant *nr_control_networks_rows(const NrControlParts *parts)
{
    const GPtrArray *networks = parts->world->networks->networks;
    GVariantBuilder rows;

    g_variant_builder_init(&rows, G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; i < networks->len; i++) {
        const NrNetwork *network = networks->pdata[i];

        g_variant_builder_open(&rows, G_VARIANT_TYPE_VARDICT);
        nr_row_put_text(&rows, "name", network->name);
        nr_row_put_text(&rows, "file", network->file);
        g_variant_builder_add(&rows, "{sv}", "active", g_variant_new_boolean(!network->stopped));
        g_variant_builder_close(&rows);
    }
    return g_variant_builder_end(&rows);
}

static NrNetwork *find(const NrControlParts *parts, const char *name)
{
    const GPtrArray *networks = parts->world->networks->networks;

    for (guint i = 0; i < networks->len; i++) {
        NrNetwork *network = networks->pdata[i];

        if (g_str_equal(network->name, name))
            return network;
    }
    return NULL;
}

/* NULL: done. */
static char *change(const NrControlParts *parts, NrNetwork *network, gboolean stop)
{
    int r = nr_stopped_set(parts->stopped, network, stop);

    return r < 0 ? g_strdup_printf("cannot note that network %s is %s: %s", network->name,
                                   stop ? "stopped" : "started", g_strerror(-r))
                 : NULL;
}

static char *unknown(const NrControlParts *parts, const char *name)
{
    return g_strdup_printf("there is no network '%s' in %s", name, parts->networks_dir);
}

GVariant *nr_control_networks_leases(const NrControlParts *parts, const char *name,
                                     char **ret_fault)
{
    const NrNetwork *network = find(parts, name);

    if (!network)
        *ret_fault = unknown(parts, name);
    else if (!nr_addressing_is_served(network->addressing))
        *ret_fault = g_strdup_printf("network %s gives no addresses: its file has no <dhcp>", name);
    return *ret_fault ? NULL : nr_leases_read(network, ret_fault);
}

char *nr_control_networks_start(const NrControlParts *parts, const char *name, gboolean force,
                                guint confirm_s)
{
    NrNetwork *network = find(parts, name);

    if (!network)
        return unknown(parts, name);
    if (!network->stopped)
        return g_strdup_printf("network %s is active already", name);
    if ((force || confirm_s > 0) && !nr_network_takes_uplink(network))
        return g_strdup_printf("network %s moves no addresses of this host, so there is nothing to "
                               "insist on, and nothing to confirm",
                               name);
    nr_uplinks_set_terms(nr_ground_uplinks(parts->world->ground), name, force, confirm_s);
    return change(parts, network, FALSE);
}

char *nr_control_networks_not_started(const NrControlParts *parts, const char *name,
                                      const char *failure)
{
    NrNetwork *network = find(parts, name);
    g_autofree char *fault = NULL;

    if (!network || !nr_network_takes_uplink(network))
        return g_strdup_printf("network %s is started, and is tried again: %s", name, failure);
    fault = change(parts, network, TRUE);
    nr_reconcile_request(parts->reconcile);
    return g_strdup_printf("network %s is not started: %s", name, fault ? fault : failure);
}

char *nr_control_networks_confirm(const NrControlParts *parts, const char *name)
{
    if (!find(parts, name))
        return unknown(parts, name);
    return nr_uplinks_confirm(nr_ground_uplinks(parts->world->ground), name);
}

static void on_expired(const char *name, gpointer data)
{
    const NrControlParts *parts = data;
    NrNetwork *network = find(parts, name);
    int r;

    if (!network || network->stopped)
        return;
    r = nr_stopped_insist(parts->stopped, network);
    nr_log(
        NR_LOG_WARNING,
        "network %s was not confirmed in time; it is stopped, and what it moved is moved back%s%s",
        name, r < 0 ? "; cannot note that it is stopped: " : "", r < 0 ? g_strerror(-r) : "");
    nr_reconcile_request(parts->reconcile);
}

void nr_control_networks_watch(const NrControlParts *parts)
{
    nr_uplinks_watch(nr_ground_uplinks(parts->world->ground), on_expired, (gpointer)parts);
}

/* What came through a listener is a QEMU that dialled; a listener may be gone before it. */
static gboolean was_accepted(const NrActualNetwork *network, const NrActualPort *port)
{
    for (guint i = 0; i < network->endpoints->len; i++) {
        const NrActualEndpoint *endpoint = network->endpoints->pdata[i];

        if (endpoint->id == port->endpoint)
            return g_str_has_prefix(endpoint->text, "listen:");
    }
    return TRUE;
}

/* The NIC behind it, or NULL. */
static const NrBinding *binding_of(const NrControlParts *parts, const NrActualPort *port)
{
    const NrDesired *desired = nr_reconcile_desired(parts->reconcile);

    for (guint i = 0; port->label && desired && i < desired->bindings->len; i++) {
        const NrBinding *binding = desired->bindings->pdata[i];

        if (g_str_equal(port->label, binding->label))
            return binding;
    }
    return NULL;
}

/* A guest's name, or what else is known of who is there. */
static const char *name_of(const NrControlParts *parts, const NrActualPort *port)
{
    const NrBinding *binding = binding_of(parts, port);

    if (binding)
        return binding->guest->name;
    return port->peer ? port->peer : "somebody";
}

/* Its port is let go, and nobody can make it anew but its guest. */
static gboolean would_be_lost(const NrActualNetwork *network, const NrActualPort *port)
{
    return port->state != CTL_PORT_HELD && was_accepted(network, port);
}

/* The names of those who would lose their connection, or NULL. New string. */
static char *who_would_lose(const NrControlParts *parts, const char *name)
{
    g_autoptr(NrActual) actual = nr_relays_snapshot(parts->world->relays);
    const NrActualNetwork *network = nr_actual_find(actual, name);
    g_autoptr(GPtrArray) names = g_ptr_array_new();

    for (guint i = 0; network && i < network->ports->len; i++) {
        const NrActualPort *port = network->ports->pdata[i];
        const char *who = name_of(parts, port);

        if (would_be_lost(network, port) &&
            !g_ptr_array_find_with_equal_func(names, who, g_str_equal, NULL))
            g_ptr_array_add(names, (gpointer)who);
    }
    if (names->len == 0)
        return NULL;
    g_ptr_array_add(names, NULL);
    return g_strjoinv(", ", (char **)names->pdata);
}

/* For those who ask later why a guest is deaf. */
static void note_cut_off(const NrControlParts *parts, const char *name)
{
    g_autoptr(NrActual) actual = nr_relays_snapshot(parts->world->relays);
    const NrActualNetwork *network = nr_actual_find(actual, name);

    for (guint i = 0; network && i < network->ports->len; i++) {
        const NrActualPort *port = network->ports->pdata[i];
        const NrBinding *binding = binding_of(parts, port);

        if (binding && would_be_lost(network, port))
            nr_reconcile_cut_off(parts->reconcile, binding);
    }
}

char *nr_control_networks_stop(const NrControlParts *parts, const char *name, gboolean force)
{
    NrNetwork *network = find(parts, name);
    g_autofree char *who = NULL;
    char *fault;

    if (!network)
        return unknown(parts, name);
    if (network->stopped)
        return g_strdup_printf("network %s is not active", name);
    who = force ? NULL : who_would_lose(parts, name);
    if (who)
        return g_strdup_printf("network %s has the connections of %s, and QEMU makes a connection "
                               "only once; shut these down before, or cut them off with --force",
                               name, who);
    fault = change(parts, network, TRUE);
    if (!fault)
        note_cut_off(parts, name);
    return fault;
}

static const NrDesiredNetwork *find_desired(const NrControlParts *parts, const char *name)
{
    const NrDesired *desired = nr_reconcile_desired(parts->reconcile);

    for (guint i = 0; desired && i < desired->networks->len; i++) {
        const NrDesiredNetwork *network = desired->networks->pdata[i];

        if (g_str_equal(network->name, name))
            return network;
    }
    return NULL;
}

char *nr_control_networks_failure(const NrControlParts *parts, const char *name)
{
    const NrAttempts *attempts = nr_reconcile_attempts(parts->reconcile);
    const NrDesiredNetwork *network = find_desired(parts, name);
    const NrAttempt *failed = nr_attempts_find(attempts, name, "");

    for (guint i = 0; network && !failed && i < network->endpoints->len; i++) {
        const NrDesiredEndpoint *endpoint = network->endpoints->pdata[i];

        failed = nr_attempts_find(attempts, name, endpoint->text);
    }
    if (!failed)
        failed = nr_attempts_find(attempts, name, NR_ACTION_DNSMASQ);
    return failed && failed->error != 0 ? g_strdup(failed->text) : NULL;
}
