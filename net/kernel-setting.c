/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IPv4 is switched for each device. Behind a device's value stands that of the host's own switch,
 * which writes to all of them: so who uses that meanwhile has made it his, and keeps it.
 *
 * IPv6 knows one switch (before Linux 6.17), which writes to all devices, too, on the way up and on
 * the way down. So behind a "0" stand the devices that are switched on nevertheless, to be switched
 * on again. A SIGKILL between these writes leaves them off: nothing can do both at once.
 */
#include "net/kernel-setting.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "common/scope.h"
#include "net/sysctl.h"

#define VALUE_MAX  16
#define V6_DEVICES "/proc/sys/net/ipv6/conf"

static const struct setting {
    const char *folder, *name; /* the device's name is between them */
    const char *ours;
    bool all_writes; /* "all" is a switch that writes to each device */
} settings[HOST_CHANGE_KINDS] = {
    [HOST_HEAR_ROUTERS] = { "net/ipv6/conf", "accept_ra", "2", false },
    [HOST_PROXY_NDP] = { "net/ipv6/conf", "proxy_ndp", "1", false },
    [HOST_FORWARD_V4] = { "net/ipv4/conf", "forwarding", "1", true },
    [HOST_FORWARD_V6] = { "net/ipv6/conf", "forwarding", "1", true },
};

static void path_of(const struct setting *setting, const char *device, char ret[PATH_MAX])
{
    snprintf(ret, PATH_MAX, "%s/%s/%s", setting->folder, device, setting->name);
}

static int read_value(const struct setting *setting, const char *device, char ret[VALUE_MAX])
{
    char path[PATH_MAX];

    path_of(setting, device, path);
    return sysctl_read(path, ret, VALUE_MAX);
}

static int write_value(const struct setting *setting, const char *device, const char *value)
{
    char path[PATH_MAX];

    path_of(setting, device, path);
    return sysctl_write(path, value);
}

static int append(char state[KERNEL_STATE_MAX], const char *word)
{
    size_t length = strlen(state);

    return (size_t)snprintf(state + length, KERNEL_STATE_MAX - length, " %s", word) <
                   KERNEL_STATE_MAX - length
               ? 0
               : -E2BIG;
}

static void closedirp(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

/* The names of those that are on. */
static int append_devices_on(const struct setting *setting, char state[KERNEL_STATE_MAX])
{
    _cleanup_(closedirp) DIR *dir = opendir(V6_DEVICES);
    int r = dir ? 0 : -errno;

    for (struct dirent *entry; r == 0 && (entry = readdir(dir));) {
        char value[VALUE_MAX];

        if (*entry->d_name != '.' && read_value(setting, entry->d_name, value) == 0 &&
            strcmp(value, "0") != 0)
            r = append(state, entry->d_name);
    }
    return r;
}

int setting_look(const struct host_change *change, char ret[KERNEL_STATE_MAX])
{
    const struct setting *setting = &settings[change->kind];
    char value[VALUE_MAX], all[VALUE_MAX];
    int r = read_value(setting, change->device, value);

    snprintf(ret, KERNEL_STATE_MAX, "%s", r == 0 ? value : "");
    if (r < 0 || !setting->all_writes)
        return r == -ENOENT ? 0 : r;
    if (strcmp(change->device, HOST_ALL_DEVICES) == 0)
        return strcmp(value, "0") == 0 ? append_devices_on(setting, ret) : 0;
    r = read_value(setting, HOST_ALL_DEVICES, all);
    return r < 0 ? r : append(ret, all);
}

int setting_aim(const struct host_change *change, const char *before, char ret[KERNEL_STATE_MAX])
{
    const struct setting *setting = &settings[change->kind];
    bool is_all = strcmp(change->device, HOST_ALL_DEVICES) == 0;

    if (!*before)
        return -ENODEV;
    snprintf(ret, KERNEL_STATE_MAX, "%s%s", setting->ours,
             is_all ? "" : before + strcspn(before, " "));
    return 0;
}

int setting_put(const struct host_change *change, const char *state)
{
    const struct setting *setting = &settings[change->kind];
    char words[KERNEL_STATE_MAX], *rest = words, *word;
    int r;

    snprintf(words, sizeof(words), "%s", state);
    r = write_value(setting, change->device, strsep(&rest, " "));
    if (r < 0 || strcmp(change->device, HOST_ALL_DEVICES) != 0)
        return r;
    while ((word = strsep(&rest, " ")))
        (void)write_value(setting, word, "1"); /* it may have gone since then */
    return 0;
}
