/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UNIX sockets, by the text in which their path was bound, and by the file that was made then. */
#include "net/sockdiag.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include "common/scope.h"

static void fclosep(FILE **file)
{
    if (*file)
        fclose(*file);
}

/* Columns: address, references, protocol, flags, type, state, inode, path. */
int sockdiag_unix(const char *path, uint64_t *ret_inode)
{
    _cleanup_(fclosep) FILE *table = fopen("/proc/net/unix", "re");
    _cleanup_(freep) char *line = NULL;
    unsigned long long inode;
    size_t size = 0;

    if (!table)
        return -errno;
    while (getline(&line, &size, table) > 0) {
        int at = 0;

        line[strcspn(line, "\n")] = '\0';
        if (sscanf(line, "%*s %*s %*s %*s %*s %*s %llu %n", &inode, &at) != 1 || !at)
            continue;
        if (strcmp(line + at, path) == 0) {
            *ret_inode = inode;
            return 0;
        }
    }
    return -ENOENT;
}

/* The kernel tells a device by its own number, of 12 and 20 bits. */
static bool is_of_file(const struct unix_diag_msg *socket, size_t len, const struct stat *file)
{
    const struct rtattr *attr = (const struct rtattr *)(socket + 1);
    int left = (int)(len - sizeof(*socket));

    for (; RTA_OK(attr, left); attr = RTA_NEXT(attr, left)) {
        const struct unix_diag_vfs *vfs = RTA_DATA(attr);

        if (attr->rta_type == UNIX_DIAG_VFS && RTA_PAYLOAD(attr) >= sizeof(*vfs))
            return vfs->udiag_vfs_ino == (uint32_t)file->st_ino &&
                   vfs->udiag_vfs_dev == (major(file->st_dev) << 20 | minor(file->st_dev));
    }
    return false;
}

static int ask_for_files(void)
{
    const struct {
        struct nlmsghdr header;
        struct unix_diag_req body;
    } request = {
        .header = { .nlmsg_len = sizeof(request),
                    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
        .body = { .sdiag_family = AF_UNIX, .udiag_states = ~0u, .udiag_show = UDIAG_SHOW_VFS },
    };
    _cleanup_(closep) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

    if (fd < 0 || send(fd, &request, sizeof(request), 0) < 0)
        return -errno;
    return steal_fd(&fd);
}

int sockdiag_unix_file(const struct stat *file)
{
    _cleanup_(closep) int fd = ask_for_files();
    _Alignas(struct nlmsghdr) char buffer[32 * 1024];

    if (fd < 0)
        return fd;
    for (;;) {
        ssize_t n = recv(fd, buffer, sizeof(buffer), 0);
        const struct nlmsghdr *header = (const struct nlmsghdr *)buffer;

        if (n <= 0)
            return n < 0 ? -errno : -EPROTO;
        for (; NLMSG_OK(header, n); header = NLMSG_NEXT(header, n)) {
            if (header->nlmsg_type == NLMSG_DONE)
                return -ENOENT;
            if (header->nlmsg_type == NLMSG_ERROR)
                return ((const struct nlmsgerr *)NLMSG_DATA(header))->error;
            if (header->nlmsg_len >= NLMSG_LENGTH(sizeof(struct unix_diag_msg)) &&
                is_of_file(NLMSG_DATA(header), header->nlmsg_len - NLMSG_HDRLEN, file))
                return 0;
        }
    }
}
