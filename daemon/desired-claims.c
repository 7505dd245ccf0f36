/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which network a person named for a NIC: in the guest's metadata, else in a network file. */
#include "daemon/desired-private.h"

#include <string.h>

typedef struct {
    NrSegment *segment;
    const NrMatch *match;
    GPatternSpec *glob; /* or NULL: all guests */
    NrPlaceResult result;
    NrPlace place; /* of match->host; its port is not used */
} Rule;

static void rule_free(gpointer data)
{
    Rule *rule = data;

    g_clear_pointer(&rule->glob, g_pattern_spec_free);
    g_free(rule);
}

static gpointer pending_key(NrNicKind kind, guint16 l4_port)
{
    return GUINT_TO_POINTER(((guint)kind + 1) << 16 | l4_port);
}

/* Addresses that two files share only after resolution go to the first. */
static void load_addresses(NrDecision *d, NrSegment *segment, const GPtrArray *addresses,
                           NrNicKind kind)
{
    NrPlaceIndex *files = kind == NR_NIC_DIALS ? d->file_listens : d->file_udps;
    NrPlaceIndex *owners = kind == NR_NIC_DIALS ? d->tcp_owners : d->udp_owners;

    for (guint i = 0; i < addresses->len; i++) {
        const NrAddress *address = g_ptr_array_index(addresses, i);
        NrPlaceIter iter;
        NrPlace place;

        switch (nr_place_find(&place, address->host, address->l4_port, d->input->resolved)) {
        case NR_PLACE_RESOLVING:
            g_hash_table_add(d->pending, pending_key(kind, address->l4_port));
            break;
        case NR_PLACE_UNKNOWN:
            break;
        case NR_PLACE_FOUND:
            nr_place_iter_init(&iter, owners, &place);
            if (nr_place_iter_next(&iter))
                break;
            nr_place_index_add(files, &place, segment);
            if (!segment->file->stopped)
                nr_decision_own(d, owners, &place, segment, NULL);
            break;
        }
    }
}

static void load_groups(NrDecision *d, NrSegment *segment, const GPtrArray *groups)
{
    for (guint i = 0; i < groups->len; i++) {
        const NrGroup *group = g_ptr_array_index(groups, i);
        NrPlace place;

        if (nr_place_find(&place, group->address.host, group->address.l4_port, NULL) ==
            NR_PLACE_FOUND)
            nr_place_index_add(d->file_groups, &place, segment);
    }
}

static void load_rules(NrDecision *d, NrSegment *segment, const GPtrArray *matches)
{
    for (guint i = 0; i < matches->len; i++) {
        Rule *rule = g_new0(Rule, 1);

        rule->segment = segment;
        rule->match = g_ptr_array_index(matches, i);
        if (rule->match->domain)
            rule->glob = g_pattern_spec_new(rule->match->domain);
        if (rule->match->host)
            rule->result = nr_place_find(&rule->place, rule->match->host, 0, d->input->resolved);
        g_ptr_array_add(d->rules, rule);
    }
}

void nr_claims_load(NrDecision *d)
{
    d->file_listens = nr_place_index_new();
    d->file_udps = nr_place_index_new();
    d->file_groups = nr_place_index_new();
    d->pending = g_hash_table_new(NULL, NULL);
    d->rules = g_ptr_array_new_with_free_func(rule_free);

    for (guint i = 0; i < d->input->networks->len; i++) {
        const NrNetwork *file = g_ptr_array_index(d->input->networks, i);
        NrSegment *segment = nr_decision_segment(d, file->name, NR_ORIGIN_FILE);

        segment->file = file;
        load_addresses(d, segment, file->listens, NR_NIC_DIALS);
        load_addresses(d, segment, file->udps, NR_NIC_UDP);
        load_groups(d, segment, file->groups);
        load_rules(d, segment, file->matches);
    }
}

static NrClaimKind claim_network(NrDecision *d, NrCase *c, char **ret_reason)
{
    NrSegment *segment = g_hash_table_lookup(d->segments, c->nic->wish.network);
    g_autofree char *name = NULL, *directory = NULL;
    const char *config = d->input->policy->config;

    if (segment && segment->file) {
        c->claim = segment;
        c->pin = segment->file->pin;
        return NR_CLAIM_NETWORK;
    }
    name = nr_printable(c->nic->wish.network);
    directory = config ? g_path_get_dirname(config) : NULL;
    *ret_reason = g_strdup_printf("its metadata names the network %s, which does not exist; "
                                  "networks are defined by files in %s%s",
                                  name, directory ? directory : "the folder of networks",
                                  directory ? "/networks" : "");
    return NR_CLAIM_REFUSED;
}

/* Names the line as it has to be: what it allows already stays. */
static char *format_not_allowed(const NrPolicy *policy, const char *what, char **globs,
                                const char *name)
{
    g_autofree char *before = globs && *globs ? g_strjoinv(";", globs) : NULL;
    g_autofree char *shown = nr_printable(name);

    return g_strdup_printf("its metadata names the %s %s, which is not allowed; the line "
                           "%ss=%s%s%s under [policy] in %s allows it",
                           what, shown, what, before ? before : "", before ? ";" : "", shown,
                           nr_policy_file(policy));
}

static NrClaimKind claim_bridge(NrDecision *d, NrCase *c, char **ret_reason)
{
    const NrPolicy *policy = d->input->policy;
    const char *bridge = c->nic->wish.bridge;
    g_autofree char *name = g_strconcat("bridge:", bridge, NULL);

    if (!nr_policy_allows_bridge(policy, bridge)) {
        *ret_reason = format_not_allowed(policy, "bridge", policy->bridges, bridge);
        return NR_CLAIM_REFUSED;
    }
    c->claim = nr_decision_segment(d, name, NR_ORIGIN_METADATA);
    if (!c->claim->uplink)
        c->claim->uplink = g_steal_pointer(&name);
    return NR_CLAIM_NETWORK;
}

/* Named after the NIC and not after the peer: who dials another one stays where it is. So nobody
 * else may come in by an address that is the same. */
static NrClaimKind claim_peer(NrDecision *d, NrCase *c, char **ret_reason)
{
    const NrPolicy *policy = d->input->policy;
    const char *peer = c->nic->wish.peer;
    char mac[MAC_TEXT_MAX];
    g_autofree char *name = g_strconcat("peer:", mac_format(c->nic->mac, mac), NULL);
    NrSegment *segment;

    if (!nr_policy_allows_peer(policy, peer)) {
        *ret_reason = format_not_allowed(policy, "peer", policy->peers, peer);
        return NR_CLAIM_REFUSED;
    }
    segment = nr_decision_segment(d, name, NR_ORIGIN_METADATA);
    if (segment->tenant) {
        g_autofree char *guest = nr_printable(segment->tenant->guest->name);

        *ret_reason = g_strdup_printf("a NIC of the guest %s has the address %s too, and a tunnel "
                                      "of its own; give one of them another <mac>",
                                      guest, mac);
        return NR_CLAIM_REFUSED;
    }
    segment->tenant = c;
    segment->uplink = g_strconcat("tcp:", peer, NULL);
    c->claim = segment;
    return NR_CLAIM_NETWORK;
}

static NrSegment *find_address(const NrPlaceIndex *files, const NrPlace *place)
{
    const NrPlaceGroup *group;
    NrPlaceIter iter;

    nr_place_iter_init(&iter, files, place);
    group = nr_place_iter_next(&iter);
    return group ? g_ptr_array_index(group->values, 0) : NULL;
}

NrSegment *nr_claims_group(const NrDecision *d, const NrCase *c)
{
    return c->nic->fault ? NULL : find_address(d->file_groups, &c->ours);
}

/* The cheap comparisons first: this is asked for every NIC and every rule. */
static NrClaimKind rule_fits(const Rule *rule, const NrCase *c, gsize name_length)
{
    const NrMatch *match = rule->match;
    guint16 l4_port = c->source.l4_port;
    guint16 high = MAX(match->port_high, match->port_low);

    if (match->kind >= 0 && match->kind != (int)c->nic->kind)
        return NR_CLAIM_NONE;
    if (match->port_low && (l4_port < match->port_low || l4_port > high))
        return NR_CLAIM_NONE;
    if (match->host && rule->result == NR_PLACE_UNKNOWN)
        return NR_CLAIM_NONE;
    if (match->host && rule->result == NR_PLACE_FOUND &&
        !g_str_equal(rule->place.host, c->source.host) &&
        !(nr_place_is_any(&rule->place) && nr_place_is_any(&c->source)))
        return NR_CLAIM_NONE;
    if (rule->glob && !g_pattern_spec_match(rule->glob, name_length, c->guest->name, NULL))
        return NR_CLAIM_NONE;
    return match->host && rule->result == NR_PLACE_RESOLVING ? NR_CLAIM_RESOLVING
                                                             : NR_CLAIM_NETWORK;
}

static NrClaimKind claim_by_file(NrDecision *d, NrCase *c)
{
    gboolean good = !c->nic->fault && c->result == NR_PLACE_FOUND;
    gsize name_length = strlen(c->guest->name);

    if (good && c->nic->kind == NR_NIC_DIALS)
        c->claim = find_address(d->file_listens, &c->ours);
    if (good && c->nic->kind == NR_NIC_UDP)
        c->claim = find_address(d->file_udps, &c->ours);
    if (c->claim) {
        c->pin = c->claim->file->pin;
        return NR_CLAIM_NETWORK;
    }
    if (good && g_hash_table_contains(d->pending, pending_key(c->nic->kind, c->ours.l4_port)))
        return NR_CLAIM_RESOLVING;

    for (guint i = 0; i < d->rules->len; i++) {
        const Rule *rule = g_ptr_array_index(d->rules, i);
        NrClaimKind kind = rule_fits(rule, c, name_length);

        if (kind == NR_CLAIM_NETWORK) {
            c->claim = rule->segment;
            c->rule = rule->match;
            c->pin = rule->match->pin ? rule->match->pin : c->claim->file->pin;
        }
        if (kind != NR_CLAIM_NONE)
            return kind;
    }
    return NR_CLAIM_NONE;
}

/* What a network file has is its author's to say, and no matter of the guest's. */
char *nr_claims_place_fault(const NrDecision *d, const NrCase *c)
{
    const NrPolicy *policy = d->input->policy;
    const NrPlaceIndex *files = c->nic->kind == NR_NIC_DIALS ? d->file_listens : d->file_udps;
    g_autofree char *words = NULL;

    if (find_address(files, &c->ours))
        return NULL;
    if (!(c->rule && c->rule->host) && !nr_policy_allows_address(policy, &c->ours)) {
        words = g_strjoinv(";", policy->addresses);
        return g_strdup_printf("%s is not among addresses=%s under [policy] in %s", c->ours.host,
                               words, nr_policy_file(policy));
    }
    if (!(c->rule && c->rule->port_low) && !nr_policy_allows_port(policy, &c->ours)) {
        words = g_strjoinv(";", policy->ports);
        return g_strdup_printf("port %u is not within ports=%s under [policy] in %s",
                               c->ours.l4_port, words, nr_policy_file(policy));
    }
    return NULL;
}

static NrClaimKind claim_named(NrDecision *d, NrCase *c, char **ret_reason)
{
    if (c->nic->wish.network)
        return claim_network(d, c, ret_reason);
    if (c->nic->wish.bridge)
        return claim_bridge(d, c, ret_reason);
    if (c->nic->wish.peer)
        return claim_peer(d, c, ret_reason);
    return claim_by_file(d, c);
}

/* A stopped network keeps what it claims, so that nothing of it becomes a network by itself. */
NrClaimKind nr_claims_find(NrDecision *d, NrCase *c, char **ret_reason)
{
    NrClaimKind kind = claim_named(d, c, ret_reason);
    const NrNetwork *file = kind == NR_CLAIM_NETWORK ? c->claim->file : NULL;

    if (!file || !file->stopped)
        return kind;
    c->claim = NULL;
    c->binding->stopped = g_strdup(file->name);
    *ret_reason = g_strdup_printf("the network %s is stopped; netrelayctl net-start %s starts it",
                                  file->name, file->name);
    return NR_CLAIM_REFUSED;
}
