/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/uplink-record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "common/scope.h"
#include "net/sysctl.h"

#define VERSION    "netrelay-uplink 1"
#define BOOT_ID    "kernel/random/boot_id"
#define FILE_NEW   ":new" /* no device has a name with a colon */
#define LINE_BYTES (2 * UPLINK_BODY_MAX + 64)

static const char *const phases[UPLINK_PHASES] = {
    [UPLINK_MOVING] = "moving",
    [UPLINK_MOVED] = "moved",
    [UPLINK_RETURNING] = "returning",
};

long long uplink_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return now.tv_sec;
}

int uplink_dir_open(int runtime_fd)
{
    int fd;

    if (mkdirat(runtime_fd, UPLINK_DIR, 0700) < 0 && errno != EEXIST)
        return -errno;
    fd = openat(runtime_fd, UPLINK_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* The directory is the lock, by a file description of this call's own. */
int uplink_lock(int dir_fd, bool wait)
{
    _cleanup_(closep) int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB)) < 0)
        return -errno;
    return steal_fd(&fd);
}

/* Reading: a word and a value on each line */

static bool take_text(char *ret, size_t size, const char *value)
{
    return (size_t)snprintf(ret, size, "%s", value) < size;
}

static int nibble(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -1;
}

/* "20 <bytes>": the message's type, and its body. */
static bool take_entry(struct uplink *uplink, const char *value)
{
    struct uplink_entry entry = { 0 };
    char *hex;

    entry.type = (uint16_t)strtoul(value, &hex, 10);
    if (*hex++ != ' ')
        return false;
    for (; hex[0] && hex[1]; hex += 2) {
        int high = nibble(hex[0]), low = nibble(hex[1]);

        if (high < 0 || low < 0 || entry.length == sizeof(entry.body))
            return false;
        entry.body[entry.length++] = (uint8_t)(high << 4 | low);
    }
    if (*hex || !uplink_entry_is_valid(&entry) || uplink->count == UPLINK_ENTRIES_MAX)
        return false;
    uplink->entries[uplink->count++] = entry;
    return true;
}

static bool take_phase(struct uplink_record *record, const char *value)
{
    for (int phase = 0; phase < UPLINK_PHASES; phase++) {
        record->phase = (enum uplink_phase)phase;
        if (strcmp(phases[phase], value) == 0)
            return true;
    }
    return false;
}

/* "3 1": which of them, and what it was. */
static bool take_setting(struct uplink_record *record, const char *value)
{
    char *text;
    unsigned long i = strtoul(value, &text, 10);

    return i < UPLINK_SETTINGS && *text == ' ' &&
           take_text(record->settings[i], UPLINK_SETTING_MAX, text + 1);
}

static bool take_line(struct uplink_record *record, const char *word, const char *value)
{
    struct uplink *uplink = &record->uplink;

    if (strcmp(word, "entry") == 0)
        return take_entry(uplink, value);
    if (strcmp(word, "setting") == 0)
        return take_setting(record, value);
    if (strcmp(word, "network") == 0)
        return take_text(record->network, sizeof(record->network), value);
    if (strcmp(word, "phase") == 0)
        return take_phase(record, value);
    if (strcmp(word, "until") == 0)
        return (record->until = atoll(value)) >= 0;
    if (strcmp(word, "device") == 0)
        return take_text(uplink->device, sizeof(uplink->device), value);
    if (strcmp(word, "bridge") == 0)
        return take_text(uplink->bridge, sizeof(uplink->bridge), value);
    if (strcmp(word, "index") == 0)
        return (uplink->ifindex = atoi(value)) > 0;
    if (strcmp(word, "device-mac") == 0)
        return mac_parse(&uplink->device_mac, value) == 0;
    return strcmp(word, "bridge-mac") == 0 && mac_parse(&uplink->bridge_mac, value) == 0;
}

/* Without its newline. False: the file is at its end, or is not whole. */
static bool next_line(FILE *file, char line[LINE_BYTES])
{
    size_t length;

    if (!fgets(line, LINE_BYTES, file))
        return false;
    length = strlen(line);
    if (length == 0 || line[length - 1] != '\n')
        return false;
    line[length - 1] = '\0';
    return true;
}

static int read_lines(FILE *file, struct uplink_record *record)
{
    char line[LINE_BYTES], boot[64];

    if (!next_line(file, line) || strcmp(line, VERSION) != 0 || !next_line(file, line))
        return -EBADMSG;
    if (sysctl_read(BOOT_ID, boot, sizeof(boot)) == 0 && strcmp(boot, line) != 0)
        return -ENOENT;
    while (next_line(file, line)) {
        char *value = strchr(line, ' ');

        if (!value) /* the last line, so that half a file is none */
            return strcmp(line, "end") == 0 ? 0 : -EBADMSG;
        *value++ = '\0';
        if (!take_line(record, line, value))
            return -EBADMSG;
    }
    return -EBADMSG;
}

int uplink_record_read(int dir_fd, const char *device, struct uplink_record **ret)
{
    _cleanup_(freep) struct uplink_record *record = calloc(1, sizeof(*record));
    int fd = openat(dir_fd, device, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), r;
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

    if (!file)
        return -errno;
    r = record ? read_lines(file, record) : -ENOMEM;
    (void)fclose(file);
    if (r == 0 && (strcmp(record->uplink.device, device) != 0 || record->uplink.ifindex == 0))
        r = -EBADMSG;
    if (r == 0)
        *ret = steal_ptr(&record);
    return r;
}

/* Writing */

static void write_entry(FILE *file, const struct uplink_entry *entry)
{
    fprintf(file, "entry %u ", entry->type);
    for (size_t i = 0; i < entry->length; i++)
        fprintf(file, "%02x", entry->body[i]);
    fputc('\n', file);
}

static int write_lines(FILE *file, const struct uplink_record *record)
{
    const struct uplink *uplink = &record->uplink;
    char boot[64] = "unknown", mac[MAC_TEXT_MAX];

    (void)sysctl_read(BOOT_ID, boot, sizeof(boot));
    fprintf(file, VERSION "\n%s\n", boot);
    fprintf(file, "network %s\nphase %s\nuntil %lld\n", record->network, phases[record->phase],
            record->until);
    fprintf(file, "device %s\nbridge %s\nindex %d\n", uplink->device, uplink->bridge,
            uplink->ifindex);
    fprintf(file, "device-mac %s\n", mac_format(uplink->device_mac, mac));
    fprintf(file, "bridge-mac %s\n", mac_format(uplink->bridge_mac, mac));
    for (int i = 0; i < UPLINK_SETTINGS; i++)
        fprintf(file, "setting %d %s\n", i, record->settings[i]);
    for (size_t i = 0; i < uplink->count; i++)
        write_entry(file, &uplink->entries[i]);
    fputs("end\n", file);
    return fflush(file) == 0 && !ferror(file) && fsync(fileno(file)) == 0 ? 0 : -errno;
}

int uplink_record_write(int dir_fd, const struct uplink_record *record)
{
    FILE *file;
    int fd, r;

    (void)unlinkat(dir_fd, FILE_NEW, 0);
    fd = openat(dir_fd, FILE_NEW, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!file)
        return -errno;
    r = write_lines(file, record);
    if (fclose(file) != 0 && r == 0)
        r = -errno;
    if (r == 0 && renameat(dir_fd, FILE_NEW, dir_fd, record->uplink.device) < 0)
        r = -errno;
    if (r < 0)
        (void)unlinkat(dir_fd, FILE_NEW, 0);
    return r;
}

int uplink_record_remove(int dir_fd, const char *device)
{
    return unlinkat(dir_fd, device, 0) == 0 || errno == ENOENT ? 0 : -errno;
}
