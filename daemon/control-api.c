/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/control-api.h"

#include <errno.h>
#include <gio/gio.h>
#include <gio/gunixfdlist.h>
#include <unistd.h>
#include "common/paths.h"
#include "common/scope.h"
#include "daemon/callers.h"
#include "daemon/control-door.h"
#include "daemon/control-events.h"
#include "daemon/control-networks.h"
#include "daemon/control-rewire.h"
#include "daemon/control-upgrade.h"
#include "daemon/manager-dbus.h" /* generated */
#include "daemon/examine.h"
#include "daemon/hooked.h"
#include "daemon/log.h"
#include "daemon/meetings.h"
#include "daemon/revive.h"
#include "daemon/runtime-dir.h"
#include "daemon/status.h"
#include "daemon/unanswered.h"
#include "daemon/unserved.h"
#include "xml/metadata-edit.h"
#include "xml/metadata-xml.h"

#define OBJECT_PATH "/org/netrelay/Manager1"
#define INTERFACE   "org.netrelay.Manager1"
#define REFRESH_MS  1000

struct NrControlApi {
    const NrControlParts *parts;
    NrControlDoor *door;
    NrDbusManager1 *manager;
    GPtrArray *connections; /* GDBusConnection */
    NrControlEventsParts events_parts;
    NrControlEvents *events;
    int dir_fd;
};

/* A request that is answered when something has happened, or has not for too long. */
typedef struct {
    NrControlApi *api;
    GDBusMethodInvocation *invocation; /* NULL: answered */
    guint timer;
} Pending;

static Pending *pending_new(NrControlApi *api, GDBusMethodInvocation *invocation)
{
    Pending *pending = g_new(Pending, 1);

    *pending = (Pending){ api, invocation, 0 };
    return pending;
}

static GVariant *faults_variant(const NrControlApi *api)
{
    const GPtrArray *faults = api->parts->world->networks->faults;
    GVariantBuilder list;

    g_variant_builder_init(&list, G_VARIANT_TYPE_STRING_ARRAY);
    if (api->parts->world->settings_fault)
        g_variant_builder_add_value(&list, g_variant_new_take_string(g_utf8_make_valid(
                                               api->parts->world->settings_fault, -1)));
    for (guint i = 0; i < faults->len; i++)
        g_variant_builder_add_value(
            &list, g_variant_new_take_string(g_utf8_make_valid(faults->pdata[i], -1)));
    return g_variant_builder_end(&list);
}

static GVariant *summary_variant(const NrControlApi *api, const NrDesired *desired)
{
    const NrControlParts *parts = api->parts;
    GVariantBuilder dict;

    g_variant_builder_init(&dict, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&dict, "{sv}", "version", g_variant_new_string(NR_VERSION));
    g_variant_builder_add(&dict, "{sv}", "pid", g_variant_new_uint32((guint32)getpid()));
    g_variant_builder_add(&dict, "{sv}", "uri", g_variant_new_string(parts->uri));
    g_variant_builder_add(&dict, "{sv}", "libvirt", g_variant_new_string(*parts->libvirt));
    g_variant_builder_add(&dict, "{sv}", "hook", g_variant_new_boolean(nr_hooked(parts->uri)));
    g_variant_builder_add(&dict, "{sv}", "networks",
                          g_variant_new_uint32(desired ? desired->networks->len : 0));
    g_variant_builder_add(&dict, "{sv}", "faults", faults_variant(api));
    return g_variant_builder_end(&dict);
}

static GVariant *rows_variant(const NrControlApi *api, const NrDesired *desired,
                              const NrActual *actual)
{
    const NrWorld *world = api->parts->world;
    g_autoptr(GHashTable) meetings = NULL;

    if (!desired)
        return g_variant_new("aa{sv}", NULL);
    meetings = nr_meetings_look(desired, nr_resolver_table(world->resolver), world->policy->system);
    return nr_status_rows(desired, actual, nr_reconcile_attempts(api->parts->reconcile),
                          world->policy->hooked, meetings);
}

static void answer_status(Pending *pending)
{
    NrControlApi *api = pending->api;
    const NrDesired *desired = nr_reconcile_desired(api->parts->reconcile);
    g_autoptr(NrActual) actual = nr_world_actual(api->parts->world, desired);

    nr_reconcile_look_at_foreign(api->parts->reconcile);
    nr_dbus_manager1_complete_status(api->manager, g_steal_pointer(&pending->invocation),
                                     rows_variant(api, desired, actual),
                                     summary_variant(api, desired));
}

/* Some relay does not answer: its last counters will do. */
static gboolean on_refresh_late(gpointer data)
{
    Pending *pending = data;

    pending->timer = 0;
    answer_status(pending);
    return G_SOURCE_REMOVE;
}

static void on_refreshed(gpointer data)
{
    Pending *pending = data;

    if (pending->timer)
        g_source_remove(pending->timer);
    if (pending->invocation)
        answer_status(pending);
    g_free(pending);
}

static gboolean on_status(NrDbusManager1 *manager, GDBusMethodInvocation *invocation, gpointer data)
{
    NrControlApi *api = data;
    Pending *pending = pending_new(api, invocation);

    pending->timer = g_timeout_add(REFRESH_MS, on_refresh_late, pending);
    nr_relays_refresh(api->parts->world->relays, on_refreshed, pending);
    return TRUE;
}

static gboolean on_plan(NrDbusManager1 *manager, GDBusMethodInvocation *invocation, gpointer data)
{
    NrControlApi *api = data;
    g_autoptr(GPtrArray) actions = nr_reconcile_plan(api->parts->reconcile);
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);

    for (guint i = 0; i < actions->len; i++)
        g_ptr_array_add(lines, nr_action_format(actions->pdata[i]));
    g_ptr_array_add(lines, NULL);
    nr_dbus_manager1_complete_plan(manager, invocation, (const char *const *)lines->pdata);
    return TRUE;
}

static void on_reloaded(gpointer data)
{
    Pending *pending = data;
    g_autoptr(GVariant) faults = g_variant_ref_sink(faults_variant(pending->api));
    g_autofree const char **texts = g_variant_get_strv(faults, NULL);

    nr_dbus_manager1_complete_reload(pending->api->manager, pending->invocation, texts);
    g_free(pending);
}

static gboolean on_reload(NrDbusManager1 *manager, GDBusMethodInvocation *invocation, gpointer data)
{
    NrControlApi *api = data;

    api->parts->reload(api->parts->data);
    nr_reconcile_wait(api->parts->reconcile, NULL, on_reloaded, pending_new(api, invocation));
    return TRUE;
}

static gboolean on_networks(NrDbusManager1 *manager, GDBusMethodInvocation *invocation,
                            gpointer data)
{
    const NrControlApi *api = data;
    g_autofree char *directory = g_utf8_make_valid(api->parts->networks_dir, -1);

    nr_dbus_manager1_complete_networks(manager, invocation, directory,
                                       nr_control_networks_rows(api->parts));
    return TRUE;
}

static void return_failure(GDBusMethodInvocation *invocation, const char *failure)
{
    g_autofree char *text = g_utf8_make_valid(failure, -1);

    g_dbus_method_invocation_return_error_literal(invocation, G_IO_ERROR, G_IO_ERROR_FAILED, text);
}

static gboolean on_leases(NrDbusManager1 *manager, GDBusMethodInvocation *invocation,
                          const char *name, gpointer data)
{
    const NrControlApi *api = data;
    g_autofree char *fault = NULL;
    GVariant *rows = nr_control_networks_leases(api->parts, name, &fault);

    if (rows)
        nr_dbus_manager1_complete_leases(manager, invocation, rows);
    else
        return_failure(invocation, fault);
    return TRUE;
}

static gboolean on_confirm_network(NrDbusManager1 *manager, GDBusMethodInvocation *invocation,
                                   const char *name, gpointer data)
{
    NrControlApi *api = data;
    g_autofree char *fault = nr_control_networks_confirm(api->parts, name);

    nr_dbus_manager1_complete_confirm_network(manager, invocation, fault ? fault : "");
    return TRUE;
}

static void on_started(gpointer data)
{
    Pending *pending = data;
    g_autofree char *failure = NULL, *fault = NULL;
    const char *name;

    g_variant_get_child(g_dbus_method_invocation_get_parameters(pending->invocation), 0, "&s",
                        &name);
    failure = nr_control_networks_failure(pending->api->parts, name);
    if (failure)
        fault = nr_control_networks_not_started(pending->api->parts, name, failure);
    nr_dbus_manager1_complete_start_network(pending->api->manager, pending->invocation,
                                            fault ? fault : "");
    g_free(pending);
}

static gboolean on_start_network(NrDbusManager1 *manager, GDBusMethodInvocation *invocation,
                                 const char *name, gboolean force, guint confirm, gpointer data)
{
    NrControlApi *api = data;
    g_autofree char *fault = nr_control_networks_start(api->parts, name, force, confirm);

    if (fault)
        nr_dbus_manager1_complete_start_network(manager, invocation, fault);
    else
        nr_reconcile_wait(api->parts->reconcile, name, on_started, pending_new(api, invocation));
    return TRUE;
}

static void on_stopped(gpointer data)
{
    Pending *pending = data;

    nr_dbus_manager1_complete_stop_network(pending->api->manager, pending->invocation, "");
    g_free(pending);
}

static gboolean on_stop_network(NrDbusManager1 *manager, GDBusMethodInvocation *invocation,
                                const char *name, gboolean force, gpointer data)
{
    NrControlApi *api = data;
    g_autofree char *fault = nr_control_networks_stop(api->parts, name, force);

    if (fault)
        nr_dbus_manager1_complete_stop_network(manager, invocation, fault);
    else
        nr_reconcile_wait(api->parts->reconcile, name, on_stopped, pending_new(api, invocation));
    return TRUE;
}

static GVariant *findings_variant(const NrControlApi *api)
{
    const NrWorld *world = api->parts->world;
    g_autoptr(GPtrArray) guests = nr_inventory_snapshot(world->inventory);
    g_autoptr(GPtrArray) unannounced = nr_inventory_unannounced(world->inventory);
    g_autoptr(NrActual) actual = nr_relays_snapshot(world->relays);
    g_autoptr(GPtrArray) unserved =
        nr_unserved_find(nr_reconcile_desired(api->parts->reconcile), actual);
    g_autoptr(GPtrArray) mixed_up =
        nr_mixed_up_find(nr_reconcile_desired(api->parts->reconcile), actual);
    g_autoptr(GPtrArray) ground = nr_ground_faults(world->ground);
    NrExamined examined = { .guests = guests,
                            .unannounced = unannounced,
                            .unserved = unserved,
                            .mixed_up = mixed_up,
                            .ground = ground,
                            .resolved = nr_resolver_table(world->resolver),
                            .hook = world->policy->hooked ? nr_hook_path() : NULL,
                            .system = world->policy->system };

    return nr_examine(&examined);
}

static gboolean on_examine(NrDbusManager1 *manager, GDBusMethodInvocation *invocation,
                           gpointer data)
{
    nr_dbus_manager1_complete_examine(manager, invocation, findings_variant(data));
    return TRUE;
}

static gboolean on_open_relay(NrDbusManager1 *manager, GDBusMethodInvocation *invocation,
                              GUnixFDList *unused, const char *network, gpointer data)
{
    const NrWorld *world = ((NrControlApi *)data)->parts->world;
    _cleanup_(closep) int sock = nr_relays_look(world->relays, network);
    g_autoptr(GUnixFDList) list = NULL;

    if (sock < 0) {
        g_dbus_method_invocation_return_error(
            invocation, G_IO_ERROR, G_IO_ERROR_FAILED, "network %s has no relay that answers: %s",
            network, sock == -ENOENT ? "it is not running" : g_strerror(-sock));
        return TRUE;
    }
    list = g_unix_fd_list_new_from_array(&sock, 1); /* the list's from here on */
    sock = -1;
    nr_dbus_manager1_complete_open_relay(manager, invocation, list, g_variant_new_handle(0));
    return TRUE;
}

static void on_rewired(GVariant *outcome, const char *fault, gpointer data)
{
    GDBusMethodInvocation *invocation = data;

    if (outcome)
        g_dbus_method_invocation_return_value(invocation, g_variant_new("(@a{sv})", outcome));
    else
        return_failure(invocation, fault);
}

static gboolean on_rewire(NrDbusManager1 *manager, GDBusMethodInvocation *invocation,
                          const char *guest, const char *by, const char *nic, const char *to,
                          const char *where, gboolean live, gboolean config, gpointer data)
{
    const NrControlApi *api = data;
    NrRewire *rewire = g_new(NrRewire, 1);

    if (!g_strv_contains(nr_metadata_keys, by) ||
        (*to && !g_strv_contains(nr_metadata_places, to))) {
        g_free(rewire);
        return_failure(invocation, "a NIC is named by mac, alias or dev, and goes to a network, a "
                                   "bridge or a peer");
        return TRUE;
    }
    *rewire = (NrRewire){ .by = g_strdup(by),
                          .nic = g_strdup(nic),
                          .to = *to ? g_strdup(to) : NULL,
                          .where = *to ? g_strdup(where) : NULL,
                          .live = live,
                          .config = config };
    nr_control_rewire(api->parts, guest, rewire, on_rewired, invocation);
    return TRUE;
}

static gboolean on_nics(NrDbusManager1 *manager, GDBusMethodInvocation *invocation, gpointer data)
{
    const NrControlApi *api = data;

    nr_dbus_manager1_complete_nics(manager, invocation, nr_control_nics(api->parts));
    return TRUE;
}

/* The API may be gone when a guest is back: the invocation holds what it needs. */
static void on_revived(const char *failure, gpointer data)
{
    GDBusMethodInvocation *invocation = data;

    if (failure)
        return_failure(invocation, failure);
    else
        g_dbus_method_invocation_return_value(invocation, NULL);
}

static gboolean on_revive(NrDbusManager1 *manager, GDBusMethodInvocation *invocation,
                          const char *guest, gpointer data)
{
    NrControlApi *api = data;

    nr_log(NR_LOG_INFO, "guest %s is saved and started again, as somebody asked for", guest);
    nr_revive(api->parts->uri, guest, on_revived, invocation);
    return TRUE;
}

static gboolean on_relays(NrDbusManager1 *manager, GDBusMethodInvocation *invocation, gpointer data)
{
    const NrControlApi *api = data;

    nr_dbus_manager1_complete_relays(manager, invocation, nr_control_relays(api->parts));
    return TRUE;
}

static void on_upgraded(const char *outcome, const char *fault, gpointer data)
{
    g_dbus_method_invocation_return_value(data, g_variant_new("(ss)", outcome, fault));
}

static gboolean on_upgrade(NrDbusManager1 *manager, GDBusMethodInvocation *invocation,
                           const char *network, gpointer data)
{
    const NrControlApi *api = data;

    nr_control_upgrade(api->parts, network, on_upgraded, invocation);
    return TRUE;
}

/* Events */

static NrView *look(const NrView *before, gpointer data)
{
    const NrControlApi *api = data;
    const NrDesired *desired = nr_reconcile_desired(api->parts->reconcile);
    g_autoptr(NrActual) actual = nr_world_actual(api->parts->world, desired);
    g_autoptr(GVariant) rows = NULL;
    g_autoptr(GVariant) findings = NULL;
    g_autoptr(GVariant) faults = NULL;
    NrViewInput input = { .libvirt = *api->parts->libvirt,
                          .actual = actual,
                          .desired = desired,
                          .networks = api->parts->world->networks->networks,
                          .listed = nr_reconcile_knows_guests(api->parts->reconcile),
                          .now_ms = g_get_monotonic_time() / 1000 };

    if (!desired)
        return NULL;
    input.rows = rows = g_variant_ref_sink(rows_variant(api, desired, actual));
    input.findings = findings = g_variant_ref_sink(findings_variant(api));
    input.faults = faults = g_variant_ref_sink(faults_variant(api));
    return nr_view_new(&input, before);
}

/* To this one connection: what is generated sends signals to all of them. */
static void send_events(GDBusConnection *connection, GVariant *events, guint64 missed,
                        gpointer data)
{
    g_dbus_connection_emit_signal(connection, NULL, OBJECT_PATH, INTERFACE, "Events",
                                  g_variant_new("(@aa{sv}t)", events, missed), NULL);
}

static gboolean on_listen(NrDbusManager1 *manager, GDBusMethodInvocation *invocation, gpointer data)
{
    NrControlApi *api = data;
    GDBusConnection *connection = g_dbus_method_invocation_get_connection(invocation);

    nr_dbus_manager1_complete_listen(manager, invocation);
    nr_control_events_ask(api->events, connection);
    return TRUE;
}

void nr_control_api_passed(NrControlApi *api)
{
    if (api)
        nr_control_events_look(api->events);
}

void nr_control_api_relay_died(NrControlApi *api, const char *network, const char *text)
{
    if (api)
        nr_control_events_relay_died(api->events, network, text);
}

/* Connections */

static void on_closed(GDBusConnection *connection, gboolean by_peer, GError *error, gpointer data)
{
    NrControlApi *api = data;

    nr_control_events_forget(api->events, connection);
    /* The export holds a reference too, and with it the descriptor. */
    g_dbus_interface_skeleton_unexport_from_connection(G_DBUS_INTERFACE_SKELETON(api->manager),
                                                       connection);
    g_ptr_array_remove_fast(api->connections, connection);
}

static void on_entered(GDBusConnection *connection, gpointer data)
{
    NrControlApi *api = data;

    if (!g_dbus_interface_skeleton_export(G_DBUS_INTERFACE_SKELETON(api->manager), connection,
                                          OBJECT_PATH, NULL))
        return;
    nr_unanswered_limit(connection);
    g_ptr_array_add(api->connections, g_object_ref(connection));
    g_signal_connect(connection, "closed", G_CALLBACK(on_closed), api);
}

gboolean nr_control_api_open(NrControlApi *api, GError **error)
{
    int sock = nr_runtime_bind_stream(api->dir_fd, PATHS_CONTROL_SOCKET);

    if (sock < 0) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s: %s", PATHS_CONTROL_SOCKET,
                    g_strerror(-sock));
        return FALSE;
    }
    nr_control_door_listen(api->door, sock);
    return TRUE;
}

NrControlApi *nr_control_api_new(int dir_fd, const NrControlParts *parts)
{
    NrControlApi *api = g_new0(NrControlApi, 1);

    api->parts = parts;
    api->dir_fd = dir_fd;
    api->door = nr_control_door_new(&(NrControlDoorParts){ .entered = on_entered, .data = api });
    api->connections = g_ptr_array_new_with_free_func(g_object_unref);
    api->manager = nr_dbus_manager1_skeleton_new();
    api->events_parts = (NrControlEventsParts){ .look = look, .send = send_events, .data = api };
    api->events = nr_control_events_new(parts->world->news, &api->events_parts);
    g_signal_connect(api->manager, "handle-status", G_CALLBACK(on_status), api);
    g_signal_connect(api->manager, "handle-plan", G_CALLBACK(on_plan), api);
    g_signal_connect(api->manager, "handle-reload", G_CALLBACK(on_reload), api);
    g_signal_connect(api->manager, "handle-networks", G_CALLBACK(on_networks), api);
    g_signal_connect(api->manager, "handle-leases", G_CALLBACK(on_leases), api);
    g_signal_connect(api->manager, "handle-examine", G_CALLBACK(on_examine), api);
    g_signal_connect(api->manager, "handle-relays", G_CALLBACK(on_relays), api);
    g_signal_connect(api->manager, "handle-upgrade", G_CALLBACK(on_upgrade), api);
    g_signal_connect(api->manager, "handle-open-relay", G_CALLBACK(on_open_relay), api);
    g_signal_connect(api->manager, "handle-revive", G_CALLBACK(on_revive), api);
    g_signal_connect(api->manager, "handle-rewire", G_CALLBACK(on_rewire), api);
    g_signal_connect(api->manager, "handle-nics", G_CALLBACK(on_nics), api);
    g_signal_connect(api->manager, "handle-start-network", G_CALLBACK(on_start_network), api);
    g_signal_connect(api->manager, "handle-listen", G_CALLBACK(on_listen), api);
    g_signal_connect(api->manager, "handle-confirm-network", G_CALLBACK(on_confirm_network), api);
    g_signal_connect(api->manager, "handle-stop-network", G_CALLBACK(on_stop_network), api);
    return api;
}

void nr_control_api_admit(NrControlApi *api, gid_t group)
{
    int r = nr_callers_let(api->dir_fd, PATHS_CONTROL_SOCKET, group);

    if (r < 0)
        nr_log(NR_LOG_WARNING, "the control socket is for %s only: its group cannot be set: %s",
               geteuid() == 0 ? "root" : "its owner", g_strerror(-r));
    nr_control_door_admit(api->door, r < 0 ? NR_NO_GROUP : group);
}

void nr_control_api_free(NrControlApi *api)
{
    if (!api)
        return;
    (void)unlinkat(api->dir_fd, PATHS_CONTROL_SOCKET, 0);
    nr_control_door_free(api->door);
    for (guint i = 0; i < api->connections->len; i++)
        g_signal_handlers_disconnect_by_data(api->connections->pdata[i], api);
    if (api->connections->len > 0)
        g_dbus_interface_skeleton_unexport(G_DBUS_INTERFACE_SKELETON(api->manager));
    nr_control_events_free(api->events);
    g_object_unref(api->manager);
    g_ptr_array_unref(api->connections);
    g_free(api);
}
