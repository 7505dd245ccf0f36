/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/stopped.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "common/scope.h"
#include "daemon/log.h"
#include "net/uplink-record.h"

#define FILE_NEW NR_STOPPED_FILE ".new"

struct NrStopped {
    int dir_fd; /* borrowed */
    char *networks_dir;
    GHashTable *names; /* set */
    GHashTable *known; /* set: of the networks when they were last loaded */
    gboolean boot;     /* they have not been loaded since the host started */
};

static char *write_note(const NrStopped *stopped)
{
    GString *text = g_string_new(NULL);
    g_autofree char *boot = nr_boot_id();
    GHashTableIter iter;
    gpointer name;

    g_string_append_printf(text, "%s\n", boot);
    g_hash_table_iter_init(&iter, stopped->names);
    while (g_hash_table_iter_next(&iter, &name, NULL))
        g_string_append_printf(text, "%s\n", (char *)name);
    return g_string_free(text, FALSE);
}

/* Whole or not at all. A small file, in memory where /run is: this does not block. */
static int replace_note(int dir_fd, const char *text)
{
    _cleanup_(closep) int fd = -1;
    ssize_t n, length = (ssize_t)strlen(text);

    (void)unlinkat(dir_fd, FILE_NEW, 0);
    fd = openat(dir_fd, FILE_NEW, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    n = write(fd, text, (size_t)length);
    if (n == length && renameat(dir_fd, FILE_NEW, dir_fd, NR_STOPPED_FILE) == 0)
        return 0;
    n = n >= 0 && n != length ? -ENOSPC : -errno;
    (void)unlinkat(dir_fd, FILE_NEW, 0);
    return (int)n;
}

/* Without anything to say there is no file; but one that says "nothing" keeps a restarted manager
 * from taking down what does not autostart. */
static int note(const NrStopped *stopped)
{
    g_autoptr(GHashTable) manual = nr_networks_manual(stopped->networks_dir);
    g_autofree char *text = write_note(stopped);

    if (g_hash_table_size(stopped->names) > 0 || g_hash_table_size(manual) > 0)
        return replace_note(stopped->dir_fd, text);
    (void)unlinkat(stopped->dir_fd, NR_STOPPED_FILE, 0);
    return 0;
}

NrStopped *nr_stopped_new(int dir_fd, const char *networks_dir, gboolean first_start)
{
    NrStopped *stopped = g_new0(NrStopped, 1);

    stopped->dir_fd = dir_fd;
    stopped->networks_dir = g_strdup(networks_dir);
    stopped->names = nr_stopped_names(dir_fd, networks_dir, first_start);
    stopped->known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    stopped->boot = first_start;
    return stopped;
}

void nr_stopped_free(NrStopped *stopped)
{
    if (!stopped)
        return;
    g_free(stopped->networks_dir);
    g_hash_table_unref(stopped->names);
    g_hash_table_unref(stopped->known);
    g_free(stopped);
}

/* A faulty file may be the one that a name belongs to. */
static void forget_gone(NrStopped *stopped, const NrNetworks *networks)
{
    g_autoptr(GHashTable) there = g_hash_table_new(g_str_hash, g_str_equal);
    GHashTableIter iter;
    gpointer name;

    if (networks->faults->len > 0)
        return;
    for (guint i = 0; i < networks->networks->len; i++) {
        const NrNetwork *network = g_ptr_array_index(networks->networks, i);

        g_hash_table_add(there, network->name);
    }
    g_hash_table_iter_init(&iter, stopped->names);
    while (g_hash_table_iter_next(&iter, &name, NULL))
        if (!g_hash_table_contains(there, name))
            g_hash_table_iter_remove(&iter);
}

/* What a manager before us has moved stays moved. */
static gboolean waits_for_person(const NrStopped *stopped, const NrNetwork *network)
{
    _cleanup_(freep) struct uplink_record *record = NULL;
    _cleanup_(closep) int dir_fd = -1;

    if (stopped->boot || !nr_network_takes_uplink(network) ||
        g_hash_table_contains(stopped->known, network->name))
        return FALSE;
    dir_fd = openat(stopped->dir_fd, UPLINK_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dir_fd < 0 || uplink_record_read(dir_fd, network->forward_dev, &record) < 0 ||
           !g_str_equal(record->network, network->name);
}

static void note_known(NrStopped *stopped, const NrNetworks *networks)
{
    if (networks->faults->len > 0) /* as above */
        return;
    g_hash_table_remove_all(stopped->known);
    for (guint i = 0; i < networks->networks->len; i++) {
        const NrNetwork *network = g_ptr_array_index(networks->networks, i);

        g_hash_table_add(stopped->known, g_strdup(network->name));
    }
    stopped->boot = FALSE;
}

void nr_stopped_apply(NrStopped *stopped, NrNetworks *networks)
{
    int r;

    forget_gone(stopped, networks);
    for (guint i = 0; i < networks->networks->len; i++) {
        NrNetwork *network = g_ptr_array_index(networks->networks, i);

        if (waits_for_person(stopped, network))
            g_hash_table_add(stopped->names, g_strdup(network->name));
        network->stopped = g_hash_table_contains(stopped->names, network->name);
    }
    note_known(stopped, networks);
    r = note(stopped);
    if (r < 0)
        nr_log(NR_LOG_WARNING, "cannot note which networks are stopped: %s", g_strerror(-r));
}

static void put(NrStopped *stopped, NrNetwork *network, gboolean value)
{
    network->stopped = value;
    if (value)
        g_hash_table_add(stopped->names, g_strdup(network->name));
    else
        g_hash_table_remove(stopped->names, network->name);
}

int nr_stopped_set(NrStopped *stopped, NrNetwork *network, gboolean value)
{
    gboolean before = network->stopped;
    int r;

    put(stopped, network, value);
    r = note(stopped);
    if (r < 0)
        put(stopped, network, before);
    return r;
}

int nr_stopped_insist(NrStopped *stopped, NrNetwork *network)
{
    put(stopped, network, TRUE);
    return note(stopped);
}
