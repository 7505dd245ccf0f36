/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/qemu-sockets.h"

#include <netinet/in.h>
#include "daemon/holder.h"
#include "daemon/qemu-pid.h"
#include "net/sockdiag.h"

#define SOCKETS_MAX 4096 /* of one QEMU */

static gboolean has_socket(const NrGuest *guest, guint64 inode, gboolean system)
{
    g_autofree uint64_t *inodes = g_new(uint64_t, SOCKETS_MAX);
    pid_t pid = nr_qemu_pid(guest->name, system);
    int count = pid ? sockdiag_process_sockets(pid, inodes, SOCKETS_MAX) : 0;

    for (int i = 0; i < MIN(count, SOCKETS_MAX); i++)
        if (inodes[i] == inode)
            return TRUE;
    return FALSE;
}

gboolean nr_qemu_listens(const NrGuest *guest, const NrPlace *place, gboolean system)
{
    struct sockaddr_storage address;
    struct sockdiag_owner owner;
    NrPlace exact = *place;
    g_autofree char *text = NULL;

    if (nr_place_is_any(&exact))
        g_strlcpy(exact.host, "127.0.0.1", sizeof(exact.host));
    text = nr_place_format(&exact);
    return nr_sockaddr_parse(text, &address) &&
           sockdiag_bound(IPPROTO_TCP, (struct sockaddr *)&address, &owner) == 0 &&
           has_socket(guest, owner.inode, system);
}
