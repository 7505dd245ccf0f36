/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/qemu-sockets.h"

#include <errno.h>
#include <netinet/in.h>
#include "daemon/holder.h"
#include "daemon/qemu-pid.h"
#include "net/sockdiag.h"

#define SOCKETS_MAX 4096 /* of one QEMU */

struct NrQemuSockets {
    guint count;
    uint64_t inodes[SOCKETS_MAX];
};

NrQemuSockets *nr_qemu_sockets_new(const NrGuest *guest, gboolean system)
{
    g_autoptr(NrQemuSockets) sockets = g_new(NrQemuSockets, 1);
    pid_t pid = nr_qemu_pid(guest->name, system);
    int count = pid ? sockdiag_process_sockets(pid, sockets->inodes, SOCKETS_MAX) : -ESRCH;

    if (count < 0)
        return NULL;
    sockets->count = MIN((guint)count, SOCKETS_MAX);
    return g_steal_pointer(&sockets);
}

void nr_qemu_sockets_free(NrQemuSockets *sockets)
{
    g_free(sockets);
}

gboolean nr_qemu_has(const NrQemuSockets *sockets, guint64 inode)
{
    for (guint i = 0; i < sockets->count; i++)
        if (inode && sockets->inodes[i] == inode)
            return TRUE;
    return FALSE;
}

gboolean nr_qemu_listens(const NrGuest *guest, const NrPlace *place, gboolean system)
{
    g_autoptr(NrQemuSockets) sockets = NULL;
    struct sockaddr_storage address;
    struct sockdiag_owner owner;
    NrPlace exact = *place;
    g_autofree char *text = NULL;

    if (nr_place_is_any(&exact))
        g_strlcpy(exact.host, "127.0.0.1", sizeof(exact.host));
    text = nr_place_format(&exact);
    if (!nr_sockaddr_parse(text, &address) ||
        sockdiag_bound(IPPROTO_TCP, (struct sockaddr *)&address, &owner) < 0)
        return FALSE;
    sockets = nr_qemu_sockets_new(guest, system);
    return sockets && nr_qemu_has(sockets, owner.inode);
}
