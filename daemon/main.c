/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netrelayd: wires the modules and holds no rule. What flows: guest-source and hook-socket ->
 * inventory -> reconcile (desired, actual, plan, execute) -> relays; admission labels ports;
 * control-api shows. On SIGTERM it ends and the relays go on: its successor adopts them.
 */
#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib-unix.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/hook-proto.h"
#include "common/scope.h"
#include "daemon/admission.h"
#include "daemon/callers.h"
#include "daemon/cleanup.h"
#include "daemon/config.h"
#include "daemon/control-api.h"
#include "daemon/control-networks.h"
#include "daemon/guest-source.h"
#include "daemon/hook-socket.h"
#include "daemon/hooked.h"
#include "daemon/log.h"
#include "daemon/options.h"
#include "daemon/runtime-dir.h"
#include "daemon/runtime-watch.h"
#include "daemon/service.h"
#include "daemon/stopped.h"
#include "net/link.h"
#include "net/uplink-guard.h"

#define EXIT_USAGE 2
#define RELOAD_MS  200 /* a file that is written makes several events */

typedef struct {
    NrOptions options;
    /* modules, in the order they are made */
    GMainLoop *loop;
    NrRuntimeDir *runtime;
    NrConfig *config;
    NrRelaySettings settings;
    NrWorld world;
    NrReconcile *reconcile;
    NrStopped *stopped;
    NrAdmission *admission;
    NrGuestSource *source;
    NrHookSocket *hooks;
    NrControlParts control_parts;
    NrControlApi *control;
    GFileMonitor *monitor;
    NrRuntimeWatch *runtime_watch;
    NrCleanup cleanup_parts;
    int activated; /* the hook's socket that systemd made, or -1 */
    gboolean hook_socket_is_ours;
    guint reload_timer;
    char *libvirt_state;
    int status;
} Manager;

/* What others tell us: noted, and a pass is asked for */

static void on_inventory_changed(gpointer data)
{
    Manager *manager = data;

    nr_reconcile_request(manager->reconcile);
    nr_admission_look(manager->admission, TRUE);
}

static void on_relays_changed(gpointer data)
{
    Manager *manager = data;

    nr_reconcile_request(manager->reconcile);
    nr_admission_look(manager->admission, TRUE);
}

static void on_relay_died(const char *network, gint64 age_ms, const char *text, gpointer data)
{
    Manager *manager = data;
    gboolean goes_on = nr_relays_goes_on(manager->world.relays, network);
    g_autofree char *news =
        g_strconcat(text, goes_on ? "; another one goes on with its connections" : "", NULL);

    nr_reconcile_relay_died(manager->reconcile, network, age_ms, text);
    nr_control_api_relay_died(manager->control, network, news);
}

static void on_relay_replaced(const char *network, const char *how, gpointer data)
{
    Manager *manager = data;

    nr_news_tell(manager->world.news, "relay-mended", network, NULL,
                 "network %s: %s; another one goes on with its connections", network, how);
}

static void on_dnsmasq_died(const char *network, gint64 age_ms, const char *text, gpointer data)
{
    Manager *manager = data;

    nr_reconcile_dnsmasq_died(manager->reconcile, network, age_ms, text);
}

static void on_resolved(gpointer data)
{
    Manager *manager = data;

    nr_reconcile_request(manager->reconcile);
}

/* Where the package was purged meanwhile nobody comes back to what its guests were given. */
static void end_retirement(Manager *manager)
{
    nr_log(NR_LOG_INFO, "the last guest has gone; ending");
    nr_runtime_dir_remove(manager->runtime);
    if (!g_file_test(manager->options.networks_dir, G_FILE_TEST_EXISTS))
        nr_serving_forget_all();
    g_main_loop_quit(manager->loop);
}

static void on_passed(gpointer data)
{
    Manager *manager = data;

    nr_admission_look(manager->admission, FALSE);
    nr_control_api_passed(manager->control);
    if (manager->options.retire && nr_relays_count(manager->world.relays) == 0 &&
        nr_ground_is_lifted(manager->world.ground))
        end_retirement(manager);
}

static void on_all_guests(const GPtrArray *guests, const GPtrArray *unread, gpointer data)
{
    Manager *manager = data;

    manager->world.policy->hooked = nr_hooked(manager->options.uri);
    nr_inventory_sync_all(manager->world.inventory, guests, unread);
    nr_reconcile_guests_known(manager->reconcile);
    nr_hook_socket_guests_changed(manager->hooks);
    nr_runtime_watch_look(manager->runtime_watch); /* a parent that is renamed tells nobody */
}

static void on_one_guest(const char *uuid, NrGuest *running, NrGuest *defined, gpointer data)
{
    Manager *manager = data;

    nr_inventory_sync_guest(manager->world.inventory, uuid, running, defined);
    nr_hook_socket_guests_changed(manager->hooks);
}

static void on_libvirt_state(const char *text, gpointer data)
{
    Manager *manager = data;

    g_free(manager->libvirt_state);
    manager->libvirt_state = g_utf8_make_valid(text, -1);
    nr_reconcile_request(manager->reconcile);
}

static gboolean on_links(gint fd, GIOCondition condition, gpointer data)
{
    Manager *manager = data;

    link_monitor_drain(fd);
    nr_reconcile_links_changed(manager->reconcile);
    return G_SOURCE_CONTINUE;
}

static const NrRelaysEvents relays_events = { .changed = on_relays_changed,
                                              .died = on_relay_died,
                                              .replaced = on_relay_replaced };
static const NrGuestSourceEvents source_events = {
    .all = on_all_guests,
    .one = on_one_guest,
    .state = on_libvirt_state,
};

/* Settings and network files */

static gboolean load_config(Manager *manager, GError **error)
{
    NrConfig *config = nr_config_load(manager->options.config_file, geteuid(), error);

    if (!config)
        return FALSE;
    nr_config_free(manager->config);
    manager->config = config;
    if (!manager->options.uri)
        manager->options.uri = g_strdup(config->uri);
    config->policy.hooked = nr_hooked(manager->options.uri);
    manager->world.policy = &config->policy;
    return TRUE;
}

static void load_networks(Manager *manager)
{
    NrNetworks *before = manager->world.networks;

    manager->world.networks = nr_networks_load(manager->options.networks_dir, geteuid(), before);
    nr_networks_free(before);
    nr_stopped_apply(manager->stopped, manager->world.networks);
    nr_serving_forget(manager->world.networks);
    for (guint i = 0; i < manager->world.networks->faults->len; i++)
        nr_log(NR_LOG_WARNING, "%s", (char *)manager->world.networks->faults->pdata[i]);
}

/* A user's manager is that user's, and root's. */
static void admit_callers(Manager *manager)
{
    const char *group = geteuid() == 0 ? manager->config->control_group : NULL;

    nr_control_api_admit(manager->control, nr_callers_group(group, manager->options.config_file));
}

static void reload(gpointer data)
{
    g_autoptr(GError) error = NULL;
    Manager *manager = data;

    g_clear_pointer(&manager->world.settings_fault, g_free);
    if (!load_config(manager, &error)) {
        manager->world.settings_fault =
            g_strdup_printf("%s; the settings stay as they were", error->message);
        nr_log(NR_LOG_WARNING, "%s", manager->world.settings_fault);
    }
    admit_callers(manager);
    load_networks(manager);
    nr_udp_guard_renew(manager->world.udp_guard);
    nr_news_tell(manager->world.news, "reloaded", NULL, NULL,
                 "settings and network files are read anew");
    nr_guest_source_resync(manager->source);
    nr_runtime_watch_look(manager->runtime_watch);
    nr_reconcile_files_changed(manager->reconcile);
}

static gboolean on_files_settled(gpointer data)
{
    Manager *manager = data;
    g_autofree char *before = g_strdup(manager->world.networks->stamp);

    manager->reload_timer = 0;
    load_networks(manager);
    if (g_strcmp0(before, manager->world.networks->stamp) == 0) { /* a command was faster */
        nr_reconcile_request(manager->reconcile);
        return G_SOURCE_REMOVE;
    }
    nr_news_tell(manager->world.news, "reloaded", NULL, NULL, "network files are read anew");
    nr_reconcile_files_changed(manager->reconcile);
    return G_SOURCE_REMOVE;
}

static void on_file_changed(GFileMonitor *monitor, GFile *file, GFile *other,
                            GFileMonitorEvent event, gpointer data)
{
    Manager *manager = data;

    if (!manager->reload_timer)
        manager->reload_timer = g_timeout_add(RELOAD_MS, on_files_settled, manager);
}

static void watch_networks(Manager *manager)
{
    g_autoptr(GFile) directory = g_file_new_for_path(manager->options.networks_dir);

    manager->monitor = g_file_monitor_directory(directory, G_FILE_MONITOR_WATCH_MOVES, NULL, NULL);
    if (manager->monitor)
        g_signal_connect(manager->monitor, "changed", G_CALLBACK(on_file_changed), manager);
}

/* Signals */

static gboolean on_end(gpointer data)
{
    Manager *manager = data;

    nr_log(NR_LOG_INFO, "ending; the relays go on");
    g_main_loop_quit(manager->loop);
    return G_SOURCE_CONTINUE;
}

static gboolean on_hangup(gpointer data)
{
    nr_log(NR_LOG_INFO, "reading settings, network files and libvirt's list anew");
    reload(data);
    return G_SOURCE_CONTINUE;
}

static gboolean on_ignored(gpointer data)
{
    return G_SOURCE_CONTINUE;
}

/* Start */

/* Without that user there is no relay, and each network says why. */
static gboolean relay_user(Manager *manager, GError **error)
{
    const struct passwd *user;

    if (geteuid() != 0)
        return TRUE;
    user = getpwnam(manager->config->relay_user);
    if (!user) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED,
                    "there is no user %s for relays to run as; make it (useradd --system %s), or "
                    "name another as user= under [relay] in %s",
                    manager->config->relay_user, manager->config->relay_user,
                    manager->options.config_file);
        return FALSE;
    }
    manager->settings.switch_user = TRUE;
    manager->settings.uid = user->pw_uid;
    manager->settings.gid = user->pw_gid;
    return TRUE;
}

static gboolean open_hooks(Manager *manager, GError **error)
{
    int sock = manager->activated;

    if (sock >= 0 && !nr_runtime_has_socket(manager->runtime->fd, HOOK_SOCKET_NAME)) {
        nr_log(NR_LOG_WARNING,
               "somebody removed %s/%s, which systemd made; it is made again, and is systemd's "
               "once more when netrelayd.socket and netrelayd.service are started anew",
               manager->runtime->path, HOOK_SOCKET_NAME);
        close(sock);
        sock = -1;
    }
    manager->hook_socket_is_ours = sock < 0;
    if (sock < 0)
        sock = nr_runtime_bind(manager->runtime->fd, HOOK_SOCKET_NAME);
    if (sock < 0) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s/%s: %s", manager->runtime->path,
                    HOOK_SOCKET_NAME, g_strerror(-sock));
        return FALSE;
    }
    manager->hooks = nr_hook_socket_new(sock, manager->runtime->fd, &manager->world,
                                        manager->reconcile, manager->source, manager->world.news);
    return TRUE;
}

static gboolean open_control(Manager *manager, GError **error)
{
    manager->control_parts = (NrControlParts){
        .world = &manager->world,
        .reconcile = manager->reconcile,
        .uri = manager->options.uri,
        .networks_dir = manager->options.networks_dir,
        .stopped = manager->stopped,
        .source = &manager->source,
        .libvirt = &manager->libvirt_state,
        .reload = reload,
        .data = manager,
    };
    manager->control = nr_control_api_new(manager->runtime->fd, &manager->control_parts);
    nr_control_networks_watch(&manager->control_parts);
    if (!nr_control_api_open(manager->control, error))
        return FALSE;
    admit_callers(manager);
    return TRUE;
}

static void on_runtime_renewed(gpointer data)
{
    Manager *manager = data;

    if (manager->control)
        admit_callers(manager);
    nr_stopped_apply(manager->stopped, manager->world.networks); /* notes it there again */
    nr_ground_note(manager->world.ground);
}

static void watch_runtime(Manager *manager)
{
    const NrRuntimeParts parts = { .runtime = manager->runtime,
                                   .relays = manager->world.relays,
                                   .hooks = manager->hooks,
                                   .control = manager->control,
                                   .hooks_ours = &manager->hook_socket_is_ours,
                                   .renewed = on_runtime_renewed,
                                   .data = manager };

    manager->runtime_watch = nr_runtime_watch_new(&parts);
}

static void watch_links(Manager *manager)
{
    manager->world.link_monitor = link_monitor_open();
    if (manager->world.link_monitor < 0) {
        nr_log(NR_LOG_WARNING, "cannot watch network devices: %s",
               g_strerror(-manager->world.link_monitor));
        return;
    }
    /* What is remote is another host's only until the address is ours, by DHCP or a VPN. */
    link_monitor_add_addresses(manager->world.link_monitor);
    g_unix_fd_add(manager->world.link_monitor, G_IO_IN, on_links, manager);
}

static void on_adopted(gpointer data)
{
    Manager *manager = data;
    guint count = nr_relays_count(manager->world.relays);

    if (count > 0)
        nr_log(NR_LOG_INFO, "adopted %u running relay%s", count, count == 1 ? "" : "s");
    nr_reconcile_start(manager->reconcile);
    nr_service_notify("READY=1");
}

static gboolean start(Manager *manager, GError **error)
{
    manager->world.news = nr_news_new();
    manager->world.inventory = nr_inventory_new(on_inventory_changed, manager);
    manager->world.resolver = nr_resolver_new(on_resolved, manager);
    manager->reconcile = nr_reconcile_new(&manager->world, on_passed, manager);
    manager->admission = nr_admission_new(&manager->world, manager->reconcile, &manager->settings);
    manager->stopped =
        nr_stopped_new(manager->runtime->fd, manager->options.networks_dir, manager->runtime->made);
    if (!manager->options.retire) /* before they are read, so that no change falls in between */
        watch_networks(manager);
    load_networks(manager);
    if (!manager->options.retire && !open_control(manager, error))
        return FALSE;
    manager->source = nr_guest_source_new(manager->options.uri, &source_events, manager);
    /* Who retires answers nobody any more, and goes by the files that there were. */
    if (!manager->options.retire && !open_hooks(manager, error))
        return FALSE;
    watch_links(manager);
    watch_runtime(manager);
    nr_relays_adopt(manager->world.relays, on_adopted, manager);
    return TRUE;
}

/* --cleanup */

static void on_cleaned_up(gboolean whole, gpointer data)
{
    Manager *manager = data;

    manager->status = whole ? EXIT_SUCCESS : EXIT_FAILURE;
    g_main_loop_quit(manager->loop);
}

static void cleanup(Manager *manager)
{
    manager->cleanup_parts = (NrCleanup){ .world = &manager->world,
                                          .runtime = manager->runtime,
                                          .done = on_cleaned_up,
                                          .data = manager };
    nr_cleanup(&manager->cleanup_parts);
}

/* The program */

/* QEMU's user and the relays'; root may anyway. */
static NrUdpGuard *udp_guard_new(const Manager *manager)
{
    g_autoptr(GArray) senders = g_array_new(FALSE, FALSE, sizeof(uid_t));

    g_array_append_vals(senders, manager->settings.users, manager->settings.n_users);
    if (manager->settings.switch_user)
        g_array_append_val(senders, manager->settings.uid);
    return nr_udp_guard_new(manager->world.ground, (const uid_t *)(const void *)senders->data,
                            senders->len);
}

static gboolean prepare(Manager *manager, GError **error)
{
    if (!nr_options_default_paths(&manager->options, NR_RELAY_PROGRAM, error) ||
        !load_config(manager, error))
        return FALSE;
    if (!manager->options.cleanup && !relay_user(manager, error))
        return FALSE;
    manager->runtime = nr_runtime_dir_open(geteuid(), error);
    if (!manager->runtime)
        return FALSE;
    manager->settings.relays_fd = manager->runtime->relays_fd;
    manager->settings.program = manager->options.relay_program;
    manager->settings.n_users =
        nr_admission_users(manager->world.policy->system, manager->settings.users);
    manager->settings.store = nr_store_new();
    manager->activated = nr_service_take_descriptors(nr_store_take_back, manager->settings.store);
    manager->world.relays =
        nr_relays_new(&manager->settings,
                      manager->options.cleanup ? &nr_cleanup_events : &relays_events, manager);
    manager->world.ground = nr_ground_new(manager->runtime->fd);
    manager->world.udp_guard = udp_guard_new(manager);
    manager->world.serving = nr_serving_new(on_dnsmasq_died, manager);
    manager->libvirt_state = g_strdup("connecting");
    manager->world.retiring = manager->options.retire;
    return TRUE;
}

static void end(Manager *manager)
{
    nr_service_notify("STOPPING=1");
    nr_runtime_watch_free(manager->runtime_watch);
    nr_control_api_free(manager->control);
    nr_hook_socket_free(manager->hooks);
    if (manager->runtime && manager->hook_socket_is_ours)
        (void)unlinkat(manager->runtime->fd, HOOK_SOCKET_NAME, 0);
    nr_guest_source_free(manager->source);
    g_clear_object(&manager->monitor);
    nr_admission_free(manager->admission);
    nr_reconcile_free(manager->reconcile);
    nr_serving_free(manager->world.serving);
    nr_relays_free(manager->world.relays);
    nr_udp_guard_free(manager->world.udp_guard);
    nr_ground_free(manager->world.ground);
    nr_store_free(manager->settings.store);
    nr_resolver_free(manager->world.resolver);
    nr_inventory_free(manager->world.inventory);
    nr_news_free(manager->world.news);
    nr_networks_free(manager->world.networks);
    nr_stopped_free(manager->stopped);
    g_free(manager->world.settings_fault);
    nr_config_free(manager->config);
    nr_runtime_dir_free(manager->runtime);
}

static int run(Manager *manager)
{
    g_autoptr(GError) error = NULL;

    umask(077); /* before there are threads: libvirt's worker makes directories of its own */
    manager->loop = g_main_loop_new(NULL, FALSE);
    g_unix_signal_add(SIGTERM, on_end, manager);
    g_unix_signal_add(SIGINT, on_end, manager);
    if (!prepare(manager, &error))
        goto failed;
    if (manager->options.cleanup) {
        cleanup(manager);
    } else {
        g_unix_signal_add(SIGHUP, manager->options.retire ? on_ignored : on_hangup, manager);
        nr_service_watchdog();
        if (!start(manager, &error))
            goto failed;
        nr_log(NR_LOG_INFO, "version %s, for %s, in %s", NR_VERSION, manager->options.uri,
               manager->runtime->path);
    }
    g_main_loop_run(manager->loop);
    end(manager);
    return manager->status;

failed:
    nr_log(NR_LOG_ERROR, "%s", error->message);
    end(manager);
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    static Manager manager = { .world.link_monitor = -1 };
    g_autoptr(GError) error = NULL;
    int status;

    if (argc > 1 && g_str_equal(argv[1], UPLINK_GUARD_WORD))
        return uplink_guard_main(argc, argv, uplink_guard_work);
    if (!nr_options_parse(&manager.options, &argc, &argv, &error)) {
        fprintf(stderr, "netrelayd: %s; see netrelayd --help\n", error->message);
        return EXIT_USAGE;
    }
    if (manager.options.version) {
        printf("netrelayd %s\n", NR_VERSION);
        return EXIT_SUCCESS;
    }
    nr_log_open(manager.options.debug);
    signal(SIGPIPE, SIG_IGN);
    nr_service_raise_descriptor_limit();
    status = run(&manager);
    nr_service_exit(status);
}
