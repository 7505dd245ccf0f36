/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/way.h"

#include <string.h>
#include "ctl/capture-target.h"
#include "ctl/finding.h"
#include "ctl/joints.h"
#include "daemon/row.h"

static void hop_free(gpointer p)
{
    NrHop *hop = p;

    g_free(hop->name);
    g_free(hop->text);
    g_free(hop->cure);
    g_free(hop);
}

static void add_hop(NrWay *way, char *name, gboolean whole, char *text, char *cure)
{
    NrHop *hop = g_new0(NrHop, 1);

    *hop = (NrHop){ name, whole, text, cure ? cure : g_strdup("") };
    g_ptr_array_add(way->hops, hop);
    if (!whole && !way->broken)
        way->broken = hop;
}

void nr_way_break(NrWay *way, char *name, char *text, char *cure)
{
    add_hop(way, name, FALSE, text, cure);
}

/* NICs */

static GVariant *find_nic(GVariant *rows, const char *word, char **ret_fault)
{
    g_autoptr(GVariant) found = NULL;
    guint count = 0;

    for (gsize i = 0; i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);

        if (!nr_row_is_nic(row, word))
            continue;
        count++;
        g_clear_pointer(&found, g_variant_unref);
        found = g_steal_pointer(&row);
    }
    if (count == 1)
        return g_steal_pointer(&found);
    *ret_fault = count ? g_strdup_printf("'%s' has %u NICs; say which: %s/%s, for example", word,
                                         count, word, nr_row_text(found, "nic"))
                       : g_strdup_printf("no active guest has a NIC of type client, server or udp "
                                         "that is '%s' (GUEST/NIC)",
                                         word);
    return NULL;
}

static char *shell_guest(GVariant *row)
{
    return nr_shell_word(nr_row_text(row, "guest"));
}

/* A reason is "what is wrong", or "what is wrong; what to do". */
static gsize wrong_length(const char *reason)
{
    const char *end = strstr(reason, "; ");

    return end ? (gsize)(end - reason) : strlen(reason);
}

static char *cure_of_state(GVariant *row)
{
    const char *reason = nr_row_text(row, "reason"), *to_do = reason + wrong_length(reason);
    gboolean dialled = nr_row_is(row, "kind", "server") && *nr_row_text(row, "peer"); /* by that */
    g_autofree char *guest = nr_shell_word(nr_row_text(row, dialled ? "peer" : "guest"));

    if (nr_row_is(row, "state", "waiting"))
        return g_strdup_printf("netrelayctl revive %s", guest);
    return g_strdup(*to_do ? to_do + strlen("; ") : "netrelayctl doctor");
}

/* Why no frame passes it, or NULL; with what to do. */
static char *nic_fault(GVariant *row, char **ret_cure)
{
    const char *state = nr_row_text(row, "state"), *reason = nr_row_text(row, "reason");
    g_autofree char *guest = shell_guest(row);

    if (!g_str_equal(nr_row_text(row, "guest_state"), "running")) {
        *ret_cure = g_strdup_printf("virsh start %s", guest);
        return g_strdup("its guest does not run");
    }
    if (g_str_equal(nr_row_text(row, "link"), "down")) {
        *ret_cure = g_strdup_printf("virsh domif-setlink %s %s up", guest, nr_row_text(row, "mac"));
        return g_strdup("its link is set down");
    }
    if (g_str_equal(state, "connected") || g_str_equal(state, "direct") ||
        g_str_equal(state, "joined"))
        return NULL;
    *ret_cure = cure_of_state(row);
    return g_strdup_printf("it is %s%s%.*s", state, *reason ? ": " : "", (int)wrong_length(reason),
                           reason);
}

static char *nic_text(GVariant *row)
{
    const char *options = nr_row_text(row, "options");

    if (!nr_row_number(row, "port"))
        return g_strdup(nr_row_text(row, "state"));
    return g_strdup_printf("port %" G_GUINT64_FORMAT "; %" G_GUINT64_FORMAT
                           " frames came from it, %" G_GUINT64_FORMAT
                           " went to it, %" G_GUINT64_FORMAT " were let go%s%s",
                           nr_row_number(row, "port"), nr_row_number(row, "rx_frames"),
                           nr_row_number(row, "tx_frames"), nr_row_number(row, "drops"),
                           *options ? "; limited: " : "", options);
}

static void add_nic(NrWay *way, GVariant *row, guint end)
{
    char *cure = NULL;
    char *fault = nic_fault(row, &cure);

    add_hop(way, g_strdup(way->name[end]), !fault, fault ? fault : nic_text(row), cure);
}

/* What is in between */

static void add_place(NrWay *way, GVariant *rows, const char *place)
{
    const char *network = g_str_has_prefix(place, "network ") ? strchr(place, ' ') + 1 : NULL;
    guint64 pid = 0;

    for (gsize i = 0; network && !pid && i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);

        if (g_str_equal(nr_row_text(row, "network"), network))
            pid = nr_row_number(row, "relay_pid");
    }
    if (!network)
        add_hop(way, g_strdup(place), TRUE, g_strdup("what else it lets pass is the host's matter"),
                NULL);
    else if (pid)
        add_hop(way, g_strdup(place), TRUE, g_strdup_printf("relay %" G_GUINT64_FORMAT, pid), NULL);
    else
        add_hop(way, g_strdup(place), FALSE, g_strdup("it has no relay"),
                g_strdup("netrelayctl doctor"));
}

static void add_joints(NrWay *way, GVariant *rows, const GPtrArray *joints, const char *from)
{
    add_place(way, rows, from);
    for (guint i = 0; i < joints->len; i++) {
        const NrJoint *joint = joints->pdata[i];

        from = nr_joint_far_place(joint, from);
        add_hop(way, g_strdup(joint->name), !joint->fault,
                g_strdup(joint->fault ? joint->fault : "up"), g_strdup(joint->cure));
        add_place(way, rows, from);
    }
}

/* Where a tunnel of this network's leads; "" where it has none. */
static char *tunnel_of(GVariant *rows, const char *network)
{
    for (gsize i = 0; i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);

        if (g_str_equal(nr_row_text(row, "network"), network) &&
            g_str_equal(nr_row_text(row, "kind"), "peer"))
            return g_strdup(nr_row_text(row, "address"));
    }
    return g_strdup("");
}

/* Of networks that nothing joins. */
static char *apart_text(GVariant *rows, const char *from, const char *to)
{
    g_autofree char *tunnel = tunnel_of(rows, from);

    return g_strdup_printf("no bridge and no tunnel of this host leads on to network %s%s%s%s", to,
                           *tunnel ? ", and where its tunnel to " : "", tunnel,
                           *tunnel ? " leads cannot be seen from here" : "");
}

static void add_between(NrWay *way, GVariant *rows, const GPtrArray *links)
{
    g_autofree char *from = g_strdup_printf("network %s", way->network[0]);
    g_autofree char *to = g_strdup_printf("network %s", way->network[1]);
    g_autoptr(GPtrArray) joints = nr_joints_new(rows, links);
    g_autoptr(GPtrArray) between = nr_joints_between(joints, from, to);

    if (between) {
        add_joints(way, rows, between, from);
        return;
    }
    add_place(way, rows, from);
    add_hop(way, g_strdup("the gap between them"), FALSE,
            apart_text(rows, way->network[0], way->network[1]),
            g_strdup("give both a NIC on one network, or one bridge to both networks; see "
                     "netrelay-network(5)"));
    add_place(way, rows, to);
}

static gboolean is_direct(GVariant *row, GVariant *other)
{
    return g_str_equal(nr_row_text(row, "state"), "direct") &&
           g_str_equal(nr_row_text(row, "peer"), nr_row_text(other, "guest"));
}

static void add_middle(NrWay *way, GVariant *rows, const GPtrArray *links, GVariant *const nic[2])
{
    if (is_direct(nic[0], nic[1]) && is_direct(nic[1], nic[0]))
        add_hop(way, g_strdup("between them"), TRUE,
                g_strdup("they meet without us, as their addresses say"), NULL);
    else if (*way->network[0] && *way->network[1])
        add_between(way, rows, links);
    else if (!way->broken)
        add_hop(way, g_strdup("the gap between them"), FALSE,
                g_strdup_printf("%s is on no network", way->name[*way->network[0] ? 1 : 0]), NULL);
}

NrWay *nr_way_new(GVariant *rows, const GPtrArray *links, const char *from, const char *to,
                  char **ret_fault)
{
    g_autoptr(GVariant) first = find_nic(rows, from, ret_fault);
    g_autoptr(GVariant) last = first ? find_nic(rows, to, ret_fault) : NULL;
    GVariant *const nic[2] = { first, last };
    g_autoptr(NrWay) way = g_new0(NrWay, 1);

    way->hops = g_ptr_array_new_with_free_func(hop_free);
    if (!first || !last)
        return NULL;
    if (g_variant_equal(first, last)) {
        *ret_fault = g_strdup("from a NIC to itself there is no way");
        return NULL;
    }
    way->seen = TRUE;
    for (guint i = 0; i < 2; i++) {
        way->name[i] =
            g_strdup_printf("%s/%s", nr_row_text(nic[i], "guest"), nr_row_text(nic[i], "nic"));
        way->network[i] = g_strdup(nr_row_text(nic[i], "network"));
        way->label[i] = nr_row_label(nic[i]);
        way->seen = way->seen && nr_row_number(nic[i], "port");
    }
    add_nic(way, first, 0);
    add_middle(way, rows, links, nic);
    add_nic(way, last, 1);
    return g_steal_pointer(&way);
}

void nr_way_free(NrWay *way)
{
    if (!way)
        return;
    for (guint i = 0; i < 2; i++) {
        g_free(way->name[i]);
        g_free(way->network[i]);
        g_free(way->label[i]);
    }
    g_ptr_array_unref(way->hops);
    g_free(way);
}
