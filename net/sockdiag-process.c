/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From sockets to processes, by /proc: each descriptor is a link that reads "socket:[INODE]". */
#include "net/sockdiag.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/scope.h"

static void closedirp(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

static DIR *open_fds(pid_t pid)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    return opendir(path);
}

/* 1 and *ret for a socket, 0 for anything else, or negative errno. */
static int read_socket(DIR *fds, const char *name, uint64_t *ret)
{
    char target[64], end;
    ssize_t n = readlinkat(dirfd(fds), name, target, sizeof(target) - 1);
    unsigned long long inode;

    if (n < 0)
        return errno == ENOENT ? 0 : -errno; /* closed in the meantime */
    target[n] = '\0';
    if (sscanf(target, "socket:[%llu%c", &inode, &end) != 2 || end != ']')
        return 0;
    *ret = inode;
    return 1;
}

static bool has_socket(pid_t pid, uint64_t inode)
{
    _cleanup_(closedirp) DIR *fds = open_fds(pid);
    const struct dirent *entry;
    uint64_t found;

    while (fds && (entry = readdir(fds))) {
        if (read_socket(fds, entry->d_name, &found) > 0 && found == inode)
            return true;
    }
    return false;
}

static void read_name(pid_t pid, char ret_name[16])
{
    _cleanup_(closep) int fd = -1;
    char path[64];
    ssize_t n = -1;

    snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0)
        n = read(fd, ret_name, 15);
    ret_name[n < 0 ? 0 : n] = '\0';
    ret_name[strcspn(ret_name, "\n")] = '\0';
}

int sockdiag_process(uint64_t inode, pid_t *ret_pid, char ret_name[16])
{
    _cleanup_(closedirp) DIR *proc = opendir("/proc");
    const struct dirent *entry;

    if (!proc)
        return -errno;
    while (inode && (entry = readdir(proc))) {
        pid_t pid = isdigit((unsigned char)entry->d_name[0]) ? atoi(entry->d_name) : 0;

        if (pid > 0 && has_socket(pid, inode)) {
            read_name(pid, ret_name);
            *ret_pid = pid;
            return 0;
        }
    }
    return -ENOENT;
}

static void describe_user(uid_t uid, char ret[SOCKDIAG_HOLDER_MAX])
{
    const struct passwd *user = getpwuid(uid);

    if (user)
        snprintf(ret, SOCKDIAG_HOLDER_MAX, "a process of user %u (%.32s)", (unsigned)uid,
                 user->pw_name);
    else
        snprintf(ret, SOCKDIAG_HOLDER_MAX, "a process of user %u", (unsigned)uid);
}

static void describe(const struct sockdiag_owner *owner, char ret[SOCKDIAG_HOLDER_MAX])
{
    char name[16];
    pid_t pid;

    if (sockdiag_process(owner->inode, &pid, name) == 0)
        snprintf(ret, SOCKDIAG_HOLDER_MAX, "%s (pid %d)", name, (int)pid);
    else
        describe_user(owner->uid, ret);
}

int sockdiag_holder(int protocol, const struct sockaddr *local, char ret[SOCKDIAG_HOLDER_MAX])
{
    struct sockdiag_owner owner;
    int r = sockdiag_bound(protocol, local, &owner);

    if (r == 0)
        describe(&owner, ret);
    return r;
}

struct served {
    const struct sockaddr_storage *at;
    struct sockaddr_storage by; /* AF_UNSPEC: nobody */
};

static int on_served(const struct sockdiag_connection *connection, void *userdata)
{
    struct served *served = userdata;

    if (connection->made && connection->inode &&
        memcmp(&connection->local, served->at, sizeof(*served->at)) == 0)
        served->by = connection->remote;
    return 0;
}

int sockdiag_served(const struct sockaddr_storage *at, char ret[SOCKDIAG_HOLDER_MAX])
{
    struct served served = { .at = at };
    struct sockdiag_owner owner;
    char host[INET6_ADDRSTRLEN + IF_NAMESIZE], service[8];
    int r = sockdiag_connections(on_served, &served);

    if (r < 0 || served.by.ss_family == AF_UNSPEC)
        return r < 0 ? r : -ENOENT;
    if (sockdiag_tcp((struct sockaddr *)&served.by, (const struct sockaddr *)at, &owner) == 0) {
        describe(&owner, ret);
        return 0;
    }
    if (getnameinfo((struct sockaddr *)&served.by, sizeof(served.by), host, sizeof(host), service,
                    sizeof(service), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return -ENOENT;
    snprintf(ret, SOCKDIAG_HOLDER_MAX, "%.44s, port %s", host, service);
    return 0;
}

int sockdiag_process_sockets(pid_t pid, uint64_t *inodes, unsigned max)
{
    _cleanup_(closedirp) DIR *fds = open_fds(pid);
    const struct dirent *entry;
    unsigned count = 0;
    uint64_t inode;

    if (!fds)
        return -errno;
    while ((entry = readdir(fds))) { /* which the kernel lists in ascending order */
        int r = entry->d_name[0] == '.' ? 0 : read_socket(fds, entry->d_name, &inode);

        if (r < 0)
            return r;
        if (r > 0 && count++ < max)
            inodes[count - 1] = inode;
    }
    return (int)count;
}
