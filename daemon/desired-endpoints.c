/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each network has to have so that the NICs which it serves, and its file, get what they were
 * promised: its endpoints, and by them the networks that there are to be. */
#include "daemon/desired-private.h"
#include "daemon/dnsmasq-conf.h"

#include <string.h>

#include "xml/user-network.h"

/* c may be NULL: an endpoint of the network's file that is there for nobody in particular. */
static NrDesiredEndpoint *want(NrSegment *segment, const char *text, gboolean named,
                               const NrCase *c)
{
    NrDesiredEndpoint *endpoint = g_hash_table_lookup(segment->endpoints, text);

    if (!endpoint) {
        endpoint = g_new0(NrDesiredEndpoint, 1);
        endpoint->text = g_strdup(text);
        endpoint->newest_id = -1;
        g_ptr_array_add(segment->network->endpoints, endpoint);
        g_hash_table_insert(segment->endpoints, endpoint->text, endpoint);
    }
    endpoint->named |= named;
    if (c && c->active)
        endpoint->newest_id = MAX(endpoint->newest_id, c->guest->id);
    return endpoint;
}

static void want_for_nic(NrSegment *segment, const char *text, NrCase *c)
{
    gboolean first = !g_hash_table_contains(segment->endpoints, text);
    NrDesiredEndpoint *endpoint = want(segment, text, c->binding->named, c);
    char mac[MAC_TEXT_MAX];

    g_clear_pointer(&endpoint->label, g_free);
    if (first)
        endpoint->label = g_strconcat(c->guest->uuid, "/", mac_format(c->nic->mac, mac), NULL);
}

static char *listen_text(const NrPlace *place)
{
    struct endpoint endpoint = { .kind = ENDPOINT_LISTEN };
    char text[ENDPOINT_TEXT_MAX];

    nr_place_to_endpoint(place, &endpoint.local);
    return g_strdup(endpoint_format(&endpoint, text));
}

static char *tcp_text(const NrPlace *theirs)
{
    struct endpoint endpoint = { .kind = ENDPOINT_TCP };
    char text[ENDPOINT_TEXT_MAX];

    nr_place_to_endpoint(theirs, &endpoint.remote);
    if (nr_place_is_any(theirs))
        g_strlcpy(endpoint.remote.host, "127.0.0.1", sizeof(endpoint.remote.host));
    return g_strdup(endpoint_format(&endpoint, text));
}

/* A guest that binds any address sends to us from the one the route to us has: on the loopback
 * always 127.0.0.1, else our own. */
static char *udp_text(const NrPlace *ours, const NrPlace *theirs)
{
    struct endpoint endpoint = { .kind = ENDPOINT_UDP };
    char text[ENDPOINT_TEXT_MAX];

    nr_place_to_endpoint(ours, &endpoint.local);
    nr_place_to_endpoint(theirs, &endpoint.remote);
    if (nr_place_is_any(theirs))
        g_strlcpy(endpoint.remote.host, nr_place_is_loopback(ours) ? "127.0.0.1" : ours->host,
                  sizeof(endpoint.remote.host));
    return g_strdup(endpoint_format(&endpoint, text));
}

static char *mcast_text(const NrGroup *group)
{
    struct endpoint endpoint = { .kind = ENDPOINT_MCAST };
    char text[ENDPOINT_TEXT_MAX];

    g_strlcpy(endpoint.remote.host, group->address.host, sizeof(endpoint.remote.host));
    endpoint.remote.l4_port = group->address.l4_port;
    g_strlcpy(endpoint.mcast_if, group->dev ? group->dev : "", sizeof(endpoint.mcast_if));
    return g_strdup(endpoint_format(&endpoint, text));
}

/* The endpoint by which its network is in the NIC's group. */
static char *group_of(const NrSegment *segment, const NrCase *c)
{
    for (guint i = 0; i < segment->file->groups->len; i++) {
        const NrGroup *group = g_ptr_array_index(segment->file->groups, i);

        if (g_str_equal(group->address.host, c->ours.host) &&
            group->address.l4_port == c->ours.l4_port)
            return mcast_text(group);
    }
    return NULL;
}

/* A guest that runs, or is let start, has the address: nobody else can listen there. */
static gboolean taken_by_guest(const NrDecision *d, const NrPlace *place)
{
    const NrPlaceGroup *group;
    NrPlaceIter iter;

    nr_place_iter_init(&iter, d->listens, place);
    while ((group = nr_place_iter_next(&iter)))
        for (guint i = 0; i < group->values->len; i++) {
            const NrCase *c = g_ptr_array_index(group->values, i);

            if (!c->active)
                break; /* ordered by start: the rest is not active either */
            if (nr_case_binds(c))
                return TRUE;
        }
    return FALSE;
}

/* The network's own listener where it covers the address, else one for just this address. */
static NrPlace listener_place(const NrDecision *d, const NrSegment *segment, const NrPlace *ours)
{
    const NrPlaceGroup *group;
    NrPlaceIter iter;

    nr_place_iter_init(&iter, d->file_listens, ours);
    while ((group = nr_place_iter_next(&iter)))
        if (g_ptr_array_index(group->values, 0) == segment)
            return group->place;
    return *ours;
}

static void want_listener(NrDecision *d, NrSegment *segment, NrCase *c)
{
    NrPlace place = listener_place(d, segment, &c->ours);

    c->binding->endpoint = listen_text(&place);
    if (!c->active && d->input->policy->hooked)
        return;
    if (!taken_by_guest(d, &place))
        want(segment, c->binding->endpoint, c->binding->named, c);
    else if (c->active)
        segment->held = TRUE; /* its connection was accepted before, and stays */
}

static void want_served(NrDecision *d, NrCase *c)
{
    NrSegment *segment = g_hash_table_lookup(d->segments, c->binding->network);

    if (c->nic->kind == NR_NIC_DIALS) {
        want_listener(d, segment, c);
    } else if (c->nic->kind == NR_NIC_LISTENS) {
        c->binding->endpoint = tcp_text(&c->theirs);
        if (c->guest->state == NR_GUEST_RUNNING)
            want_for_nic(segment, c->binding->endpoint, c);
    } else if (c->nic->kind == NR_NIC_MULTICAST) {
        c->binding->endpoint = group_of(segment, c);
        if (c->active)
            want(segment, c->binding->endpoint, TRUE, c);
    } else {
        c->binding->endpoint = udp_text(&c->ours, &c->theirs);
        if (c->active)
            want_for_nic(segment, c->binding->endpoint, c);
    }
    if (segment->uplink && c->active)
        want(segment, segment->uplink, TRUE, c);
}

static void want_listens_of_file(NrDecision *d, NrSegment *segment)
{
    for (guint i = 0; i < segment->file->listens->len; i++) {
        const NrAddress *address = g_ptr_array_index(segment->file->listens, i);
        NrDesiredEndpoint *endpoint;
        const NrPlaceGroup *group;
        g_autofree char *text = NULL;
        NrPlace place;

        if (nr_place_find(&place, address->host, address->l4_port, d->input->resolved) !=
            NR_PLACE_FOUND)
            continue;
        group = nr_place_index_find(d->file_listens, &place);
        if (!group || g_ptr_array_index(group->values, 0) != segment || taken_by_guest(d, &place))
            continue;
        text = listen_text(&place);
        endpoint = want(segment, text, TRUE, NULL);
        if (!endpoint->admit)
            endpoint->admit = g_strdup(address->admit);
    }
}

/* What the peer is to dial is the network's own listener. */
static gboolean is_itself(const NrDecision *d, const NrSegment *segment, const NrAddress *peer)
{
    const NrPlaceGroup *group;
    NrPlaceIter iter;
    NrPlace place;

    if (nr_place_find(&place, peer->host, peer->l4_port, d->input->resolved) != NR_PLACE_FOUND ||
        !nr_decision_is_local(d, &place))
        return FALSE;
    nr_place_iter_init(&iter, d->file_listens, &place);
    while ((group = nr_place_iter_next(&iter)))
        if (g_ptr_array_index(group->values, 0) == segment)
            return TRUE;
    return FALSE;
}

/* One file may serve all hosts, and name each of them. */
static void want_peers_of_file(NrDecision *d, NrSegment *segment)
{
    for (guint i = 0; i < segment->file->peers->len; i++) {
        const NrAddress *peer = g_ptr_array_index(segment->file->peers, i);
        g_autofree char *address = nr_address_format(peer);
        g_autofree char *text = g_strconcat("tcp:", address, NULL);

        if (!is_itself(d, segment, peer))
            want(segment, text, TRUE, NULL);
    }
}

static void want_bridge_of_file(NrDecision *d, NrSegment *segment)
{
    g_autofree char *text = g_strconcat("bridge:", segment->file->bridge, NULL);
    NrDesiredEndpoint *endpoint = want(segment, text, TRUE, NULL);

    if (!endpoint->ground)
        nr_ground_of_file(d, segment->file, endpoint);
    segment->network->dnsmasq = endpoint->ground ? nr_dnsmasq_conf(segment->file) : NULL;
    if (segment->network->dnsmasq)
        segment->network->served = g_ptr_array_ref(endpoint->ground);
}

static void want_user_of_file(NrSegment *segment)
{
    g_autofree char *options = nr_user_network_options(segment->file);
    g_autofree char *text = g_strconcat("user:", options, NULL);

    want(segment, text, TRUE, NULL);
}

static void want_of_files(NrDecision *d)
{
    for (guint i = 0; i < d->input->networks->len; i++) {
        const NrNetwork *file = g_ptr_array_index(d->input->networks, i);
        NrSegment *segment = g_hash_table_lookup(d->segments, file->name);

        if (file->stopped)
            continue;
        want_listens_of_file(d, segment);
        want_peers_of_file(d, segment);
        for (guint k = 0; k < file->groups->len; k++) {
            g_autofree char *text = mcast_text(g_ptr_array_index(file->groups, k));

            want(segment, text, TRUE, NULL);
        }
        if (file->bridge)
            want_bridge_of_file(d, segment);
        if (file->forward == NR_FORWARD_USER)
            want_user_of_file(segment);
    }
}

static int compare_networks(gconstpointer a, gconstpointer b)
{
    const NrDesiredNetwork *const *first = a, *const *second = b;

    return strcmp((*first)->name, (*second)->name);
}

/* A file's own listeners make its network one that is always there, even while they give way. */
static gboolean is_wanted(const NrSegment *segment)
{
    return segment->network->endpoints->len || segment->held ||
           (segment->file && segment->file->listens->len && !segment->file->stopped);
}

void nr_endpoints_hand_out(NrDecision *d, NrDesired *desired)
{
    GHashTableIter iter;
    gpointer value;

    want_of_files(d);
    for (guint i = 0; i < d->cases->len; i++) {
        NrCase *c = g_ptr_array_index(d->cases, i);

        if (c->binding->kind == NR_BINDING_SERVED)
            want_served(d, c);
    }
    g_hash_table_iter_init(&iter, d->segments);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        NrSegment *segment = value;

        if (is_wanted(segment))
            g_ptr_array_add(desired->networks, g_steal_pointer(&segment->network));
    }
    g_ptr_array_sort(desired->networks, compare_networks);
}
