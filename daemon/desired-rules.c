/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who meets whom. Two rounds, each in the order of the starts, because who came first keeps what it
 * has: round one settles what cannot be and what a person named, round two what is left, by the
 * implicit rules. A decision looks only at the cases themselves and at decisions before it.
 */
#include "daemon/desired-private.h"

/* --- outcomes */

static char *printable_address(const NrAddress *address)
{
    g_autofree char *text = nr_address_format(address);

    return nr_printable(text);
}

static const NrAddress *source_of(const NrCase *c)
{
    return c->nic->kind == NR_NIC_LISTENS ? &c->nic->theirs : &c->nic->ours;
}

/* "guest web, NIC 52:54:00:00:00:01". */
static char *format_case(const NrCase *c)
{
    g_autofree char *label = nr_nic_label(c->nic);
    g_autofree char *nic = nr_printable(label);
    g_autofree char *guest = nr_printable(c->guest->name);

    return g_strdup_printf("guest %s, NIC %s", guest, nic);
}

static void settle(NrCase *c, NrBindingKind kind, char *reason)
{
    c->binding->kind = kind;
    c->binding->reason = reason;
    c->decided = TRUE;
}

static void serve(NrCase *c, NrSegment *segment)
{
    settle(c, NR_BINDING_SERVED, NULL);
    c->binding->network = g_strdup(segment->network->name);
}

/* cause says what is wrong and what to do; the sentence before it says whose. */
G_GNUC_PRINTF(3, 4)
static void refuse(NrCase *c, gboolean named, const char *cause_format, ...)
{
    g_autofree char *who = format_case(c);
    g_autofree char *address = NULL;
    g_autofree char *cause = NULL;
    va_list args;

    va_start(args, cause_format);
    cause = g_strdup_vprintf(cause_format, args);
    va_end(args);

    if (source_of(c)->host && !c->nic->fault)
        address = printable_address(source_of(c));
    settle(c, NR_BINDING_REFUSED,
           address ? g_strdup_printf("%s (%s %s): %s", who, nr_nic_kind_name(c->nic->kind), address,
                                     cause)
                   : g_strdup_printf("%s: %s", who, cause));
    c->binding->named = named;
}

static void meet_directly(NrCase *c, const NrCase *peer)
{
    g_autofree char *who = format_case(peer);

    settle(c, NR_BINDING_DIRECT, g_strdup_printf("talks directly with %s", who));
    c->binding->peer_guest = g_strdup(peer->guest->name);
}

/* The line of a network file that would connect the NIC. */
static char *format_line(const NrCase *c)
{
    g_autofree char *host = nr_printable(source_of(c)->host ? source_of(c)->host : "");
    unsigned l4_port = source_of(c)->l4_port;

    switch (c->nic->kind) {
    case NR_NIC_DIALS:
        return g_strdup_printf("<listen address='%s' port='%u'/>", host, l4_port);
    case NR_NIC_UDP:
        return g_strdup_printf("<udp address='%s' port='%u'/>", host, l4_port);
    case NR_NIC_MULTICAST:
        return g_strdup_printf("<multicast address='%s' port='%u'/>", host, l4_port);
    default:
        return *host ? g_strdup_printf("<match type='%s' address='%s' port='%u'/>",
                                       nr_nic_kind_name(c->nic->kind), host, l4_port)
                     : g_strdup_printf("<match type='%s' port='%u'/>",
                                       nr_nic_kind_name(c->nic->kind), l4_port);
    }
}

G_GNUC_PRINTF(2, 3)
static void leave_alone(NrCase *c, const char *cause_format, ...)
{
    g_autofree char *line = format_line(c);
    g_autofree char *cause = NULL;
    va_list args;

    va_start(args, cause_format);
    cause = g_strdup_vprintf(cause_format, args);
    va_end(args);
    settle(c, NR_BINDING_UNCONNECTED,
           g_strdup_printf("%s; %s in a network file connects it", cause, line));
}

/* --- questions */

static const NrOwner *find_owner(const NrPlaceIndex *owners, const NrPlace *place)
{
    const NrPlaceGroup *group;
    NrPlaceIter iter;

    nr_place_iter_init(&iter, owners, place);
    group = nr_place_iter_next(&iter);
    return group ? g_ptr_array_index(group->values, 0) : NULL;
}

/* Earliest NIC of the index whose place overlaps, other than `except` (may be NULL). One that is
 * refused before its guest runs will not be there. */
static NrCase *find_earliest(const NrPlaceIndex *index, const NrPlace *place, const NrCase *except)
{
    const NrPlaceGroup *group;
    NrCase *earliest = NULL;
    NrPlaceIter iter;

    nr_place_iter_init(&iter, index, place);
    while ((group = nr_place_iter_next(&iter))) {
        for (guint i = 0; i < group->values->len; i++) {
            NrCase *c = g_ptr_array_index(group->values, i);

            if (c == except || (c->active && !nr_case_binds(c)))
                continue;
            if (!earliest || c->rank < earliest->rank)
                earliest = c;
            break;
        }
    }
    return earliest;
}

/* The NIC that has this one's addresses the other way round. */
static NrCase *find_mirror(const NrDecision *d, const NrCase *c)
{
    const NrPlaceGroup *group;
    NrPlaceIter iter;

    nr_place_iter_init(&iter, d->sends, &c->theirs);
    while ((group = nr_place_iter_next(&iter))) {
        for (guint i = 0; i < group->values->len; i++) {
            NrCase *peer = g_ptr_array_index(group->values, i);

            if (peer != c && nr_place_overlaps(&peer->theirs, &c->ours))
                return peer;
        }
    }
    return NULL;
}

/* --- round one: what cannot be, and what is named */

/* QEMU binds the NIC's own side; two guests cannot both. The earlier one has it. */
static gboolean refuse_second_binder(NrDecision *d, NrCase *c)
{
    gboolean udp = c->nic->kind == NR_NIC_UDP;
    const NrPlaceGroup *group;
    NrPlaceIter iter;

    if (!c->active || (!udp && c->nic->kind != NR_NIC_LISTENS))
        return FALSE;
    nr_place_iter_init(&iter, udp ? d->binds : d->listens, &c->theirs);
    while ((group = nr_place_iter_next(&iter))) {
        for (guint i = 0; i < group->values->len; i++) {
            const NrCase *first = g_ptr_array_index(group->values, i);
            g_autofree char *who = NULL, *address = NULL;

            /* QEMU's udp sockets share an address within one process, oddly, but they start. */
            if (first == c || (udp && first->guest == c->guest))
                continue;
            if (!first->active || first->rank > c->rank ||
                (first->rank == c->rank && first->position > c->position))
                break;
            who = format_case(first);
            address = printable_address(&c->nic->theirs);
            refuse(c, c->claim != NULL,
                   "%s has the address %s already; give one of them another address or port", who,
                   address);
            c->binding->conflict = TRUE;
            return TRUE;
        }
    }
    return FALSE;
}

/* The first who has an address of our side that QEMU is about to bind, and will not give way. Who
 * holds one already was decided before, so it started before. */
static const NrOwner *find_holder(const NrCase *c, const NrPlaceGroup *group)
{
    gboolean udp = c->nic->kind == NR_NIC_UDP;

    for (guint i = 0; i < group->values->len; i++) {
        const NrOwner *owner = g_ptr_array_index(group->values, i);

        /* In one network the listener gives way to the guest that listens. */
        if (!udp && owner->segment == c->claim)
            return NULL;
        /* A <udp> line binds nothing until a guest is behind it. */
        if (owner->holder || !udp)
            return owner;
    }
    return NULL;
}

static gboolean refuse_our_address(NrDecision *d, NrCase *c)
{
    gboolean udp = c->nic->kind == NR_NIC_UDP;
    const NrPlaceGroup *group;
    NrPlaceIter iter;

    if (!c->active || (!udp && c->nic->kind != NR_NIC_LISTENS))
        return FALSE;
    nr_place_iter_init(&iter, udp ? d->udp_owners : d->tcp_owners, &c->theirs);
    while ((group = nr_place_iter_next(&iter))) {
        const NrOwner *owner = find_holder(c, group);
        g_autofree char *address = NULL, *whose = NULL;

        if (!owner)
            continue;
        address = nr_place_format(&group->place);
        whose = nr_network_words(owner->segment->network->name);
        refuse(c, c->claim != NULL,
               "%s has the address %s already; give this NIC another port, or take the address "
               "away there",
               whose, address);
        c->binding->conflict = TRUE;
        return TRUE;
    }
    return FALSE;
}

/* Our side of a named NIC: the address must be ours to have. FALSE: refused. */
static gboolean take_address(NrDecision *d, NrCase *c, NrPlaceIndex *owners, NrPlaceIndex *binders)
{
    const NrOwner *owner = find_owner(owners, &c->ours);
    const NrCase *binder = find_earliest(binders, &c->ours, NULL);
    g_autofree char *meant = nr_network_words(c->claim->network->name);
    g_autofree char *fault = NULL;

    if (!nr_decision_is_local(d, &c->ours)) {
        refuse(c, TRUE,
               "%s is not an address of this host; name one of this host's, or 127.0.0.1, in the "
               "guest's <source>",
               c->ours.host);
        return FALSE;
    }
    fault = nr_claims_place_fault(d, c);
    if (fault) {
        g_autofree char *line = format_line(c);

        refuse(c, TRUE, "%s; allow it there, or write %s into a network file", fault, line);
        return FALSE;
    }
    if (owner && owner->segment != c->claim) {
        g_autofree char *whose = nr_network_words(owner->segment->network->name);

        refuse(c, TRUE,
               "it is meant for %s, but its address belongs to %s; give it another address or "
               "port, or name the same for both",
               meant, whose);
        return FALSE;
    }
    if (binder && c->active && binder->active && !nr_case_starts_before(c, binder)) {
        g_autofree char *who = format_case(binder);

        refuse(c, TRUE,
               "%s listens at this address itself, so %s cannot; give one of them another port",
               who, meant);
        return FALSE;
    }
    nr_decision_own(d, owners, &c->ours, c->claim, c);
    return TRUE;
}

static void decide_named(NrDecision *d, NrCase *c)
{
    const NrCase *mirror = c->nic->kind == NR_NIC_UDP ? find_mirror(d, c) : NULL;
    gboolean good = TRUE;

    if (mirror) {
        g_autofree char *meant = nr_network_words(c->claim->network->name);
        g_autofree char *who = format_case(mirror);

        /* Whatever we bound, one of the two QEMUs could not start. */
        refuse(c, TRUE,
               "it and %s send to each other directly, so %s cannot take part; give them "
               "different <local> ports, or do not name it",
               who, meant);
        return;
    }
    if (c->nic->kind == NR_NIC_DIALS)
        good = take_address(d, c, d->tcp_owners, d->listens);
    else if (c->nic->kind == NR_NIC_UDP)
        good = take_address(d, c, d->udp_owners, d->binds);
    if (!good)
        return;
    serve(c, c->claim);
    c->binding->named = TRUE;
}

static void decide_faulty(NrCase *c, gboolean named)
{
    g_autofree char *text = nr_printable(c->nic->fault ? c->nic->fault : c->unresolved);

    if (c->nic->fault)
        refuse(c, named, "%s; correct it in the guest's <interface>", text);
    else
        refuse(c, named, "the host name %s does not resolve; correct it, or make it known", text);
}

static void serve_group(NrCase *c, NrSegment *segment)
{
    if (segment->file->stopped)
        settle(c, NR_BINDING_IGNORED,
               g_strdup_printf("the guests of a multicast group meet there without a relay; the "
                               "network %s, which takes part, is stopped",
                               segment->file->name));
    else
        serve(c, segment);
}

/* The guests of a group meet there by themselves; a network takes part where its file says so. Who
 * comes first is not deaf to who comes later, so a group that cannot be joined refuses no start. */
static void decide_group(NrDecision *d, NrCase *c)
{
    NrSegment *segment = nr_claims_group(d, c);
    const NrWish *wish = &c->nic->wish;
    g_autofree char *line = format_line(c);

    if (c->nic->fault) {
        decide_faulty(c, nr_wish_has_place(wish));
    } else if (segment && !wish->bridge && !wish->peer &&
               (!wish->network || g_str_equal(wish->network, segment->network->name))) {
        serve_group(c, segment);
    } else if (nr_wish_has_place(wish)) {
        refuse(c, TRUE,
               "its metadata names a network, but a NIC of a multicast group is in the one whose "
               "file has %s, and in no other; write that line there, or take it from the metadata",
               line);
    } else {
        settle(c, NR_BINDING_IGNORED,
               g_strdup_printf("the guests of a multicast group meet there without a relay; %s in "
                               "a network file makes that network one of them",
                               line));
    }
}

/* Kinds that no network of ours serves. */
static void decide_other(NrCase *c)
{
    refuse(c, TRUE,
           "its metadata names a network, but only NICs of the types client, server, udp and mcast "
           "can be in one; change its type, or take it from the metadata");
}

static void decide_first_round(NrDecision *d, NrCase *c)
{
    g_autofree char *reason = NULL;
    NrClaimKind claim;

    if (c->nic->wish.ignore) {
        settle(c, NR_BINDING_IGNORED, g_strdup("its metadata says to ignore it"));
        return;
    }
    if (c->nic->kind == NR_NIC_OTHER) {
        decide_other(c);
        return;
    }
    if (c->nic->kind == NR_NIC_MULTICAST) {
        decide_group(d, c);
        return;
    }
    if (c->guest->metadata_fault) {
        g_autofree char *fault = nr_printable(c->guest->metadata_fault);

        refuse(c, TRUE, "the guest's metadata for netrelay is wrong: %s; correct or remove it",
               fault);
        return;
    }

    claim = nr_claims_find(d, c, &reason);
    if (c->nic->fault || c->result == NR_PLACE_UNKNOWN)
        decide_faulty(c, claim != NR_CLAIM_NONE);
    else if (claim == NR_CLAIM_REFUSED)
        refuse(c, TRUE, "%s", reason);
    else if (c->result == NR_PLACE_RESOLVING || claim == NR_CLAIM_RESOLVING) {
        settle(c, NR_BINDING_RESOLVING, g_strdup("waits for a host name"));
        c->binding->named = claim != NR_CLAIM_NONE;
    } else if (!refuse_second_binder(d, c) && !refuse_our_address(d, c) && c->claim)
        decide_named(d, c);
}

/* --- round two: the implicit rules */

/* Nobody named it and nothing stands in the way: TRUE where it may be served. */
static gboolean policy_allows(const NrDecision *d, NrCase *c)
{
    const NrPolicy *policy = d->input->policy;
    gboolean binds = c->nic->kind != NR_NIC_LISTENS;
    g_autofree char *fault = NULL;

    if (policy->implicit == NR_IMPLICIT_NO)
        fault = g_strdup_printf("implicit=no under [policy] in %s leaves it alone",
                                nr_policy_file(policy));
    else if (binds)
        fault = nr_claims_place_fault(d, c);
    if (fault)
        leave_alone(c, "%s", fault);
    return !fault;
}

/* scheme keeps udp apart: its ports are not those of TCP. */
static void serve_implicitly(NrDecision *d, NrCase *c, const char *scheme, const NrPlace *place)
{
    g_autofree char *address = nr_place_format(place);
    g_autofree char *name = g_strconcat(scheme, address, NULL);

    serve(c, nr_decision_segment(d, name, NR_ORIGIN_IMPLICIT));
}

static void decide_dials(NrDecision *d, NrCase *c)
{
    NrCase *server = find_earliest(d->listens, &c->ours, NULL);
    const NrOwner *owner = find_owner(d->tcp_owners, &c->ours);

    if (!nr_decision_is_local(d, &c->ours)) {
        settle(c, NR_BINDING_REMOTE,
               g_strdup_printf("%s is not an address of this host", c->ours.host));
    } else if (server && !nr_case_starts_before(c, server)) {
        g_autofree char *whose =
            server->binding->network ? nr_network_words(server->binding->network) : NULL;
        g_autofree char *who = format_case(server);

        /* QEMU takes one client; where we are that one, nobody else gets through. */
        if (server->binding->kind == NR_BINDING_SERVED)
            settle(c, NR_BINDING_UNCONNECTED,
                   g_strdup_printf("%s listens at this address and takes one client, which %s is; "
                                   "give this NIC another port",
                                   who, whose));
        else
            meet_directly(c, server);
    } else if (policy_allows(d, c)) {
        if (owner)
            serve(c, owner->segment);
        else
            serve_implicitly(d, c, "", &c->ours);
    }
}

/* A NIC that dials the one that listens, and that nobody meant for something else. */
static NrCase *find_client(const NrDecision *d, const NrCase *c)
{
    const NrPlaceGroup *group;
    NrCase *earliest = NULL;
    NrPlaceIter iter;

    nr_place_iter_init(&iter, d->dials, &c->theirs);
    while ((group = nr_place_iter_next(&iter))) {
        for (guint i = 0; i < group->values->len; i++) {
            NrCase *client = g_ptr_array_index(group->values, i);

            if (client->claim || (client->decided && client->binding->kind != NR_BINDING_SERVED) ||
                !nr_decision_is_local(d, &client->ours))
                continue;
            if (!earliest || client->rank < earliest->rank)
                earliest = client;
            break;
        }
    }
    return earliest;
}

static void decide_listens(NrDecision *d, NrCase *c)
{
    NrCase *client = find_client(d, c);

    /* Who came first was given to us and never dials again: we bring the two together. */
    if (client && client->binding->kind == NR_BINDING_SERVED && client->decided) {
        serve(c, g_hash_table_lookup(d->segments, client->binding->network));
    } else if (client) {
        meet_directly(c, client);
    } else if (policy_allows(d, c)) {
        NrPlace dialled = c->theirs;

        if (nr_place_is_any(&dialled))
            g_strlcpy(dialled.host, "127.0.0.1", sizeof(dialled.host));
        if (d->input->policy->implicit == NR_IMPLICIT_ALL)
            serve_implicitly(d, c, "", &dialled);
        else
            leave_alone(c, "it takes one client, so it is dialled only when it is named");
    }
}

/* Two guests or more send to this address of ours. */
static gboolean is_shared(const NrDecision *d, const NrCase *c)
{
    const NrPlaceGroup *group = nr_place_index_find(d->sends, &c->ours);

    for (guint i = 0; group && i < group->values->len; i++) {
        const NrCase *other = g_ptr_array_index(group->values, i);

        if (other->guest != c->guest && !other->nic->wish.ignore && !other->guest->metadata_fault)
            return TRUE;
    }
    return FALSE;
}

static void decide_udp(NrDecision *d, NrCase *c)
{
    const NrOwner *owner = find_owner(d->udp_owners, &c->ours);
    NrCase *mirror = find_mirror(d, c);
    NrCase *binder = find_earliest(d->binds, &c->ours, NULL);
    g_autofree char *address = nr_place_format(&c->ours);

    if (mirror) {
        meet_directly(c, mirror);
    } else if (!nr_decision_is_local(d, &c->ours)) {
        settle(c, NR_BINDING_REMOTE,
               g_strdup_printf("%s is not an address of this host", c->ours.host));
    } else if (!policy_allows(d, c)) {
        return;
    } else if (owner && !(binder && binder->active)) {
        serve(c, owner->segment);
    } else if (binder) {
        g_autofree char *who = format_case(binder);

        settle(c, NR_BINDING_UNCONNECTED,
               g_strdup_printf("%s listens at %s itself but does not send to this NIC; make its "
                               "<source> this NIC's <local> for a direct pair",
                               who, address));
    } else if (is_shared(d, c) || d->input->policy->implicit == NR_IMPLICIT_ALL) {
        serve_implicitly(d, c, "udp:", &c->ours);
    } else {
        leave_alone(c, "nobody known is at %s", address);
    }
}

static void decide_second_round(NrDecision *d, NrCase *c)
{
    if (c->nic->kind == NR_NIC_DIALS)
        decide_dials(d, c);
    else if (c->nic->kind == NR_NIC_LISTENS)
        decide_listens(d, c);
    else
        decide_udp(d, c);
}

void nr_rules_decide(NrDecision *d)
{
    for (guint i = 0; i < d->by_start->len; i++)
        decide_first_round(d, g_ptr_array_index(d->by_start, i));
    for (guint i = 0; i < d->by_start->len; i++) {
        NrCase *c = g_ptr_array_index(d->by_start, i);

        if (!c->decided)
            decide_second_round(d, c);
    }
}
