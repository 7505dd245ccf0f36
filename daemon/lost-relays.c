/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/lost-relays.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "common/paths.h"
#include "common/scope.h"
#include "daemon/actual.h"

#define PROGRAM "netrelay\n" /* as a keeper calls itself */
#define DELETED " (deleted)"

typedef struct {
    uid_t uid;
    NrLostRelayFound found;
    gpointer data;
} Search;

/* The network counts, since a relay's devices and addresses are there. */
static gboolean is_in_our_namespaces(const char *pid)
{
    static const char *const names[] = { "net", "pid" };

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *theirs = g_strdup_printf("/proc/%s/ns/%s", pid, names[i]);
        g_autofree char *ours = g_strdup_printf("/proc/self/ns/%s", names[i]);
        struct stat one, other;

        if (stat(theirs, &one) < 0 || stat(ours, &other) < 0 || one.st_ino != other.st_ino ||
            one.st_dev != other.st_dev)
            return FALSE;
    }
    return TRUE;
}

static gboolean is_keeper(const char *pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%s/comm", pid);
    g_autofree char *name = NULL;

    return g_file_get_contents(path, &name, NULL, NULL) && g_str_equal(name, PROGRAM) &&
           is_in_our_namespaces(pid);
}

/* "HASH.sock" of "/run/netrelay/relays/HASH.sock (deleted)"; else NULL. New string. */
static char *lost_name(const char *link)
{
    g_autofree char *target = g_file_read_link(link, NULL);
    g_autofree char *directory = NULL, *place = NULL, *name = NULL;

    if (!target || !g_str_has_suffix(target, ".sock" DELETED))
        return NULL;
    target[strlen(target) - strlen(DELETED)] = '\0';
    name = g_path_get_basename(target);
    directory = g_path_get_dirname(target);
    place = g_path_get_basename(directory);
    return g_str_equal(place, PATHS_RELAYS) && strlen(name) < NR_ACTUAL_SOCKET_MAX
               ? g_steal_pointer(&name)
               : NULL;
}

/* A name may lie, the credentials of who listens do not. Descriptor, or -1. */
static int connect_to(const char *link, const char *pid, uid_t uid)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    _cleanup_(closep) int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct ucred peer;
    socklen_t size = sizeof(peer);

    g_strlcpy(address.sun_path, link, sizeof(address.sun_path));
    if (sock < 0 || connect(sock, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.uid != uid ||
        peer.pid != atoi(pid))
        return -1;
    return steal_fd(&sock);
}

static void look_at(const Search *search, const char *pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%s/fd", pid);
    DIR *dir = opendir(path);
    const struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        g_autofree char *link = g_build_filename(path, entry->d_name, NULL);
        g_autofree char *name = lost_name(link);
        int sock = name ? connect_to(link, pid, search->uid) : -1;

        if (sock >= 0)
            search->found(name, sock, search->data);
    }
    if (dir)
        closedir(dir);
}

void nr_lost_relays_find(uid_t uid, NrLostRelayFound found, gpointer data)
{
    const Search search = { uid, found, data };
    DIR *dir = opendir("/proc");
    const struct dirent *entry;

    while (dir && (entry = readdir(dir)))
        if (g_ascii_isdigit(entry->d_name[0]) && is_keeper(entry->d_name))
            look_at(&search, entry->d_name);
    if (dir)
        closedir(dir);
}
