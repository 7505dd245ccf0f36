/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/examine.h"

#include "common/host-change.h"
#include "daemon/action.h"
#include "daemon/place.h"
#include "daemon/row.h"
#include "daemon/unserved.h"
#include "net/nat.h"

/* An address that a guest binds itself. */
typedef struct {
    const NrGuest *guest;
    const NrNic *nic;
} Claim;

static void add(GVariantBuilder *findings, const char *level, const char *kind, const char *about,
                const char *text, const char *cure)
{
    GVariantBuilder dict;

    g_variant_builder_init(&dict, G_VARIANT_TYPE_VARDICT);
    nr_row_put_text(&dict, "level", level);
    nr_row_put_text(&dict, "kind", kind);
    nr_row_put_text(&dict, "about", about);
    nr_row_put_text(&dict, "text", text);
    nr_row_put_text(&dict, "cure", cure);
    g_variant_builder_add_value(findings, g_variant_builder_end(&dict));
}

/* Two definitions with one address */

/* Two NICs of one guest never get along. Two guests may be meant to run in turn. */
static void add_clash(GVariantBuilder *findings, const Claim *first, const Claim *second)
{
    const char *name = second->guest->name;
    g_autofree char *address = nr_address_format(&second->nic->theirs);
    g_autofree char *one = nr_nic_label(first->nic), *other = nr_nic_label(second->nic);
    g_autofree char *text = NULL;

    if (first->guest == second->guest) {
        text = g_strdup_printf("guest %s is to listen on %s with two NICs, %s and %s, so %s", name,
                               address, one, other,
                               second->nic->kind == NR_NIC_UDP
                                   ? "all that comes there reaches one of them only"
                                   : "it cannot start");
        add(findings, "fault", "port-conflict", name, text, "give one of the two another address");
        return;
    }
    text = g_strdup_printf("guests %s (NIC %s) and %s (NIC %s) are both to listen on %s, so one of "
                           "them can run at a time",
                           first->guest->name, one, name, other, address);
    add(findings, "notice", "port-conflict", name, text,
        "give one of them another address, and they can run together");
}

/* Each one that comes too late for its address is told of once, with the first that has it. */
static void look_at_claim(GVariantBuilder *findings, NrPlaceIndex *index, Claim *claim,
                          GHashTable *resolved)
{
    const NrAddress *address = &claim->nic->theirs;
    const NrPlaceGroup *group;
    NrPlaceIter iter;
    NrPlace place;

    if (nr_place_find(&place, address->host, address->l4_port, resolved) != NR_PLACE_FOUND)
        return;
    nr_place_iter_init(&iter, index, &place);
    group = nr_place_iter_next(&iter);
    if (group)
        add_clash(findings, group->values->pdata[0], claim);
    nr_place_index_add(index, &place, claim);
}

static void look_at_claims(GVariantBuilder *findings, const NrExamined *examined, NrNicKind kind)
{
    g_autoptr(NrPlaceIndex) index = nr_place_index_new();
    g_autoptr(GPtrArray) claims = g_ptr_array_new_with_free_func(g_free);

    for (guint i = 0; i < examined->guests->len; i++) {
        const NrGuest *guest = examined->guests->pdata[i];

        for (guint j = 0; j < guest->nics->len; j++) {
            const NrNic *nic = guest->nics->pdata[j];
            Claim *claim;

            if (nic->kind != kind || nic->fault)
                continue;
            claim = g_new(Claim, 1);
            *claim = (Claim){ guest, nic };
            g_ptr_array_add(claims, claim);
            look_at_claim(findings, index, claim, examined->resolved);
        }
    }
}

/* A hook that libvirt does not know of */

static void look_at_hook(GVariantBuilder *findings, const NrExamined *examined)
{
    g_autofree char *text = NULL;

    if (!examined->hook || examined->unannounced->len == 0)
        return;
    text = g_strdup_printf("guest %s started, and libvirt did not call its hook %s: a libvirtd "
                           "that found no hook when it started does not look again",
                           (const char *)examined->unannounced->pdata[0], examined->hook);
    add(findings, "fault", "hook-unread", examined->hook, text,
        examined->system ? "systemctl reload libvirtd, or send it SIGHUP"
                         : "send SIGHUP to your libvirtd");
}

/* Guests that listen, and serve somebody else */

static void look_at_unserved(GVariantBuilder *findings, const GPtrArray *unserved)
{
    for (guint i = 0; unserved && i < unserved->len; i++) {
        const NrUnserved *one = unserved->pdata[i];
        const NrBinding *binding = one->binding;
        g_autofree char *address = nr_address_format(&binding->nic->theirs);
        g_autofree char *nic = nr_nic_label(binding->nic);
        g_autofree char *text =
            g_strdup_printf("guest %s, NIC %s: it listens on %s, and serves %s, behind whose "
                            "connection that of network %s waits",
                            binding->guest->name, nic, address,
                            one->served ? one->served : "somebody else", binding->network);

        add(findings, "fault", "unreachable", binding->guest->name, text,
            "end the other connection to that address: QEMU serves one");
    }
}

/* NICs that may have changed places */

static void look_at_mixed_up(GVariantBuilder *findings, const GPtrArray *mixed_up)
{
    for (guint i = 0; mixed_up && i < mixed_up->len; i++) {
        const NrMixedUp *one = mixed_up->pdata[i];
        const char *guest = one->binding->guest->name;
        g_autofree char *nic = nr_nic_label(one->binding->nic);
        g_autofree char *other = nr_nic_label(one->other->nic);
        g_autofree char *text =
            g_strdup_printf("guest %s, NIC %s: its first frame came from the address of NIC %s, "
                            "which dials the same address: what is limited, pinned or captured as "
                            "the one may be the other",
                            guest, nic, other);

        add(findings, "notice", "mixed-up", guest, text,
            "let each of its NICs dial a port of its own, and they cannot be taken for each other");
    }
}

/* What was changed in this host's kernel, and is not as it should be */

/* Nothing is done again that somebody has undone: he may have meant it. */
static void add_undone(GVariantBuilder *findings, const NrGroundFault *fault)
{
    g_autofree char *words = nr_action_change_words(fault->change);
    g_autofree char *text = g_strdup_printf(
        "network %s: it is to %s, and did, and somebody has undone that", fault->network, words);
    g_autofree char *cure = g_strdup_printf("netrelayctl net-destroy %s, and net-start %s, do it "
                                            "again",
                                            fault->network, fault->network);
    char commands[NAT_COMMANDS_MAX];
    struct host_change change;

    if (!host_change_parse(&change, fault->change))
        return;
    if (change.kind == HOST_GUARD_UDP) {
        g_autofree char *said =
            g_strdup_printf("%s: it is to %s, and somebody has undone that", fault->network, words);

        add(findings, "fault", "undone", fault->network, said, "netrelayctl reload does it again");
        return;
    }
    if (change.kind == HOST_ADDRESS) {
        g_free(cure);
        cure = g_strdup_printf("ip address add %s dev %s", change.value, change.device);
    }
    if (change.kind == HOST_NAT && nat_commands(change.device, change.value, commands) == 0) {
        g_free(cure);
        cure = g_strdup_printf("nft '%s'", commands);
    }
    add(findings, "fault", "undone", fault->network, text, cure);
}

static void add_kept(GVariantBuilder *findings, const NrGroundFault *fault)
{
    struct host_change change;
    g_autofree char *text = NULL;

    if (!host_change_parse(&change, fault->change))
        return;
    text = g_strdup_printf("network %s has gone, and %s, which was made for it, is still there: "
                           "others use it, and it goes when they do not",
                           fault->network, change.device);
    add(findings, "notice", "kept", change.device, text, "");
}

static void look_at_ground(GVariantBuilder *findings, const GPtrArray *ground)
{
    for (guint i = 0; ground && i < ground->len; i++) {
        const NrGroundFault *fault = ground->pdata[i];

        (fault->kept ? add_kept : add_undone)(findings, fault);
    }
}

GVariant *nr_examine(const NrExamined *examined)
{
    GVariantBuilder findings;

    g_variant_builder_init(&findings, G_VARIANT_TYPE("aa{sv}"));
    look_at_hook(&findings, examined);
    look_at_claims(&findings, examined, NR_NIC_LISTENS);
    look_at_claims(&findings, examined, NR_NIC_UDP);
    look_at_unserved(&findings, examined->unserved);
    look_at_mixed_up(&findings, examined->mixed_up);
    look_at_ground(&findings, examined->ground);
    return g_variant_builder_end(&findings);
}
