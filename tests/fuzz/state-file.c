/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "state-file.h"

#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "net/sysctl.h"

static char folder[] = "/dev/shm/netrelay-fuzz-XXXXXX";
static char boot[64] = "unknown";
static int folder_fd = -1;

static void empty(void)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir)))
        (void)unlinkat(folder_fd, name, 0);
}

static void end(void)
{
    empty();
    (void)g_rmdir(folder);
}

static void begin(void)
{
    g_assert_nonnull(mkdtemp(folder));
    folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    g_assert_cmpint(folder_fd, >=, 0);
    (void)sysctl_read("kernel/random/boot_id", boot, sizeof(boot));
    atexit(end);
}

int state_file_write(const char *name, const char *version, const uint8_t *data, size_t size)
{
    FILE *file;
    int fd;

    if (folder_fd < 0)
        begin();
    empty();
    fd = openat(folder_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    file = fdopen(fd, "w");
    g_assert_nonnull(file);
    if (size > 0 && data[0] % 2 == 0) {
        fprintf(file, "%s%s\n", version, boot);
        data++;
        size--;
    }
    fwrite(data, 1, size, file);
    fclose(file);
    return folder_fd;
}
