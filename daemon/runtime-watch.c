/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/runtime-watch.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <unistd.h>
#include "common/hook-proto.h"
#include "common/paths.h"
#include "daemon/log.h"

#define SETTLE_MS 200  /* who removes a tree is through with it by then */
#define AGAIN_MS  5000 /* after a failure */

struct NrRuntimeWatch {
    NrRuntimeParts parts;
    GFileMonitor *monitor, *relays_monitor;
    guint timer;
    gboolean failed; /* and said so */
};

static gboolean is_missing(const NrRuntimeWatch *watch, const char *name)
{
    return faccessat(watch->parts.runtime->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0;
}

static gboolean lacks_hooks(const NrRuntimeWatch *watch)
{
    return watch->parts.hooks && is_missing(watch, HOOK_SOCKET_NAME);
}

static gboolean lacks_control(const NrRuntimeWatch *watch)
{
    return watch->parts.control && is_missing(watch, PATHS_CONTROL_SOCKET);
}

static gboolean is_whole(const NrRuntimeWatch *watch)
{
    return nr_runtime_dir_is_there(watch->parts.runtime) && !lacks_hooks(watch) &&
           !lacks_control(watch) && !nr_relays_lost_sockets(watch->parts.relays);
}

static gboolean fail(const NrRuntimeWatch *watch, const char *name, int r, GError **error)
{
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s/%s: %s", watch->parts.runtime->path, name,
                g_strerror(-r));
    return FALSE;
}

static gboolean renew_hooks(NrRuntimeWatch *watch, GError **error)
{
    int sock = nr_runtime_bind(watch->parts.runtime->fd, HOOK_SOCKET_NAME);

    if (sock < 0)
        return fail(watch, HOOK_SOCKET_NAME, sock, error);
    nr_hook_socket_listen(watch->parts.hooks, sock);
    *watch->parts.hooks_ours = TRUE;
    return TRUE;
}

/* The relays first: who finds us again may ask about them. */
static gboolean renew(NrRuntimeWatch *watch, GError **error)
{
    const NrRuntimeParts *parts = &watch->parts;
    int r;

    if (!nr_runtime_dir_is_there(parts->runtime) &&
        !nr_runtime_dir_renew(parts->runtime, geteuid(), error))
        return FALSE;
    r = nr_relays_renew_sockets(parts->relays);
    if (r < 0)
        return fail(watch, PATHS_RELAYS, r, error);
    return (!lacks_control(watch) || nr_control_api_open(parts->control, error)) &&
           (!lacks_hooks(watch) || renew_hooks(watch, error));
}

/* Watching: by path, so it begins anew with each directory */

static void on_event(GFileMonitor *monitor, GFile *file, GFile *other, GFileMonitorEvent event,
                     gpointer data)
{
    nr_runtime_watch_look(data);
}

static void unwatch(GFileMonitor **monitor, NrRuntimeWatch *watch)
{
    if (!*monitor)
        return;
    g_signal_handlers_disconnect_by_data(*monitor, watch);
    g_file_monitor_cancel(*monitor);
    g_clear_object(monitor);
}

static GFileMonitor *monitor_new(const char *path, NrRuntimeWatch *watch)
{
    g_autoptr(GFile) directory = g_file_new_for_path(path);
    GFileMonitor *monitor =
        g_file_monitor_directory(directory, G_FILE_MONITOR_WATCH_MOVES, NULL, NULL);

    if (monitor)
        g_signal_connect(monitor, "changed", G_CALLBACK(on_event), watch);
    return monitor;
}

static void watch_anew(NrRuntimeWatch *watch)
{
    const char *path = watch->parts.runtime->path;
    g_autofree char *relays = g_build_filename(path, PATHS_RELAYS, NULL);

    unwatch(&watch->monitor, watch);
    unwatch(&watch->relays_monitor, watch);
    watch->monitor = monitor_new(path, watch);
    watch->relays_monitor = monitor_new(relays, watch);
}

static gboolean on_settled(gpointer data)
{
    NrRuntimeWatch *watch = data;
    g_autoptr(GError) error = NULL;

    watch->timer = 0;
    if (is_whole(watch))
        return G_SOURCE_REMOVE;
    if (renew(watch, &error)) {
        watch->failed = FALSE;
        nr_log(NR_LOG_WARNING, "somebody removed what we had in %s; it is made again",
               watch->parts.runtime->path);
        watch->parts.renewed(watch->parts.data);
        watch_anew(watch);
        nr_runtime_watch_look(watch); /* what was removed before this was being watched */
        return G_SOURCE_REMOVE;
    }
    if (!watch->failed)
        nr_log(NR_LOG_ERROR, "somebody removed what we had in %s, and it cannot be made again: %s",
               watch->parts.runtime->path, error->message);
    watch->failed = TRUE;
    watch->timer = g_timeout_add(AGAIN_MS, on_settled, watch);
    return G_SOURCE_REMOVE;
}

void nr_runtime_watch_look(NrRuntimeWatch *watch)
{
    if (watch && !watch->timer)
        watch->timer = g_timeout_add(SETTLE_MS, on_settled, watch);
}

NrRuntimeWatch *nr_runtime_watch_new(const NrRuntimeParts *parts)
{
    NrRuntimeWatch *watch = g_new0(NrRuntimeWatch, 1);

    watch->parts = *parts;
    watch_anew(watch);
    nr_runtime_watch_look(watch);
    return watch;
}

void nr_runtime_watch_free(NrRuntimeWatch *watch)
{
    if (!watch)
        return;
    unwatch(&watch->monitor, watch);
    unwatch(&watch->relays_monitor, watch);
    if (watch->timer)
        g_source_remove(watch->timer);
    g_free(watch);
}
