/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/ground.h"

#include <errno.h>
#include <string.h>
#include "common/scope.h"
#include "daemon/change-words.h"
#include "daemon/lives.h"
#include "daemon/log.h"
#include "net/link.h"
#include "net/transaction.h"

#define LAY_MAX 128 /* texts of one endpoint */

struct NrGround {
    struct journal *journal; /* NULL: it could not be read, so nothing is changed */
    NrUplinks *uplinks;      /* HOST_UPLINK, which is recorded and guarded apart */
    GHashTable *kept;        /* set of texts that could not be taken back yet */
    NrLives *lives;          /* of others' devices */
};

NrGround *nr_ground_new(int dir_fd)
{
    NrGround *ground = g_new0(NrGround, 1);
    int r = journal_open(dir_fd, &ground->journal);

    ground->uplinks = nr_uplinks_new(dir_fd);
    ground->kept = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    ground->lives = nr_lives_new();
    nr_lives_look(ground->lives, ground->journal);
    if (r == -EBADMSG)
        nr_log(NR_LOG_WARNING,
               "the file " JOURNAL_FILE " cannot be understood; it is put aside as " JOURNAL_FILE
               ".bad, and what it says was changed in the kernel stays as it is");
    else if (r < 0)
        nr_log(NR_LOG_WARNING, "the file " JOURNAL_FILE " cannot be read: %s", g_strerror(-r));
    return ground;
}

void nr_ground_free(NrGround *ground)
{
    if (!ground)
        return;
    free(ground->journal);
    nr_uplinks_free(ground->uplinks);
    g_hash_table_unref(ground->kept);
    nr_lives_free(ground->lives);
    g_free(ground);
}

NrUplinks *nr_ground_uplinks(const NrGround *ground)
{
    return ground->uplinks;
}

/* A bridge is let go of after what was moved to it. */
static void show_uplinks(const NrGround *ground, NrActual *actual)
{
    guint first = actual->changes->len;

    nr_uplinks_show(ground->uplinks, actual);
    for (guint i = first; i < actual->changes->len; i++) {
        NrActualChange *change = g_ptr_array_index(actual->changes, i);

        change->kept = g_hash_table_contains(ground->kept, change->change);
    }
}

void nr_ground_show(const NrGround *ground, NrActual *actual)
{
    for (size_t i = 0; ground->journal && i < ground->journal->count; i++) {
        const struct journal_record *record = &ground->journal->records[i];
        char text[HOST_CHANGE_TEXT_MAX];
        NrActualChange *change =
            nr_actual_change_new(host_change_format(&record->change, text), record->owner);

        change->done = record->done;
        change->kept = g_hash_table_contains(ground->kept, text);
        g_ptr_array_add(actual->changes, change);
    }
    show_uplinks(ground, actual);
}

static char *address_sentence(const struct host_change *change, int error)
{
    if (error == -EADDRINUSE)
        return g_strdup_printf("%s cannot have the address %s: another device of this host has one "
                               "of that subnet; take another subnet",
                               change->device, change->value);
    if (error == -EACCES)
        return g_strdup_printf("%s cannot have the address %s: IPv6 is switched off there",
                               change->device, change->value);
    return g_strdup_printf("%s cannot have the address %s: %s", change->device, change->value,
                           error == -EEXIST ? "it has it with another prefix" : g_strerror(-error));
}

static char *setting_sentence(const struct host_change *change, int error)
{
    g_autofree char *aim = nr_change_to_lay(change);

    if (error == -ENODEV && change->kind == HOST_FORWARD_V6)
        return g_strdup("this host has no IPv6, so it forwards none");
    if (error == -ENODEV)
        return g_strdup_printf("there is no device %s", change->device);
    if (error == -EEXIST && change->kind == HOST_ROUTE)
        return g_strdup_printf("this host has another route to %s", change->value);
    if (error == -E2BIG)
        return g_strdup("too many devices of this host forward IPv6 on their own account to be "
                        "restored one by one; switch it on yourself: sysctl "
                        "net.ipv6.conf.all.forwarding=1");
    return g_strdup_printf("cannot %s: %s", aim, g_strerror(-error));
}

static char *rule_sentence(const struct host_change *change, int error)
{
    if (error == -ENOPKG)
        return g_strdup("the library that rules for packets are written with is not installed: "
                        "install libnftables1");
    if (change->kind == HOST_GUARD_UDP && error == -EEXIST)
        return g_strdup("there is a table inet netrelay_guard that was not made for this (nft list "
                        "table inet netrelay_guard)");
    if (change->kind == HOST_GUARD_UDP)
        return NULL;
    return g_strdup_printf(
        "cannot masquerade %s: %s; either this kernel has no NAT, or the table inet "
        "netrelay is somebody else's (nft list table inet netrelay)",
        change->value, g_strerror(-error));
}

/* NULL: the errno says it, of the bridge. New string. */
static char *lay_sentence(const struct host_change *change, int error)
{
    if (error == -EPERM)
        return NULL;
    switch (change->kind) {
    case HOST_BRIDGE:
        return error == -EEXIST
                   ? g_strdup_printf("%s was made by somebody else just now", change->device)
                   : NULL;
    case HOST_ADDRESS:
        return address_sentence(change, error);
    case HOST_NAT:
    case HOST_GUARD_UDP:
        return rule_sentence(change, error);
    default:
        return setting_sentence(change, error);
    }
}

/* False: one of them is none. Those that are a move come last, for they need the bridge. */
static gboolean parse_all(const GPtrArray *texts, struct host_change ret[LAY_MAX],
                          size_t *ret_others)
{
    size_t count = 0;

    for (int moves = 0; moves <= 1; moves++) {
        for (guint i = 0; i < texts->len; i++) {
            struct host_change change;

            if (!host_change_parse(&change, g_ptr_array_index(texts, i)))
                return FALSE;
            if ((change.kind == HOST_UPLINK) == moves)
                ret[count++] = change;
        }
        if (!moves)
            *ret_others = count;
    }
    return TRUE;
}

/* Those of this call; what was there before it stays. */
static void take_back(NrGround *ground, const struct host_change *changes, size_t count,
                      size_t first_new)
{
    while (count-- > 0) {
        const struct journal_record *record = journal_find(ground->journal, &changes[count]);

        if (record && record >= ground->journal->records + first_new)
            (void)transaction_lift(ground->journal, &changes[count]);
    }
}

int nr_ground_lay(NrGround *ground, const char *network, const GPtrArray *texts, char **ret_text)
{
    struct host_change changes[LAY_MAX];
    size_t failed = 0, others = 0, first_new;
    int r;

    if (!ground->journal || texts->len > LAY_MAX)
        return ground->journal ? -E2BIG : -EIO;
    if (!parse_all(texts, changes, &others))
        return -EINVAL;
    first_new = ground->journal->count;
    r = transaction_lay(ground->journal, network, changes, others, &failed);
    if (r < 0) {
        *ret_text = lay_sentence(&changes[failed], r);
        return r;
    }
    nr_lives_look(ground->lives, ground->journal);
    for (size_t i = others; i < texts->len && r == 0; i++)
        r = nr_uplinks_lay(ground->uplinks, network, &changes[i], ret_text);
    if (r < 0)
        take_back(ground, changes, others, first_new);
    return r;
}

static char *lift_sentence(const struct host_change *change, int error)
{
    if (change->kind == HOST_BRIDGE && error == -EBUSY)
        return g_strdup_printf(
            "other devices are in the bridge %s; it is removed once they are not", change->device);
    return g_strdup_printf("%s: %s", change->device, g_strerror(-error));
}

static int lift(NrGround *ground, const struct host_change *change, char **ret_text)
{
    char text[HOST_CHANGE_TEXT_MAX];
    int r = change->kind == HOST_UPLINK ? nr_uplinks_lift(ground->uplinks, change, ret_text)
                                        : transaction_lift(ground->journal, change);

    if (r == 0)
        return 0;
    g_hash_table_add(ground->kept, g_strdup(host_change_format(change, text)));
    if (!*ret_text)
        *ret_text = lift_sentence(change, r);
    return r;
}

int nr_ground_lift(NrGround *ground, const GPtrArray *texts, char **ret_text)
{
    struct host_change change;
    int worst = 0;

    for (guint i = 0; ground->journal && i < texts->len; i++) {
        int r = host_change_parse(&change, g_ptr_array_index(texts, i))
                    ? lift(ground, &change, ret_text)
                    : -EINVAL;

        worst = worst ? worst : r;
    }
    return worst;
}

int nr_ground_lift_all(NrGround *ground, char **ret_text)
{
    g_autoptr(GArray) moves = nr_uplinks_all(ground->uplinks);
    int worst = 0;

    for (guint i = 0; i < moves->len; i++) {
        int r = lift(ground, &g_array_index(moves, struct host_change, i), ret_text);

        worst = worst ? worst : r;
    }

    for (size_t i = ground->journal ? ground->journal->count : 0; i-- > 0;) {
        struct host_change change = ground->journal->records[i].change;
        int r = lift(ground, &change, ret_text);

        worst = worst ? worst : r;
    }
    return worst;
}

gboolean nr_ground_is_lifted(const NrGround *ground)
{
    g_autoptr(GArray) moves = nr_uplinks_all(ground->uplinks);

    return !ground->journal ||
           ground->journal->count + moves->len <= g_hash_table_size(ground->kept);
}

static gboolean is_free(gpointer text, gpointer value, gpointer data)
{
    struct host_change change;
    struct link_state link;
    bool members = false;

    return !host_change_parse(&change, text) || change.kind != HOST_BRIDGE ||
           link_get(change.device, &link) < 0 || link_has_members(link.ifindex, &members) < 0 ||
           !members;
}

void nr_ground_look_again(NrGround *ground)
{
    g_hash_table_foreach_remove(ground->kept, is_free, NULL);
    nr_lives_look(ground->lives, ground->journal);
}

/* Of a bridge that is there we do not mind the address: others' own comes and goes with members. */
static gboolean is_undone(const struct journal_record *record)
{
    char now[KERNEL_STATE_MAX] = "";
    int r = kernel_look(&record->change, now);

    if (!record->done || (r < 0 && r != -ENOTSUP))
        return FALSE;
    if (record->change.kind == HOST_BRIDGE)
        return *now == '\0';
    /* Up to a blank it is what was wanted; behind it, how it came about. */
    return strcspn(now, " ") != strcspn(record->ours, " ") ||
           strncmp(now, record->ours, strcspn(now, " ")) != 0;
}

static void fault_free(gpointer data)
{
    NrGroundFault *fault = data;

    g_free(fault->network);
    g_free(fault->change);
    g_free(fault);
}

static void add_fault(GPtrArray *faults, const char *network, const char *change, gboolean kept)
{
    NrGroundFault *fault = g_new(NrGroundFault, 1);

    *fault = (NrGroundFault){ g_strdup(network), g_strdup(change), kept };
    g_ptr_array_add(faults, fault);
}

static void add_undone_move(const char *network, const struct host_change *change, gpointer faults)
{
    char text[HOST_CHANGE_TEXT_MAX];

    add_fault(faults, network, host_change_format(change, text), FALSE);
}

GPtrArray *nr_ground_faults(const NrGround *ground)
{
    GPtrArray *faults = g_ptr_array_new_with_free_func(fault_free);
    g_autoptr(GHashTable) lost = g_hash_table_new(g_str_hash, g_str_equal); /* bridges */

    for (size_t i = 0; ground->journal && i < ground->journal->count; i++) {
        const struct journal_record *record = &ground->journal->records[i];
        const struct host_change *change = &record->change;
        char text[HOST_CHANGE_TEXT_MAX];
        gboolean kept = g_hash_table_contains(ground->kept, host_change_format(change, text));

        if (!kept && (g_hash_table_contains(lost, change->device) || !is_undone(record)))
            continue;
        if (!kept && change->kind == HOST_BRIDGE)
            g_hash_table_add(lost, (gpointer)change->device);
        add_fault(faults, record->owner, text, kept);
    }
    nr_uplinks_each_undone(ground->uplinks, add_undone_move, faults);
    return faults;
}

void nr_ground_note(const NrGround *ground)
{
    int r = ground->journal ? journal_write(ground->journal) : 0;

    nr_uplinks_note(ground->uplinks);
    if (r < 0)
        nr_log(NR_LOG_WARNING, "the file " JOURNAL_FILE " cannot be written: %s", g_strerror(-r));
}
