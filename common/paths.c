/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/paths.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "common/scope.h"

#define PASSWD_MAX (1 << 20) /* an entry larger than that is no entry */

__attribute__((format(printf, 3, 4))) static int path_format(char *buf, size_t size,
                                                             const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(buf, size, format, args);
    va_end(args);
    return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

/* buf becomes the user's home and then `below`. */
static int home_path(uid_t uid, const char *below, char *buf, size_t size)
{
    for (size_t room = 1024; room <= PASSWD_MAX; room *= 4) {
        _cleanup_(freep) char *text = malloc(room);
        struct passwd entry, *found = NULL;
        int r;

        if (!text)
            return -ENOMEM;
        r = getpwuid_r(uid, &entry, text, room, &found);
        if (r == ERANGE)
            continue;
        /* Some databases know a user without a home as "", others as "/nonexistent". */
        if (r != 0 || !found || found->pw_dir[0] != '/')
            return -ENOENT;
        return path_format(buf, size, "%s/%s", found->pw_dir, below);
    }
    return -ENOENT;
}

static bool is_directory_of(uid_t uid, const char *path)
{
    struct stat st;

    /* Not through a symbolic link: who planted it would choose our directory. */
    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == uid;
}

int paths_runtime_dir(uid_t uid, char *buf, size_t size)
{
    char session[64];

    if (uid == 0)
        return path_format(buf, size, "/run/netrelay");
    snprintf(session, sizeof(session), "/run/user/%lu", (unsigned long)uid);
    if (is_directory_of(uid, session))
        return path_format(buf, size, "%s/netrelay", session);
    return home_path(uid, ".cache/netrelay", buf, size);
}

int paths_config_dir(uid_t uid, char *buf, size_t size)
{
    const char *xdg = getenv("XDG_CONFIG_HOME");

    if (uid == 0)
        return path_format(buf, size, "/etc/netrelay");
    if (xdg && xdg[0] == '/') /* a relative one is to be ignored, says its specification */
        return path_format(buf, size, "%s/netrelay", xdg);
    return home_path(uid, ".config/netrelay", buf, size);
}
