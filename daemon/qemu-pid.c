/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/qemu-pid.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "common/scope.h"

#define SYSTEM_DIRECTORY "/run/libvirt/qemu"

static pid_t read_pid(const char *path)
{
    _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    char text[32];
    ssize_t n;
    long pid;

    if (fd < 0)
        return 0;
    n = read(fd, text, sizeof(text) - 1);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    pid = strtol(text, NULL, 10);
    return pid > 1 ? (pid_t)pid : 0;
}

/* As libvirt escapes names in files of its own (virBufferEscapeString): for XML. */
static char *escaped(const char *name)
{
    GString *text = g_string_new(NULL);

    for (const char *c = name; *c; c++) {
        switch (*c) {
        case '<':
            g_string_append(text, "&lt;");
            break;
        case '>':
            g_string_append(text, "&gt;");
            break;
        case '&':
            g_string_append(text, "&amp;");
            break;
        case '"':
            g_string_append(text, "&quot;");
            break;
        case '\'':
            g_string_append(text, "&apos;");
            break;
        default:
            g_string_append_c(text, *c);
        }
    }
    return g_string_free(text, FALSE);
}

static pid_t pid_in(const char *directory, const char *name)
{
    g_autofree char *xml_name = escaped(name);
    g_autofree char *xml_path = g_strdup_printf("%s/%s.pid", directory, xml_name);
    g_autofree char *path = g_strdup_printf("%s/%s.pid", directory, name);
    pid_t pid = read_pid(xml_path);

    return pid ? pid : read_pid(path);
}

pid_t nr_qemu_pid(const char *guest_name, gboolean system)
{
    const char *runtime = g_getenv("XDG_RUNTIME_DIR");
    g_autofree char *in_runtime = NULL, *in_cache = NULL;
    pid_t pid = 0;

    if (strchr(guest_name, '/')) /* libvirt allows none; nor do we go elsewhere for one */
        return 0;
    if (system)
        return pid_in(SYSTEM_DIRECTORY, guest_name);
    if (runtime) {
        in_runtime = g_build_filename(runtime, "libvirt/qemu/run", NULL);
        pid = pid_in(in_runtime, guest_name);
    }
    if (!pid) {
        in_cache = g_build_filename(g_get_user_cache_dir(), "libvirt/qemu/run", NULL);
        pid = pid_in(in_cache, guest_name);
    }
    return pid;
}
