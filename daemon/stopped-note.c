/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/stopped-note.h"

#include <fcntl.h>
#include <unistd.h>
#include "common/scope.h"
#include "daemon/networks.h"

#define FILE_MAX (1 << 20)
#define BOOT_ID  "/proc/sys/kernel/random/boot_id"

char *nr_boot_id(void)
{
    g_autofree char *text = NULL;

    if (!g_file_get_contents(BOOT_ID, &text, NULL, NULL))
        return g_strdup("unknown");
    return g_strdup(g_strstrip(text));
}

/* New string, or NULL where there is none. */
static char *read_note(int dir_fd)
{
    _cleanup_(closep) int fd =
        openat(dir_fd, NR_STOPPED_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    g_autoptr(GString) text = g_string_new(NULL);
    char buf[4096];
    ssize_t n;

    if (fd < 0)
        return NULL;
    while ((n = read(fd, buf, sizeof(buf))) > 0 && text->len < FILE_MAX)
        g_string_append_len(text, buf, n);
    return n == 0 ? g_string_free(g_steal_pointer(&text), FALSE) : NULL;
}

/* NULL: it is of another boot. */
static GHashTable *take_note(const char *note)
{
    g_auto(GStrv) lines = g_strsplit(note, "\n", -1);
    g_autofree char *boot = nr_boot_id();
    GHashTable *names;

    if (g_strcmp0(lines[0], boot) != 0)
        return NULL;
    names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (char **line = lines + 1; *line; line++)
        if (**line)
            g_hash_table_add(names, g_strdup(*line));
    return names;
}

GHashTable *nr_stopped_names(int dir_fd, const char *networks_dir, gboolean first_start)
{
    g_autofree char *note = dir_fd >= 0 ? read_note(dir_fd) : NULL;
    GHashTable *names = note ? take_note(note) : NULL;

    if (names)
        return names;
    return note || first_start ? nr_networks_manual(networks_dir)
                               : g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}
