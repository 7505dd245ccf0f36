/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/unserved.h"

#include <time.h>
#include "daemon/holder.h"
#include "daemon/status.h"
#include "net/sockdiag.h"

#define TIME_TO_TAKE 2 /* seconds: a QEMU that starts may still be busy */

/* A date to come is of before somebody set the clock back. */
static gboolean had_time(const NrActualPort *port)
{
    guint64 now = (guint64)time(NULL);

    return port->since > now || port->since + TIME_TO_TAKE <= now;
}

/* Whether the far end of a connection is still in nobody's hands. */
static gboolean waits(const NrActualPort *port)
{
    struct sockaddr_storage theirs, ours;
    struct sockdiag_owner owner;

    return had_time(port) && nr_sockaddr_parse(port->peer, &theirs) &&
           nr_sockaddr_parse(port->local, &ours) &&
           sockdiag_tcp((struct sockaddr *)&theirs, (struct sockaddr *)&ours, &owner) == 0 &&
           owner.inode == 0;
}

static const NrActualPort *port_of(const NrActual *actual, const NrBinding *binding)
{
    const NrActualNetwork *network = nr_actual_find(actual, binding->network);
    g_autofree char *label = nr_port_label(binding->guest, binding->nic);

    return nr_actual_port_labelled(network, label);
}

static void unserved_free(gpointer data)
{
    NrUnserved *unserved = data;

    g_free(unserved->served);
    g_free(unserved);
}

static NrUnserved *unserved_new(const NrBinding *binding, const NrActualPort *port)
{
    NrUnserved *unserved = g_new(NrUnserved, 1);

    *unserved = (NrUnserved){ binding, nr_holder_served(port->peer) };
    return unserved;
}

GPtrArray *nr_unserved_find(const NrDesired *desired, const NrActual *actual)
{
    GPtrArray *found = g_ptr_array_new_with_free_func(unserved_free);

    for (guint i = 0; desired && i < desired->bindings->len; i++) {
        const NrBinding *binding = desired->bindings->pdata[i];
        const NrActualPort *port;

        if (binding->kind != NR_BINDING_SERVED || binding->nic->kind != NR_NIC_LISTENS ||
            !binding->network)
            continue;
        port = port_of(actual, binding);
        if (port && waits(port))
            g_ptr_array_add(found, unserved_new(binding, port));
    }
    return found;
}
