/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UNIX sockets, by the text in which their path was bound. */
#include "net/sockdiag.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
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
