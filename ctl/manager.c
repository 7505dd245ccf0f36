/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/manager.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <gio/gunixfdlist.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/paths.h"
#include "common/scope.h"
#include "ctl/refused.h"

#define CONNECT_TIMEOUT_MS 5000
#define OPEN_TIMEOUT_MS    5000

/* What is being waited for: the connection, until it is there or the time is up. */
typedef struct {
    GMainLoop *loop;
    GCancellable *cancellable;
    GDBusConnection *connection;
    GError *error;
    gboolean late;
} Attempt;

int nr_manager_open_dir(const char *runtime_dir)
{
    _cleanup_(closep) int fd = open(runtime_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    /* In a directory of somebody else's, somebody else would answer. */
    if (st.st_uid != 0 && st.st_uid != geteuid())
        return -EPERM;
    return steal_fd(&fd);
}

const char *nr_manager_cure(uid_t uid, gboolean running)
{
    static const char *const cures[2][2][2] = {
        /* by hand, by systemd; not running, running */
        { { "start it as that user: " NR_NETRELAYD " &",
            "end it and start it again: " NR_NETRELAYD " &" },
          { "start it with: systemctl --user start netrelayd",
            "restart it with: systemctl --user restart netrelayd" } },
        { { "start it as root: " NR_NETRELAYD " &",
            "end it and start it again as root: " NR_NETRELAYD " &" },
          { "start it with: systemctl start netrelayd",
            "restart it with: systemctl restart netrelayd" } },
    };

    return cures[uid == 0][access("/run/systemd/system", F_OK) == 0][!!running];
}

static gboolean on_connect_late(gpointer data)
{
    Attempt *attempt = data;

    attempt->late = TRUE;
    g_cancellable_cancel(attempt->cancellable);
    return G_SOURCE_REMOVE;
}

static void on_connected(GObject *source, GAsyncResult *result, gpointer data)
{
    Attempt *attempt = data;

    attempt->connection = g_dbus_connection_new_for_address_finish(result, &attempt->error);
    g_main_loop_quit(attempt->loop);
}

/* A stopped manager accepts and says nothing: the handshake has no time limit of its own. */
static GDBusConnection *connect_within(const char *address, int timeout_ms, GError **error)
{
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    Attempt attempt = { .loop = loop, .cancellable = cancellable };
    guint timer = g_timeout_add((guint)timeout_ms, on_connect_late, &attempt);

    g_dbus_connection_new_for_address(address, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, NULL,
                                      cancellable, on_connected, &attempt);
    g_main_loop_run(loop);
    if (!attempt.late)
        g_source_remove(timer);
    if (attempt.late && attempt.error) {
        g_clear_error(&attempt.error);
        g_set_error_literal(&attempt.error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "late");
    }
    if (attempt.error)
        g_propagate_error(error, attempt.error);
    return attempt.connection;
}

static gboolean is_absent(const GError *error)
{
    return g_error_matches(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND) ||
           g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED);
}

static gboolean is_late(const GError *error)
{
    return g_error_matches(error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT) ||
           g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_NO_REPLY) ||
           g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_TIMEOUT);
}

void nr_manager_explain(const NrCall *call, GError *error, NrSilence *ret)
{
    const char *dir = call->runtime_dir;
    gboolean told = g_dbus_error_is_remote_error(error) &&
                    g_error_matches(error, G_IO_ERROR, G_IO_ERROR_FAILED);

    g_dbus_error_strip_remote_error(error);
    ret->code = is_absent(error) || is_late(error) ? NR_EXIT_ABSENT : NR_EXIT_FAILED;
    if (is_absent(error)) {
        ret->text = g_strdup_printf("netrelayd is not running (nobody answers in %s)", dir);
        ret->cure = g_strdup(nr_manager_cure(call->uid, FALSE));
    } else if (is_late(error)) {
        ret->text = g_strdup_printf("netrelayd does not answer in %s", dir);
        ret->cure = g_strdup(nr_manager_cure(call->uid, TRUE));
    } else if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED)) {
        nr_refused_explain(dir, ret);
    } else if (told) {
        ret->text = g_strdup(error->message); /* the manager's own sentence */
    } else {
        ret->text = g_strdup_printf("netrelayd in %s: %s", dir, error->message);
    }
}

void nr_silence_say(const NrSilence *silence)
{
    nr_complain("%s%s%s", silence->text, silence->cure ? "; " : "",
                silence->cure ? silence->cure : "");
}

void nr_silence_clear(NrSilence *silence)
{
    g_free(silence->text);
    g_free(silence->cure);
}

char *nr_manager_address(const NrCall *call, int *ret_fd, GError **error)
{
    int fd = nr_manager_open_dir(call->runtime_dir);

    if (fd < 0) {
        g_set_error_literal(error, G_IO_ERROR, g_io_error_from_errno(-fd), g_strerror(-fd));
        return NULL;
    }
    /* Through the descriptor: a socket's own path is limited to 107 bytes. */
    *ret_fd = fd;
    return g_strdup_printf("unix:path=/proc/self/fd/%d/%s", fd, PATHS_CONTROL_SOCKET);
}

static GDBusConnection *connect_to(const NrCall *call, GError **error)
{
    _cleanup_(closep) int fd = -1;
    g_autofree char *address = nr_manager_address(call, &fd, error);

    return address ? connect_within(address, CONNECT_TIMEOUT_MS, error) : NULL;
}

GDBusConnection *nr_manager_connect(const NrCall *call, NrSilence *ret_silence)
{
    g_autoptr(GError) error = NULL;
    GDBusConnection *connection = connect_to(call, &error);

    *ret_silence = (NrSilence){ .code = NR_EXIT_DONE };
    if (!connection)
        nr_manager_explain(call, error, ret_silence);
    return connection;
}

GVariant *nr_manager_name(const char *name)
{
    return g_variant_new_take_string(g_utf8_make_valid(name, -1));
}

GVariant *nr_manager_ask(const NrCall *call, const char *method, GVariant *parameters,
                         const char *reply_type, int timeout_ms, NrSilence *ret_silence)
{
    g_autoptr(GVariant) owned = parameters ? g_variant_ref_sink(parameters) : NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(GDBusConnection) connection = connect_to(call, &error);
    GVariant *reply = NULL;

    *ret_silence = (NrSilence){ .code = NR_EXIT_DONE };
    if (connection)
        reply = g_dbus_connection_call_sync(connection, NULL, NR_MANAGER_PATH, NR_MANAGER_INTERFACE,
                                            method, owned, G_VARIANT_TYPE(reply_type),
                                            G_DBUS_CALL_FLAGS_NONE, timeout_ms, NULL, &error);
    if (!reply)
        nr_manager_explain(call, error, ret_silence);
    return reply;
}

GVariant *nr_manager_call_with(const NrCall *call, const char *method, GVariant *parameters,
                               const char *reply_type, int timeout_ms, gboolean quiet,
                               NrExit *ret_code)
{
    g_auto(NrSilence) silence = { 0 };
    GVariant *reply = nr_manager_ask(call, method, parameters, reply_type, timeout_ms, &silence);

    *ret_code = silence.code;
    if (!reply && !quiet)
        nr_silence_say(&silence);
    return reply;
}

GVariant *nr_manager_call(const NrCall *call, const char *method, const char *reply_type,
                          int timeout_ms, gboolean quiet, NrExit *ret_code)
{
    return nr_manager_call_with(call, method, NULL, reply_type, timeout_ms, quiet, ret_code);
}

int nr_manager_open_relay(const NrCall *call, const char *network, NrSilence *ret_silence)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GDBusConnection) connection = connect_to(call, &error);
    g_autoptr(GUnixFDList) list = NULL;
    g_autoptr(GVariant) reply = NULL;
    int sock = -1;

    *ret_silence = (NrSilence){ .code = NR_EXIT_DONE };
    if (connection)
        reply = g_dbus_connection_call_with_unix_fd_list_sync(
            connection, NULL, NR_MANAGER_PATH, NR_MANAGER_INTERFACE, "OpenRelay",
            g_variant_new("(@s)", nr_manager_name(network)), G_VARIANT_TYPE("(h)"),
            G_DBUS_CALL_FLAGS_NONE, OPEN_TIMEOUT_MS, NULL, &list, NULL, &error);
    if (reply && list)
        sock = g_unix_fd_list_get(list, 0, &error);
    else if (reply)
        g_set_error_literal(&error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "a descriptor is missing");
    if (sock < 0)
        nr_manager_explain(call, error, ret_silence);
    return sock;
}
