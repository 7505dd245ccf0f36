/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/net-folder.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/paths.h"
#include "ctl/manager.h"
#include "xml/network-xml.h"
#include "xml/value.h"

#define NETWORKS_TIMEOUT_MS 10000
#define RELOAD_TIMEOUT_MS   30000 /* a pass, with every request of it at its own deadline */

static char *default_directory(uid_t uid)
{
    char settings[PATH_MAX];
    int r = paths_config_dir(uid, settings, sizeof(settings));

    if (r == 0)
        return g_build_filename(settings, "networks", NULL);
    nr_complain("no folder for network files: %s", g_strerror(-r));
    return NULL;
}

NrNetFolder *nr_net_folder_new(const NrCall *call, NrExit *ret_code)
{
    g_autoptr(NrNetFolder) folder = g_new0(NrNetFolder, 1);
    g_autoptr(GVariant) reply =
        nr_manager_call(call, "Networks", "(saa{sv})", NETWORKS_TIMEOUT_MS, FALSE, ret_code);

    if (!reply && *ret_code != NR_EXIT_ABSENT)
        return NULL;
    *ret_code = NR_EXIT_FAILED;
    folder->call = call;
    if (reply)
        g_variant_get(reply, "(s@aa{sv})", &folder->directory, &folder->live);
    else
        folder->directory = default_directory(call->uid);
    if (!folder->directory)
        return NULL;
    folder->networks = nr_networks_load(folder->directory, call->uid, NULL);
    *ret_code = NR_EXIT_DONE;
    return g_steal_pointer(&folder);
}

void nr_net_folder_free(NrNetFolder *folder)
{
    if (!folder)
        return;
    g_free(folder->directory);
    g_clear_pointer(&folder->live, g_variant_unref);
    g_clear_pointer(&folder->networks, nr_networks_free);
    g_free(folder);
}

char *nr_net_folder_path(const NrNetFolder *folder, const char *name)
{
    g_autofree char *file = NULL;

    for (guint i = 0; i < folder->networks->networks->len; i++) {
        const NrNetwork *network = g_ptr_array_index(folder->networks->networks, i);

        if (g_str_equal(network->name, name))
            return g_strdup(network->file);
    }
    if (!nr_value_is_network_name(name))
        return NULL;
    file = g_strconcat(name, ".xml", NULL);
    return g_build_filename(folder->directory, file, NULL);
}

/* Of a file that is there; NULL after it has said that there is none. */
static char *find(const NrNetFolder *folder, const char *name)
{
    g_autofree char *path = nr_net_folder_path(folder, name);

    if (path && access(path, F_OK) == 0)
        return g_steal_pointer(&path);
    if (path && errno != ENOENT)
        nr_complain("%s: %s", path, g_strerror(errno));
    else
        nr_complain("there is no network '%s' in %s", name, folder->directory);
    return NULL;
}

NrNetFolder *nr_net_folder_open(const NrCall *call, char **ret_path, NrExit *ret_code)
{
    g_autoptr(NrNetFolder) folder = nr_net_folder_new(call, ret_code);

    if (!folder)
        return NULL;
    *ret_path = find(folder, call->operands[0]);
    if (*ret_path)
        return g_steal_pointer(&folder);
    *ret_code = NR_EXIT_FAILED;
    return NULL;
}

/* A file that holds another network is not overwritten because of what it is called; and a network
 * is not renamed by the way, for it may be stopped, or be kept from coming up, by its name. */
static gboolean check_home(const NrNetFolder *folder, const NrNetwork *network, GError **error)
{
    for (guint i = 0; i < folder->networks->networks->len; i++) {
        const NrNetwork *other = g_ptr_array_index(folder->networks->networks, i);

        if (!g_str_equal(other->file, network->file) || g_str_equal(other->name, network->name))
            continue;
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_EXIST,
                    "network %s would take the place of network %s, whose file is %s; undefine "
                    "that one first",
                    network->name, other->name, network->file);
        return FALSE;
    }
    return TRUE;
}

NrNetwork *nr_net_folder_judge(const NrNetFolder *folder, const char *text, gsize length,
                               const char *shown, const char *path, GError **error)
{
    g_autoptr(NrNetwork) network = nr_network_xml_parse(text, length, shown, error);

    if (!network)
        return NULL;
    g_free(network->file);
    network->file = path ? g_strdup(path) : nr_net_folder_path(folder, network->name);
    if (!check_home(folder, network, error) ||
        !nr_networks_check(folder->networks, network, error)) {
        g_prefix_error(error, "%s: ", shown);
        return NULL;
    }
    return g_steal_pointer(&network);
}

/* Says what the manager finds wrong with that file. */
static gboolean say_faults(GVariant *reply, const char *path)
{
    g_autofree const char **faults = NULL;
    g_autofree char *name = g_path_get_basename(path);
    g_autofree char *prefix = g_strconcat(name, ":", NULL);
    gboolean good = TRUE;

    g_variant_get(reply, "(^a&s)", &faults);
    for (guint i = 0; faults[i]; i++) {
        if (!g_str_has_prefix(faults[i], prefix))
            continue;
        nr_complain("%s", faults[i]);
        good = FALSE;
    }
    return good;
}

/* The group of the manager's callers may change what it does, and not what is in /etc. */
static void say_cannot(const NrNetFolder *folder, const char *what, const char *path, int error)
{
    if ((error == EACCES || error == EPERM) && folder->call->uid == 0 && geteuid() != 0)
        nr_complain("cannot %s %s: the files of the system's networks are root's to write; call "
                    "it as root",
                    what, path);
    else
        nr_complain("cannot %s %s: %s", what, path, g_strerror(error));
}

static gboolean make_folder(const NrNetFolder *folder, const char *path)
{
    if (g_mkdir_with_parents(path, folder->call->uid == 0 ? 0755 : 0700) == 0)
        return TRUE;
    say_cannot(folder, "make the folder", path, errno);
    return FALSE;
}

gboolean nr_net_folder_write(const NrNetFolder *folder, const char *path, const char *text,
                             gsize length)
{
    g_autoptr(GError) error = NULL;

    if (!make_folder(folder, folder->directory))
        return FALSE;
    if (!g_file_set_contents_full(path, text, (gssize)length,
                                  G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE,
                                  0644, &error)) {
        if (g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_ACCES) ||
            g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_PERM))
            say_cannot(folder, "write", path, EACCES);
        else
            nr_complain("cannot write the network's file: %s", error->message);
        return FALSE;
    }
    return TRUE;
}

gboolean nr_net_folder_remove(const NrNetFolder *folder, const char *path)
{
    if (unlink(path) < 0) {
        say_cannot(folder, "remove", path, errno);
        return FALSE;
    }
    return TRUE;
}

static gboolean remove_mark(const NrNetFolder *folder, const char *path)
{
    if (unlink(path) == 0 || errno == ENOENT)
        return TRUE;
    say_cannot(folder, "remove", path, errno);
    return FALSE;
}

gboolean nr_net_folder_autostart(const NrNetFolder *folder, const char *name, gboolean on)
{
    static const char text[] = "This network does not come up with the host, because this file is "
                               "here; see netrelayctl(1), net-autostart.\n";
    g_autofree char *manual = g_build_filename(folder->directory, NR_NETWORKS_MANUAL, NULL);
    g_autofree char *path = g_build_filename(manual, name, NULL);

    if (on) {
        if (!remove_mark(folder, path))
            return FALSE;
        (void)rmdir(manual); /* the last mark takes it along; else it is not empty, or not there */
        return TRUE;
    }
    return make_folder(folder, manual) && nr_net_folder_write(folder, path, text, sizeof(text) - 1);
}

/* The manager sees a change by itself, a little later; then the command would be over too early. */
gboolean nr_net_folder_apply(const NrNetFolder *folder, const char *path)
{
    g_autoptr(GVariant) reply = NULL;
    NrExit code;

    if (!folder->live)
        return TRUE; /* said before; it reads all files when it starts */
    reply = nr_manager_call(folder->call, "Reload", "(as)", RELOAD_TIMEOUT_MS, FALSE, &code);
    return reply && say_faults(reply, path);
}
