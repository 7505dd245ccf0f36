/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/runtime-dir.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "common/hook-proto.h"
#include "common/paths.h"
#include "common/scope.h"
#include "daemon/starts.h"
#include "daemon/stopped-note.h"
#include "net/journal.h"
#include "net/sockdiag.h"

#define LOCK_TRIES    50
#define LOCK_PAUSE_US 20000

static gboolean fail(GError **error, const char *path, const char *what)
{
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s: %s", path, what);
    return FALSE;
}

static gboolean fail_errno(GError **error, const char *path, int errnum)
{
    return fail(error, path, g_strerror(errnum));
}

/* A directory that is ours: never a link, owned by us, written by nobody else. */
static int open_own(int parent_fd, const char *name, uid_t uid, mode_t mode, const char *path,
                    GError **error)
{
    _cleanup_(closep) int fd = -1;
    struct stat st;

    if (mkdirat(parent_fd, name, mode) < 0 && errno != EEXIST) {
        fail_errno(error, path, errno);
        return -1;
    }
    fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        fail(error, path,
             errno == ELOOP || errno == ENOTDIR ? "is not a directory; remove it"
                                                : g_strerror(errno));
        return -1;
    }
    if (fstat(fd, &st) < 0 || st.st_uid != uid) {
        fail(error, path, "belongs to another user; remove it");
        return -1;
    }
    if (st.st_mode & (S_IWGRP | S_IWOTH)) {
        fail(error, path, "can be written by other users; remove it");
        return -1;
    }
    if ((st.st_mode & 0777) != mode)
        (void)fchmod(fd, mode);
    return steal_fd(&fd);
}

static gboolean lock(int fd)
{
    struct stat st;

    /* Not one that its last manager has removed since it was opened. */
    return flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 && st.st_nlink > 0;
}

/* The directory itself is the lock: no file is left behind, and none can be planted. A manager that
 * was killed holds it for as long as its process takes to end. */
static int open_locked(const char *path, uid_t uid, mode_t mode, GError **error)
{
    for (int tries = LOCK_TRIES;; tries--) {
        _cleanup_(closep) int fd = open_own(AT_FDCWD, path, uid, mode, path, error);

        if (fd < 0 || lock(fd))
            return steal_fd(&fd);
        if (tries <= 1) {
            fail(error, path, "another netrelayd is running here");
            return -1;
        }
        g_usleep(LOCK_PAUSE_US);
    }
}

static int open_relays(const NrRuntimeDir *dir, uid_t uid, GError **error)
{
    g_autofree char *path = g_build_filename(dir->path, PATHS_RELAYS, NULL);

    return open_own(dir->fd, PATHS_RELAYS, uid, 0700, path, error);
}

NrRuntimeDir *nr_runtime_dir_open(uid_t uid, GError **error)
{
    g_autoptr(NrRuntimeDir) dir = g_new0(NrRuntimeDir, 1);
    g_autofree char *parent = NULL;
    char path[PATH_MAX];
    int r;

    dir->fd = dir->relays_fd = -1;
    r = paths_runtime_dir(uid, path, sizeof(path));
    if (r < 0) {
        fail_errno(error, "runtime directory", -r);
        return NULL;
    }
    dir->path = g_strdup(path);
    parent = g_path_get_dirname(path);
    if (g_mkdir_with_parents(parent, 0700) < 0) {
        fail_errno(error, parent, errno);
        return NULL;
    }
    dir->fd = open_locked(path, uid, uid == 0 ? 0755 : 0700, error);
    if (dir->fd < 0)
        return NULL;
    dir->made = faccessat(dir->fd, PATHS_RELAYS, F_OK, AT_SYMLINK_NOFOLLOW) < 0;
    dir->relays_fd = open_relays(dir, uid, error);
    return dir->relays_fd < 0 ? NULL : g_steal_pointer(&dir);
}

static gboolean leads_to(int parent_fd, const char *path, int fd)
{
    struct stat there, held;

    return fstatat(parent_fd, path, &there, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &held) == 0 &&
           there.st_dev == held.st_dev && there.st_ino == held.st_ino;
}

gboolean nr_runtime_dir_is_there(const NrRuntimeDir *dir)
{
    return leads_to(AT_FDCWD, dir->path, dir->fd) &&
           leads_to(dir->fd, PATHS_RELAYS, dir->relays_fd);
}

static gboolean renew_relays(NrRuntimeDir *dir, uid_t uid, GError **error)
{
    _cleanup_(closep) int fd = open_relays(dir, uid, error);

    return fd >= 0 &&
           (dup3(fd, dir->relays_fd, O_CLOEXEC) >= 0 || fail_errno(error, dir->path, errno));
}

gboolean nr_runtime_dir_renew(NrRuntimeDir *dir, uid_t uid, GError **error)
{
    g_autoptr(NrRuntimeDir) fresh = NULL;

    if (leads_to(AT_FDCWD, dir->path, dir->fd)) /* and so is our lock */
        return renew_relays(dir, uid, error);
    fresh = nr_runtime_dir_open(uid, error);
    if (!fresh)
        return FALSE;
    if (dup3(fresh->fd, dir->fd, O_CLOEXEC) < 0 ||
        dup3(fresh->relays_fd, dir->relays_fd, O_CLOEXEC) < 0)
        return fail_errno(error, fresh->path, errno);
    g_free(dir->path);
    dir->path = g_steal_pointer(&fresh->path); /* a user's may be another one by now */
    return TRUE;
}

void nr_runtime_dir_free(NrRuntimeDir *dir)
{
    if (!dir)
        return;
    closep(&dir->relays_fd);
    closep(&dir->fd);
    g_free(dir->path);
    g_free(dir);
}

void nr_runtime_dir_remove(const NrRuntimeDir *dir)
{
    (void)unlinkat(dir->fd, HOOK_SOCKET_NAME, 0);
    (void)unlinkat(dir->fd, PATHS_CONTROL_SOCKET, 0);
    (void)unlinkat(dir->fd, NR_STOPPED_FILE, 0);
    nr_starts_remove_all(dir->fd);
    (void)unlinkat(dir->fd, JOURNAL_FILE ".bad", 0);
    (void)unlinkat(dir->fd, PATHS_RELAYS, AT_REMOVEDIR);
    (void)rmdir(dir->path);
}

/* The way through the descriptor is short enough for sun_path whatever the home is called. */
static int socket_address(int dir_fd, const char *name, struct sockaddr_un *ret)
{
    int n;

    *ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
    n = snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%s", dir_fd, name);
    return n < 0 || (size_t)n >= sizeof(ret->sun_path) ? -ENAMETOOLONG : 0;
}

/* A socket, and the address that the name has below the directory. */
static int socket_for(int dir_fd, const char *name, int type, struct sockaddr_un *ret_address)
{
    int r = socket_address(dir_fd, name, ret_address);
    int fd;

    if (r < 0)
        return r;
    fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd < 0 ? -errno : fd;
}

/* Only its owner may use it: main() set the umask, once, since other threads make files too. */
static int bind_socket(int dir_fd, const char *name, int type)
{
    struct sockaddr_un address;
    _cleanup_(closep) int fd = socket_for(dir_fd, name, type, &address);

    if (fd < 0)
        return fd;
    if (unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT)
        return -errno;
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return -errno;
    return steal_fd(&fd);
}

int nr_runtime_bind(int dir_fd, const char *name)
{
    return bind_socket(dir_fd, name, SOCK_SEQPACKET);
}

int nr_runtime_bind_stream(int dir_fd, const char *name)
{
    return bind_socket(dir_fd, name, SOCK_STREAM);
}

gboolean nr_runtime_has_socket(int dir_fd, const char *name)
{
    struct stat file;

    return fstatat(dir_fd, name, &file, AT_SYMLINK_NOFOLLOW) == 0 && sockdiag_unix_file(&file) == 0;
}

int nr_runtime_connect(int dir_fd, const char *name)
{
    struct sockaddr_un address;
    _cleanup_(closep) int fd = socket_for(dir_fd, name, SOCK_SEQPACKET, &address);

    if (fd < 0)
        return fd;
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return -errno;
    return steal_fd(&fd);
}
