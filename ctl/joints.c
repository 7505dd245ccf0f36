/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/joints.h"

#include "ctl/finding.h"
#include "daemon/row.h"

static void joint_free(gpointer p)
{
    NrJoint *joint = p;

    g_free(joint->place[0]);
    g_free(joint->place[1]);
    g_free(joint->name);
    g_free(joint->fault);
    g_free(joint->cure);
    g_free(joint);
}

static void joint_fail(NrJoint *joint, char *fault, char *cure)
{
    if (joint->fault) {
        g_free(fault);
        g_free(cure);
        return; /* the first one is what it is about */
    }
    joint->fault = fault;
    joint->cure = cure ? cure : g_strdup("");
}

/* TAPs in bridges */

static char *cure_with(const char *format, const char *name)
{
    g_autofree char *word = nr_shell_word(name);

    return g_strdup_printf("ip link set %s %s", word, format);
}

static void check_links(NrJoint *joint, const GPtrArray *links, const char *tap_name,
                        const char *bridge_name)
{
    const NrHostLink *tap = nr_host_links_find(links, tap_name);
    const NrHostLink *bridge = nr_host_links_find(links, bridge_name);

    if (!bridge)
        joint_fail(joint, g_strdup_printf("there is no bridge %s", bridge_name), NULL);
    else if (!tap)
        joint_fail(joint, g_strdup("there is no such device"), NULL);
    else if (g_strcmp0(tap->master, bridge_name) != 0)
        joint_fail(joint, g_strdup_printf("it is not in bridge %s", bridge_name),
                   g_strdup("netrelayctl reload"));
    else if (!tap->up)
        joint_fail(joint, g_strdup("it is down"), cure_with("up", tap_name));
    else if (!bridge->up)
        joint_fail(joint, g_strdup_printf("bridge %s is down", bridge_name),
                   cure_with("up", bridge_name));
}

/* A row that is not connected says so, and perhaps why. */
static void check_row(NrJoint *joint, GVariant *row)
{
    const char *state = nr_row_text(row, "state"), *reason = nr_row_text(row, "reason");

    if (!g_str_equal(state, "connected"))
        joint_fail(joint, g_strdup_printf("it is %s%s%s", state, *reason ? ": " : "", reason),
                   NULL);
}

/* A network may have a TAP that somebody else has put into a bridge. */
static const char *bridge_of(GVariant *row, const GPtrArray *links)
{
    const char *name = nr_row_text(row, "peer");
    const NrHostLink *link = links ? nr_host_links_find(links, name) : NULL;

    return link && !link->bridge && link->master ? link->master : name;
}

static void add_tap(GPtrArray *joints, GVariant *row, const GPtrArray *links)
{
    const char *tap = nr_row_text(row, "address"), *bridge = bridge_of(row, links);
    NrJoint *joint = g_new0(NrJoint, 1);

    joint->place[0] = g_strdup_printf("network %s", nr_row_text(row, "network"));
    joint->place[1] = g_strdup_printf("bridge %s", bridge);
    joint->name = *tap ? g_strdup_printf("TAP %s", tap) : g_strdup("TAP");
    check_row(joint, row);
    if (links)
        check_links(joint, links, tap, bridge);
    g_ptr_array_add(joints, joint);
}

/* Tunnels */

/* A tunnel, and somebody on a network that is listened for at the tunnel's far end. */
static gboolean leads_to(GVariant *tunnel, GVariant *row)
{
    const char *peer = nr_row_text(tunnel, "peer");
    const char *far = *peer ? peer : nr_row_text(tunnel, "address");

    return g_str_equal(nr_row_text(row, "kind"), "client") &&
           g_str_equal(nr_row_text(row, "address"), far) &&
           !g_str_equal(nr_row_text(row, "network"), nr_row_text(tunnel, "network"));
}

static void add_tunnel(GPtrArray *joints, GVariant *tunnel, GVariant *row)
{
    NrJoint *joint = g_new0(NrJoint, 1);

    joint->place[0] = g_strdup_printf("network %s", nr_row_text(tunnel, "network"));
    joint->place[1] = g_strdup_printf("network %s", nr_row_text(row, "network"));
    joint->name = g_strdup_printf("tunnel to %s", nr_row_text(tunnel, "address"));
    check_row(joint, tunnel);
    g_ptr_array_add(joints, joint);
}

static void add_row(GPtrArray *joints, GVariant *rows, GVariant *row, const GPtrArray *links)
{
    if (g_str_equal(nr_row_text(row, "kind"), "tap"))
        add_tap(joints, row, links);
    if (!g_str_equal(nr_row_text(row, "kind"), "peer"))
        return;
    for (gsize i = 0; i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) other = g_variant_get_child_value(rows, i);

        if (leads_to(row, other))
            add_tunnel(joints, row, other);
    }
}

GPtrArray *nr_joints_new(GVariant *rows, const GPtrArray *links)
{
    GPtrArray *joints = g_ptr_array_new_with_free_func(joint_free);

    for (gsize i = 0; i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);

        add_row(joints, rows, row, links);
    }
    return joints;
}

/* The way */

const char *nr_joint_far_place(const NrJoint *joint, const char *place)
{
    if (g_str_equal(joint->place[0], place))
        return joint->place[1];
    return g_str_equal(joint->place[1], place) ? joint->place[0] : NULL;
}

/* From where it was found back to the beginning. */
static GPtrArray *trace(GHashTable *came_by, const char *from, const char *to)
{
    GPtrArray *way = g_ptr_array_new();

    while (!g_str_equal(from, to)) {
        const NrJoint *joint = g_hash_table_lookup(came_by, to);

        g_ptr_array_insert(way, 0, (gpointer)joint);
        to = nr_joint_far_place(joint, to);
    }
    return way;
}

/* Breadth first: the shortest way. */
static GPtrArray *search(const GPtrArray *joints, const char *from, const char *to,
                         gboolean whole_only)
{
    g_autoptr(GHashTable) came_by = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GPtrArray) reached = g_ptr_array_new();

    g_hash_table_insert(came_by, (gpointer)from, NULL);
    g_ptr_array_add(reached, (gpointer)from);
    for (guint next = 0; next < reached->len; next++) {
        const char *place = reached->pdata[next];

        if (g_str_equal(place, to))
            return trace(came_by, from, to);
        for (guint i = 0; i < joints->len; i++) {
            const NrJoint *joint = joints->pdata[i];
            const char *far = nr_joint_far_place(joint, place);

            if (!far || (whole_only && joint->fault) || g_hash_table_contains(came_by, far))
                continue;
            g_hash_table_insert(came_by, (gpointer)far, (gpointer)joint);
            g_ptr_array_add(reached, (gpointer)far);
        }
    }
    return NULL;
}

GPtrArray *nr_joints_between(const GPtrArray *joints, const char *from, const char *to)
{
    GPtrArray *way = search(joints, from, to, TRUE);

    return way ? way : search(joints, from, to, FALSE);
}
