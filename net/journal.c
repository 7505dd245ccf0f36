/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/scope.h"
#include "net/sysctl.h"

#define FILE_NEW JOURNAL_FILE ".new"
#define FILE_BAD JOURNAL_FILE ".bad"
#define VERSION  "netrelay-kernel-changes 1"
#define BOOT_ID  "kernel/random/boot_id"
#define BOOT_MAX 64
#define FIELDS   5
#define RECORD_MAX                                                                                 \
    (sizeof("begun") + JOURNAL_OWNER_MAX + 2 * KERNEL_STATE_MAX + HOST_CHANGE_TEXT_MAX + FIELDS)
#define TEXT_MAX (sizeof(VERSION) + BOOT_MAX + JOURNAL_MAX * RECORD_MAX)

static void read_boot_id(char ret[BOOT_MAX])
{
    if (sysctl_read(BOOT_ID, ret, BOOT_MAX) < 0)
        snprintf(ret, BOOT_MAX, "unknown");
}

/* Reading. A line has five fields, with a tab between two. */

static bool copy_field(char *ret, size_t size, const char *field)
{
    return (size_t)snprintf(ret, size, "%s", field) < size;
}

static bool parse_line(char *line, struct journal_record *ret)
{
    char *fields[FIELDS];

    for (int i = 0; i < FIELDS; i++) {
        fields[i] = strsep(&line, "\t");
        if (!fields[i])
            return false;
    }
    *ret = (struct journal_record){ .done = strcmp(fields[0], "done") == 0 };
    return !line && (ret->done || strcmp(fields[0], "begun") == 0) &&
           copy_field(ret->owner, sizeof(ret->owner), fields[1]) &&
           copy_field(ret->before, sizeof(ret->before), fields[2]) &&
           copy_field(ret->ours, sizeof(ret->ours), fields[3]) &&
           host_change_parse(&ret->change, fields[4]);
}

/* False: it is not one of ours, or not whole. */
static bool parse_text(struct journal *journal, char *text)
{
    const char *version = strsep(&text, "\n"), *boot = strsep(&text, "\n");
    char this_boot[BOOT_MAX];

    if (!boot || strcmp(version, VERSION) != 0)
        return false;
    read_boot_id(this_boot);
    if (strcmp(boot, this_boot) != 0)
        return true;
    while (text && *text) {
        char *line = strsep(&text, "\n");
        struct journal_record record;

        if (!text || !parse_line(line, &record) || !journal_add(journal, &record))
            return false;
    }
    return true;
}

static int read_text(int dir_fd, char **ret)
{
    _cleanup_(closep) int fd =
        openat(dir_fd, JOURNAL_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    _cleanup_(freep) char *text = fd < 0 ? NULL : malloc(TEXT_MAX + 1);
    size_t length = 0;
    ssize_t n = 1;

    if (fd < 0)
        return -errno;
    if (!text)
        return -ENOMEM;
    while (length < TEXT_MAX && (n = read(fd, text + length, TEXT_MAX - length)) > 0)
        length += (size_t)n;
    if (n < 0)
        return -errno;
    text[length] = '\0';
    *ret = steal_ptr(&text);
    return 0;
}

int journal_open(int dir_fd, struct journal **ret)
{
    _cleanup_(freep) struct journal *journal = calloc(1, sizeof(*journal));
    _cleanup_(freep) char *text = NULL;
    int r = 0;

    if (!journal)
        return -ENOMEM;
    journal->dir_fd = dir_fd;
    r = read_text(dir_fd, &text);
    if (r == -ENOENT)
        r = 0;
    else if (r == 0 && !parse_text(journal, text)) {
        journal->count = 0;
        r = renameat(dir_fd, JOURNAL_FILE, dir_fd, FILE_BAD) < 0 ? -errno : -EBADMSG;
    }
    if (r == 0 || r == -EBADMSG)
        *ret = steal_ptr(&journal);
    return r;
}

/* Writing */

static int write_records(const struct journal *journal, FILE *file)
{
    char boot[BOOT_MAX], text[HOST_CHANGE_TEXT_MAX];

    read_boot_id(boot);
    fprintf(file, VERSION "\n%s\n", boot);
    for (size_t i = 0; i < journal->count; i++) {
        const struct journal_record *record = &journal->records[i];

        fprintf(file, "%s\t%s\t%s\t%s\t%s\n", record->done ? "done" : "begun", record->owner,
                record->before, record->ours, host_change_format(&record->change, text));
    }
    return fflush(file) == 0 && !ferror(file) && fsync(fileno(file)) == 0 ? 0 : -errno;
}

static int write_new(const struct journal *journal)
{
    _cleanup_(closep) int fd = -1;
    FILE *file;
    int r;

    (void)unlinkat(journal->dir_fd, FILE_NEW, 0);
    fd = openat(journal->dir_fd, FILE_NEW, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                0600);
    file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!file)
        return -errno;
    steal_fd(&fd);
    r = write_records(journal, file);
    return fclose(file) == 0 || r < 0 ? r : -errno;
}

int journal_write(const struct journal *journal)
{
    int r = 0;

    if (journal->count == 0)
        return unlinkat(journal->dir_fd, JOURNAL_FILE, 0) == 0 || errno == ENOENT ? 0 : -errno;
    r = write_new(journal);
    if (r == 0 && renameat(journal->dir_fd, FILE_NEW, journal->dir_fd, JOURNAL_FILE) < 0)
        r = -errno;
    if (r < 0)
        (void)unlinkat(journal->dir_fd, FILE_NEW, 0);
    return r;
}

/* Records */

struct journal_record *journal_find(struct journal *journal, const struct host_change *change)
{
    for (size_t i = 0; i < journal->count; i++)
        if (host_change_equal(&journal->records[i].change, change))
            return &journal->records[i];
    return NULL;
}

struct journal_record *journal_add(struct journal *journal, const struct journal_record *record)
{
    if (journal->count == JOURNAL_MAX)
        return NULL;
    journal->records[journal->count] = *record;
    return &journal->records[journal->count++];
}

void journal_remove(struct journal *journal, struct journal_record *record)
{
    size_t at = (size_t)(record - journal->records);

    memmove(record, record + 1, (journal->count - at - 1) * sizeof(*record));
    journal->count--;
}
