/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/meetings.h"

#include <netinet/in.h>
#include "daemon/holder.h"
#include "daemon/place.h"
#include "daemon/qemu-sockets.h"
#include "net/sockdiag.h"

/* A connection as one of its ends has it. */
typedef struct {
    NrPlace ours, theirs;
    guint64 inode;
    gboolean made;
} Link;

static void place_read(NrPlace *place, const struct sockaddr_storage *address)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
    gboolean old = address->ss_family == AF_INET;

    inet_ntop(address->ss_family, old ? (const void *)&v4->sin_addr : &v6->sin6_addr, place->host,
              sizeof(place->host));
    place->l4_port = ntohs(old ? v4->sin_port : v6->sin6_port);
}

static int on_connection(const struct sockdiag_connection *connection, void *userdata)
{
    Link link = { .inode = connection->inode, .made = connection->made };

    place_read(&link.ours, &connection->local);
    place_read(&link.theirs, &connection->remote);
    g_array_append_val((GArray *)userdata, link);
    return 0;
}

/* Its other end is on this host, and in nobody's hands. */
static gboolean is_unserved(const GArray *links, const Link *link)
{
    for (guint i = 0; i < links->len; i++) {
        const Link *other = &g_array_index(links, Link, i);

        if (nr_place_equal(&other->ours, &link->theirs) &&
            nr_place_equal(&other->theirs, &link->ours))
            return other->inode == 0;
    }
    return FALSE;
}

static NrMet look_at_dialler(const GArray *links, const NrPlace *place, const NrQemuSockets *own)
{
    NrMet met = { .kind = NR_MEETING_NONE };
    const Link *waits = NULL;
    g_autofree char *address = NULL;

    for (guint i = 0; i < links->len; i++) {
        const Link *link = &g_array_index(links, Link, i);

        if (!nr_place_overlaps(&link->theirs, place) || !nr_qemu_has(own, link->inode))
            continue;
        if (link->made && !is_unserved(links, link))
            return (NrMet){ .kind = NR_MEETING_MADE };
        waits = link;
    }
    if (!waits)
        return met;
    address = nr_place_format(&waits->theirs);
    return (NrMet){ .kind = NR_MEETING_WAITS, .served = nr_holder_served(address) };
}

static NrMet look_at_listener(const GArray *links, const NrPlace *place, const NrQemuSockets *own)
{
    for (guint i = 0; i < links->len; i++) {
        const Link *link = &g_array_index(links, Link, i);

        if (nr_place_overlaps(&link->ours, place) && nr_qemu_has(own, link->inode))
            return (NrMet){ .kind = NR_MEETING_MADE };
    }
    return (NrMet){ .kind = NR_MEETING_NONE };
}

static gboolean is_direct(const NrBinding *binding)
{
    return binding->kind == NR_BINDING_DIRECT && binding->guest->state == NR_GUEST_RUNNING &&
           (binding->nic->kind == NR_NIC_DIALS || binding->nic->kind == NR_NIC_LISTENS);
}

static NrMet look_at(const GArray *links, const NrBinding *binding, GHashTable *resolved,
                     gboolean system)
{
    gboolean dials = binding->nic->kind == NR_NIC_DIALS;
    const NrAddress *address = dials ? &binding->nic->ours : &binding->nic->theirs;
    g_autoptr(NrQemuSockets) own = nr_qemu_sockets_new(binding->guest, system);
    NrPlace place;

    if (!own || nr_place_find(&place, address->host, address->l4_port, resolved) != NR_PLACE_FOUND)
        return (NrMet){ .kind = NR_MEETING_MADE };
    return dials ? look_at_dialler(links, &place, own) : look_at_listener(links, &place, own);
}

static void met_free(gpointer data)
{
    NrMet *met = data;

    g_free(met->served);
    g_free(met);
}

GHashTable *nr_meetings_look(const NrDesired *desired, GHashTable *resolved, gboolean system)
{
    GHashTable *meetings = g_hash_table_new_full(NULL, NULL, NULL, met_free);
    g_autoptr(GArray) links = NULL;

    for (guint i = 0; i < desired->bindings->len; i++) {
        NrBinding *binding = desired->bindings->pdata[i];
        NrMet met;

        if (!is_direct(binding))
            continue;
        if (!links) { /* one look for all */
            links = g_array_new(FALSE, FALSE, sizeof(Link));
            if (sockdiag_connections(on_connection, links) < 0)
                break;
        }
        met = look_at(links, binding, resolved, system);
        g_hash_table_insert(meetings, binding, g_memdup2(&met, sizeof(met)));
    }
    return meetings;
}
