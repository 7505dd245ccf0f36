/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/packet-fate.h"

#include <string.h>

#define JUMPS_MAX 16     /* as the kernel has it */
#define RULES_MAX 100000 /* looked at; what is not may let pass */

/* In this order: of conditions that must all hold, the least counts. */
typedef enum { NO, MAYBE, YES } Truth;

static Truth both(Truth a, Truth b)
{
    return MIN(a, b);
}

static Truth either(Truth a, Truth b)
{
    return MAX(a, b);
}

typedef enum {
    FALLS,    /* comes out at the chain's end, at least some of them */
    DROPPED,  /* all are */
    MAY_PASS, /* something may have accepted it */
} Fate;

typedef struct {
    const GPtrArray *chains;
    const NrPacket *packet;
    guint depth, rules;
} Walk;

/* --- what a packet is */

/* The element's quotes are off. */
typedef Truth (*IsElement)(const NrPacket *packet, const char *element);

static Truth is_device(const char *const *devices, const char *element)
{
    gsize length = strlen(element), matches = 0, count = 0;
    gboolean open = length > 0 && element[length - 1] == '*';

    for (; devices && devices[count]; count++)
        matches += open ? strncmp(devices[count], element, length - 1) == 0
                        : g_str_equal(devices[count], element);
    if (count == 0)
        return MAYBE;
    return matches == 0 ? NO : matches == count ? YES : MAYBE;
}

static Truth is_in(const NrPacket *packet, const char *element)
{
    return is_device(packet->in, element);
}

static Truth is_out(const NrPacket *packet, const char *element)
{
    return is_device(packet->out, element);
}

static Truth is_state(const NrPacket *packet, const char *element)
{
    return g_str_equal(packet->state, element) ? YES : NO;
}

/* Nothing has changed the addresses of what guests begin. */
static Truth is_status(const NrPacket *packet, const char *element)
{
    return g_str_equal(packet->state, "new") && g_str_equal(element, "dnat") ? NO : MAYBE;
}

static Truth is_l4(const NrPacket *packet, const char *element)
{
    static const struct {
        const char *name, *number;
    } numbers[] = { { "tcp", "6" }, { "udp", "17" } };

    for (guint i = 0; i < G_N_ELEMENTS(numbers); i++)
        if (g_str_equal(element, numbers[i].number))
            element = numbers[i].name;
    return g_str_equal(packet->l4, element) ? YES : NO;
}

static Truth is_family(const NrPacket *packet, const char *element)
{
    return g_str_equal(element, packet->v6 ? "ipv6" : "ipv4") ? YES : NO;
}

/* "80", or "1000-2000"; another word is a name, which only the host's files know. */
static Truth is_l4_port(const NrPacket *packet, const char *element)
{
    char *end;
    guint64 low = g_ascii_strtoull(element, &end, 10), high = low;

    if (packet->l4_port == 0 || end == element)
        return MAYBE;
    if (*end == '-')
        high = g_ascii_strtoull(end + 1, &end, 10);
    if (*end)
        return MAYBE;
    return packet->l4_port >= low && packet->l4_port <= high ? YES : NO;
}

/* --- what a rule says */

typedef enum { NOTHING, ACCEPT, DROP, RETURN, JUMP, GOTO, UNKNOWN } Verdict;

static const struct {
    const char *word;
    Verdict verdict;
} verdicts[] = {
    { "accept", ACCEPT }, { "drop", DROP }, { "reject", DROP },   { "return", RETURN },
    { "jump", JUMP },     { "goto", GOTO }, { "queue", UNKNOWN }, { "vmap", UNKNOWN },
    { "xt", UNKNOWN },    { "?", UNKNOWN },
};

static gboolean is_verdict(const char *word)
{
    for (guint i = 0; i < G_N_ELEMENTS(verdicts); i++)
        if (g_str_equal(word, verdicts[i].word))
            return TRUE;
    return FALSE;
}

/* --- what a rule asks for */

/* Several things at once, "iifname . oifname { ... }", up to what they are compared with. */
static Truth skip_joined(char ***at)
{
    while (**at && !strchr("{@", ***at) && !is_verdict(**at))
        (*at)++;
    *at += **at && strchr("{@", ***at);
    return MAYBE;
}

/* One of the operand's elements, or with != none of them. *at is behind the operand. */
static Truth is_any(const NrPacket *packet, char ***at, IsElement is_element)
{
    gboolean negated = **at && g_str_equal(**at, "!=");
    g_auto(GStrv) elements = NULL;
    Truth truth = NO;

    *at += negated;
    if (**at && g_str_equal(**at, "."))
        return skip_joined(at);
    if (!**at || ***at == '@' || is_verdict(**at)) /* a set or a map that is elsewhere */
        return MAYBE;
    elements = nr_ruleset_elements(*(*at)++);
    for (guint i = 0; elements[i]; i++) {
        g_autofree char *element = g_strdup(elements[i]);

        g_strdelimit(element, "\"", ' ');
        truth = either(truth, is_element(packet, g_strstrip(element)));
    }
    return negated ? YES - truth : truth;
}

/* Of a transport protocol; what else it asks for than the port is not understood. */
static Truth ask_l4(const NrPacket *packet, char ***at, const char *l4)
{
    Truth truth = is_l4(packet, l4);

    if (!**at || !g_str_equal(**at, "dport"))
        return both(truth, MAYBE);
    (*at)++;
    return both(truth, is_any(packet, at, is_l4_port));
}

static Truth ask_tcp(const NrPacket *packet, char ***at)
{
    return ask_l4(packet, at, "tcp");
}

static Truth ask_udp(const NrPacket *packet, char ***at)
{
    return ask_l4(packet, at, "udp");
}

static Truth ask_icmp(const NrPacket *packet, char ***at)
{
    return NO;
}

static Truth ask_ip(const NrPacket *packet, char ***at)
{
    if (packet->v6)
        return NO;
    if (!**at || !g_str_equal(**at, "protocol"))
        return MAYBE;
    (*at)++;
    return is_any(packet, at, is_l4);
}

static Truth ask_ip6(const NrPacket *packet, char ***at)
{
    return packet->v6 ? MAYBE : NO;
}

/* Words that say what the next one is compared with: the last one has the operand behind it. */
static const struct {
    const char *first, *second; /* second: or NULL */
    IsElement is_element;       /* or NULL, and: */
    Truth (*ask)(const NrPacket *packet, char ***at);
} matches[] = {
    { "iifname", NULL, is_in, NULL },       { "oifname", NULL, is_out, NULL },
    { "iif", NULL, is_in, NULL },           { "oif", NULL, is_out, NULL },
    { "ct", "state", is_state, NULL },      { "ct", "status", is_status, NULL },
    { "meta", "nfproto", is_family, NULL }, { "meta", "l4proto", is_l4, NULL },
    { "tcp", NULL, NULL, ask_tcp },         { "udp", NULL, NULL, ask_udp },
    { "icmp", NULL, NULL, ask_icmp },       { "icmpv6", NULL, NULL, ask_icmp },
    { "ip", NULL, NULL, ask_ip },           { "ip6", NULL, NULL, ask_ip6 },
};

/* Words that ask for nothing, and how many come with each of them. */
static const struct {
    const char *word;
    guint more;
} silent[] = { { "counter", 0 },         { "packets", 1 }, { "bytes", 1 },  { "log", 0 },
               { "prefix", 1 },          { "level", 1 },   { "group", 1 },  { "snaplen", 1 },
               { "queue-threshold", 1 }, { "flags", 1 },   { "comment", 1 } };

static gboolean is_silent(char ***at)
{
    for (guint i = 0; i < G_N_ELEMENTS(silent); i++) {
        if (!g_str_equal(**at, silent[i].word))
            continue;
        (*at)++;
        for (guint k = 0; k < silent[i].more && **at; k++)
            (*at)++;
        return TRUE;
    }
    return FALSE;
}

static Truth ask(const NrPacket *packet, char ***at)
{
    for (guint i = 0; i < G_N_ELEMENTS(matches); i++) {
        if (!g_str_equal(**at, matches[i].first) ||
            (matches[i].second && g_strcmp0((*at)[1], matches[i].second) != 0))
            continue;
        *at += matches[i].second ? 2 : 1;
        return matches[i].ask ? matches[i].ask(packet, at)
                              : is_any(packet, at, matches[i].is_element);
    }
    (*at)++;
    return MAYBE;
}

/* --- what it does */

/* "xt match ..." is a condition; "xt target ..." does what it likes. */
static gboolean read_verdict(char *const *at, Verdict *ret, const char **ret_chain)
{
    if (g_str_equal(at[0], "xt") && g_strcmp0(at[1], "match") == 0)
        return FALSE;
    for (guint i = 0; i < G_N_ELEMENTS(verdicts); i++) {
        if (!g_str_equal(at[0], verdicts[i].word))
            continue;
        *ret = verdicts[i].verdict;
        *ret_chain = at[1];
        return TRUE;
    }
    return FALSE;
}

static Verdict read_rule(const NrPacket *packet, char **at, Truth *ret_truth,
                         const char **ret_chain)
{
    Verdict verdict = NOTHING;

    *ret_truth = YES;
    while (*at && !read_verdict(at, &verdict, ret_chain))
        if (!is_silent(&at))
            *ret_truth = both(*ret_truth, ask(packet, &at));
    return verdict;
}

static Fate fate_in(Walk *walk, const NrChain *chain);

static Fate fate_behind(Walk *walk, const NrChain *chain, const char *name)
{
    const NrChain *next =
        name ? nr_ruleset_find(walk->chains, chain->family, chain->table, name) : NULL;
    Fate fate;

    if (!next || walk->depth == JUMPS_MAX)
        return MAY_PASS;
    walk->depth++;
    fate = fate_in(walk, next);
    walk->depth--;
    return fate;
}

/* Where a rule may let packets leave the chain, those that a later one drops are not all. */
static Fate fate_in(Walk *walk, const NrChain *chain)
{
    gboolean some_left = FALSE;

    for (guint i = 0; i < chain->rules->len; i++) {
        const char *next = NULL;
        Truth truth;
        Verdict verdict = read_rule(walk->packet, chain->rules->pdata[i], &truth, &next);
        Fate fate = FALLS;

        if (truth == NO || verdict == NOTHING)
            continue;
        if (verdict == ACCEPT || verdict == UNKNOWN || walk->rules++ == RULES_MAX)
            return MAY_PASS;
        if (verdict == DROP)
            fate = DROPPED;
        if (verdict == JUMP || verdict == GOTO)
            fate = fate_behind(walk, chain, next);
        if (fate == MAY_PASS)
            return MAY_PASS;
        if (truth == YES && fate == DROPPED)
            return some_left ? FALLS : DROPPED;
        if (verdict == RETURN || (verdict == GOTO && fate == FALLS)) {
            if (truth == YES)
                return FALLS;
            some_left = TRUE;
        }
    }
    return FALLS;
}

static gboolean is_met(const NrChain *chain, const NrPacket *packet)
{
    return g_strcmp0(chain->hook, packet->hook) == 0 &&
           (g_str_equal(chain->family, "inet") ||
            g_str_equal(chain->family, packet->v6 ? "ip6" : "ip"));
}

const NrChain *nr_packet_dropped_in(const GPtrArray *chains, const NrPacket *packet)
{
    for (guint i = 0; i < chains->len; i++) {
        const NrChain *chain = chains->pdata[i];
        Walk walk = { .chains = chains, .packet = packet };
        Fate fate = is_met(chain, packet) ? fate_in(&walk, chain) : MAY_PASS;

        if (fate == DROPPED || (fate == FALLS && chain->drops))
            return chain;
    }
    return NULL;
}
