/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file has the boot's id in its first line, the order in its second, and then the XML. Its name
 * is made of a word for the guest's state and its UUID.
 */
#include "daemon/starts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/scope.h"
#include "daemon/log.h"
#include "daemon/stopped-note.h"
#include "xml/domain-xml.h"

#define STARTING      "starting-"
#define STARTED       "started-"
#define FILE_NEW      STARTING "new"
#define HEAD_MAX      128
#define UUID_FILE_MAX (sizeof(STARTING) + 36) /* the UUID is checked when its XML is read */

struct NrStarts {
    int dir_fd;
    GHashTable *noted; /* UUID -> the word in the file's name, not owned */
};

static const char *file_name(const char *word, const char *uuid, char ret[UUID_FILE_MAX])
{
    g_snprintf(ret, UUID_FILE_MAX, "%s%s", word, uuid);
    return ret;
}

/* Of a file's name: its word, or NULL. */
static const char *word_of(const char *name)
{
    if (g_str_has_prefix(name, STARTING))
        return STARTING;
    return g_str_has_prefix(name, STARTED) ? STARTED : NULL;
}

/* Each name of a note; a DIR reads with a descriptor of its own. */
static void for_each(int dir_fd, void (*fn)(int dir_fd, const char *name, gpointer data),
                     gpointer data)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;

    while (dir && (entry = readdir(dir)))
        if (word_of(entry->d_name))
            fn(dir_fd, entry->d_name, data);
    if (dir)
        closedir(dir);
    else
        closep(&fd);
}

/* Reading */

/* New string, or NULL: not a file of ours, or none at all. */
static char *read_file(int dir_fd, const char *name)
{
    _cleanup_(closep) int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    g_autofree char *text = NULL;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
        st.st_size > NR_DOMAIN_XML_MAX + HEAD_MAX)
        return NULL;
    text = g_malloc0((gsize)st.st_size + 1);
    return read(fd, text, (gsize)st.st_size) == st.st_size ? g_steal_pointer(&text) : NULL;
}

/* NULL: it is of another boot, or no note. */
static NrGuest *take(const char *text, NrGuestState state)
{
    g_auto(GStrv) parts = g_strsplit(text, "\n", 3);
    g_autofree char *boot = nr_boot_id();
    g_autoptr(NrGuest) read = NULL;
    NrGuest *guest;

    if (g_strv_length(parts) < 3 || !g_str_equal(parts[0], boot))
        return NULL;
    read = nr_domain_xml_parse(parts[2], strlen(parts[2]), NULL);
    if (!read || !read->uuid || read->id < 0)
        return NULL;
    guest = nr_guest_copy(read, state);
    guest->order = g_ascii_strtoll(parts[1], NULL, 10);
    return guest;
}

typedef struct {
    NrStarts *starts;
    GPtrArray *guests;
} Load;

static void load(int dir_fd, const char *name, gpointer data)
{
    const Load *load = data;
    const char *word = word_of(name);
    NrGuestState state = g_str_equal(word, STARTED) ? NR_GUEST_RUNNING : NR_GUEST_ANNOUNCED;
    g_autofree char *text = read_file(dir_fd, name);
    g_autoptr(NrGuest) guest = text ? take(text, state) : NULL;

    if (guest && g_str_equal(guest->uuid, name + strlen(word))) {
        g_hash_table_insert(load->starts->noted, g_strdup(guest->uuid), (gpointer)word);
        g_ptr_array_add(load->guests, g_steal_pointer(&guest));
    } else {
        (void)unlinkat(dir_fd, name, 0);
    }
}

static void unref_guest(gpointer guest)
{
    nr_guest_unref(guest);
}

NrStarts *nr_starts_new(int dir_fd, GPtrArray **ret_guests)
{
    NrStarts *starts = g_new0(NrStarts, 1);
    Load all = { starts, g_ptr_array_new_with_free_func(unref_guest) };

    starts->dir_fd = dir_fd;
    starts->noted = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for_each(dir_fd, load, &all);
    *ret_guests = all.guests;
    return starts;
}

void nr_starts_free(NrStarts *starts)
{
    if (!starts)
        return;
    g_hash_table_unref(starts->noted);
    g_free(starts);
}

/* Writing */

static gboolean write_all(int fd, const char *text, gsize length)
{
    return write(fd, text, length) == (ssize_t)length;
}

/* Whole or not at all. A small file, in memory where /run is: this does not block. */
static gboolean write_file(int dir_fd, const char *name, const char *head, GBytes *xml)
{
    _cleanup_(closep) int fd = -1;
    gsize length;
    const char *text = g_bytes_get_data(xml, &length);

    (void)unlinkat(dir_fd, FILE_NEW, 0);
    fd = openat(dir_fd, FILE_NEW, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0 && write_all(fd, head, strlen(head)) && write_all(fd, text, length) &&
        renameat(dir_fd, FILE_NEW, dir_fd, name) == 0)
        return TRUE;
    (void)unlinkat(dir_fd, FILE_NEW, 0);
    return FALSE;
}

void nr_starts_note(NrStarts *starts, const NrGuest *guest, GBytes *xml)
{
    g_autofree char *boot = nr_boot_id();
    g_autofree char *head = g_strdup_printf("%s\n%" G_GINT64_FORMAT "\n", boot, guest->order);
    char name[UUID_FILE_MAX];

    nr_starts_forget(starts, guest->uuid);
    if (write_file(starts->dir_fd, file_name(STARTING, guest->uuid, name), head, xml))
        g_hash_table_insert(starts->noted, g_strdup(guest->uuid), (gpointer)STARTING);
    else
        nr_log(NR_LOG_WARNING, "guest %s: its start cannot be noted: %s", guest->name,
               g_strerror(errno));
}

static void unlink_note(const NrStarts *starts, const char *word, const char *uuid)
{
    char name[UUID_FILE_MAX];

    (void)unlinkat(starts->dir_fd, file_name(word, uuid, name), 0);
}

void nr_starts_forget(NrStarts *starts, const char *uuid)
{
    const char *word = g_hash_table_lookup(starts->noted, uuid);

    if (!word)
        return;
    unlink_note(starts, word, uuid);
    g_hash_table_remove(starts->noted, uuid);
}

static void note_started(const NrStarts *starts, const char *uuid)
{
    char before[UUID_FILE_MAX], now[UUID_FILE_MAX];

    (void)renameat(starts->dir_fd, file_name(STARTING, uuid, before), starts->dir_fd,
                   file_name(STARTED, uuid, now));
}

/* The word for what has become of one of these guests; NULL: nothing is to be known of it. */
static const char *word_for(const GPtrArray *guests, const char *uuid)
{
    for (guint i = 0; i < guests->len; i++) {
        const NrGuest *guest = guests->pdata[i];

        if (!g_str_equal(guest->uuid, uuid))
            continue;
        if (guest->state == NR_GUEST_ANNOUNCED)
            return STARTING;
        return guest->state == NR_GUEST_RUNNING && guest->order ? STARTED : NULL;
    }
    return NULL;
}

void nr_starts_keep(NrStarts *starts, const GPtrArray *guests)
{
    GHashTableIter iter;
    gpointer uuid, word;

    g_hash_table_iter_init(&iter, starts->noted);
    while (g_hash_table_iter_next(&iter, &uuid, &word)) {
        const char *now = word_for(guests, uuid);

        if (!now) {
            unlink_note(starts, word, uuid);
            g_hash_table_iter_remove(&iter);
        } else if (!g_str_equal(now, word) && g_str_equal(now, STARTED)) {
            note_started(starts, uuid);
            g_hash_table_iter_replace(&iter, (gpointer)STARTED);
        }
    }
}

gboolean nr_starts_is_empty(const NrStarts *starts)
{
    return g_hash_table_size(starts->noted) == 0;
}

static void unlink_one(int dir_fd, const char *name, gpointer data)
{
    (void)unlinkat(dir_fd, name, 0);
}

void nr_starts_remove_all(int dir_fd)
{
    for_each(dir_fd, unlink_one, NULL);
}
