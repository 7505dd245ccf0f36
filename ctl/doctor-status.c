/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/doctor.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include "common/ctl-proto.h"
#include "daemon/row.h"

static const char *about(GVariant *row)
{
    const char *guest = nr_row_text(row, "guest");

    return *guest ? guest : nr_row_text(row, "network");
}

static gboolean has_unknown(GVariant *rows, const char *network)
{
    for (gsize i = 0; i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);

        if (nr_row_is_unknown(row) && nr_row_is(row, "network", network))
            return TRUE;
    }
    return FALSE;
}

static void look_at_deaf(GPtrArray *findings, GVariant *rows, GVariant *row)
{
    const char *guest = nr_row_text(row, "guest");
    g_autofree char *word = nr_shell_word(guest);
    g_autofree char *cure = g_strdup_printf("netrelayctl revive %s", word);

    if (!has_unknown(rows, nr_row_text(row, "network")))
        nr_findings_add(
            findings, "deaf", guest, cure,
            "guest %s, NIC %s: it is deaf, for nobody listened on %s when it started, or its "
            "connection was lost, and QEMU does not try again",
            guest, nr_row_text(row, "nic"), nr_row_text(row, "address"));
}

/* What cures a tunnel, by the relay's words on why it is not there. New string. */
static char *cure_of_tunnel(const char *reason, const char *l4_port)
{
    static const int ways[] = { EHOSTUNREACH, ENETUNREACH, ETIMEDOUT, EHOSTDOWN };
    static const int names[] = { EAI_NONAME, EAI_NODATA, EAI_AGAIN, EAI_FAIL };

    if (g_str_equal(reason, g_strerror(ECONNREFUSED)))
        return g_strdup_printf("nobody listens there: write <listen port='%s' admit='ADDRESS'/> "
                               "into the network's file on that host, with this host's address, or "
                               "correct the port",
                               l4_port);
    if (g_str_equal(reason, CTL_DETAIL_HUNG_UP))
        return g_strdup_printf("have it admit this host: <listen port='%s' admit='ADDRESS'/> in "
                               "the network's file there, with this host's address",
                               l4_port);
    if (g_str_equal(reason, CTL_DETAIL_HUNG_UP_HERE)) /* whatever its admit= says */
        return g_strdup("a network admits no relay of its own host: write the <listen> of both "
                        "networks into one file, or the same <bridge> into both");
    for (guint i = 0; i < G_N_ELEMENTS(ways); i++)
        if (g_str_equal(reason, g_strerror(ways[i])))
            return g_strdup("start that host, open the way to it, or correct the address");
    for (guint i = 0; i < G_N_ELEMENTS(names); i++)
        if (g_str_equal(reason, gai_strerror(names[i])))
            return g_strdup("correct the name, or make it known to this host");
    return g_strdup("see to the relay on that host, or correct the address");
}

static void look_at_tunnel(GPtrArray *findings, GVariant *rows, GVariant *row)
{
    const char *address = nr_row_text(row, "address"), *reason = nr_row_text(row, "reason");
    const char *network = nr_row_text(row, "network"), *colon = strrchr(address, ':');
    gint64 since = (gint64)nr_row_number(row, "since");
    g_autoptr(GDateTime) time = since ? g_date_time_new_from_unix_local(since) : NULL;
    g_autofree char *when = time ? g_date_time_format(time, " since %F %T") : NULL;
    g_autofree char *cure = cure_of_tunnel(reason, colon ? colon + 1 : "");

    nr_findings_add(findings, "tunnel", network, cure,
                    "network %s: its tunnel to %s leads nowhere%s: %s", network, address,
                    when ? when : "", reason);
}

static void look_at_loop(GPtrArray *findings, GVariant *row, const char *who)
{
    if (nr_row_is(row, "kind", "peer"))
        nr_findings_add(findings, "loop", about(row),
                        "nothing, where it is a spare; else take the <peer> out of the file of one "
                        "of the two hosts",
                        "%s: its tunnel to %s leads where another way leads already, so no frame "
                        "passes it as long as that one is there",
                        who, nr_row_text(row, "address"));
    else
        nr_findings_add(findings, "loop", about(row),
                        "take away one of the two ways between the same networks",
                        "%s: port %" G_GUINT64_FORMAT " closes a loop, so no frame passes it", who,
                        nr_row_number(row, "port"));
}

/* Its own words say all: "what is wrong; what to do". */
static void look_at_told(GPtrArray *findings, GVariant *row, const char *fault)
{
    const char *reason = nr_row_text(row, "reason");
    g_autofree char *who = nr_row_whose(row);
    const char *cure = strstr(reason, "; ");
    gsize length = cure ? (gsize)(cure - reason) : strlen(reason);
    gboolean says_who = g_str_has_prefix(reason, who); /* as a refusal does, which virsh prints */

    if (*reason)
        nr_findings_add(findings, fault, about(row), cure ? cure + 2 : "", "%s%s%.*s",
                        says_who ? "" : who, says_who ? "" : ": ", (int)length, reason);
    else if (g_str_equal(fault, "loop"))
        look_at_loop(findings, row, who);
}

static void look_at_unreachable(GPtrArray *findings, GVariant *rows, GVariant *row)
{
    const char *guest = nr_row_text(row, "guest");

    if (!nr_row_is(row, "kind", "server")) { /* but its far end is, which its words tell of */
        look_at_told(findings, row, "unreachable");
        return;
    }
    nr_findings_add(findings, "unreachable", guest,
                    "see who else has connected to that address: QEMU serves one",
                    "guest %s, NIC %s: it listens on %s, and cannot be reached: %s", guest,
                    nr_row_text(row, "nic"), nr_row_text(row, "address"),
                    nr_row_text(row, "reason"));
}

static void look_at_fault(GPtrArray *findings, GVariant *rows, GVariant *row, const char *fault)
{
    static const struct {
        const char *fault;
        void (*look)(GPtrArray *findings, GVariant *rows, GVariant *row);
    } looks[] = {
        { "deaf", look_at_deaf },
        { "tunnel", look_at_tunnel },
        { "unreachable", look_at_unreachable },
    };

    for (guint i = 0; i < G_N_ELEMENTS(looks); i++) {
        if (g_str_equal(fault, looks[i].fault)) {
            looks[i].look(findings, rows, row);
            return;
        }
    }
    look_at_told(findings, row, fault);
}

/* It may be just what is wanted, or a tunnel that somebody waits for. */
static void look_at_listener(GPtrArray *findings, GVariant *row)
{
    const char *reason = nr_row_text(row, "reason");

    if (*reason)
        nr_findings_note(findings, "stranger", about(row),
                         "write that host into its admit=", "network %s, listener %s: %s",
                         nr_row_text(row, "network"), nr_row_text(row, "address"), reason);
}

static void look_at_summary(GPtrArray *findings, GVariant *summary)
{
    const char *libvirt = nr_row_text(summary, "libvirt");
    g_autofree const char **faults = NULL;

    if (!g_str_equal(libvirt, "connected"))
        nr_findings_add(findings, "libvirt", "", "start it: systemctl start libvirtd",
                        "netrelayd has no connection to libvirt at %s: %s",
                        nr_row_text(summary, "uri"), libvirt);
    g_variant_lookup(summary, "faults", "^a&s", &faults);
    for (guint i = 0; faults && faults[i]; i++)
        nr_findings_add(findings, "file", "", "correct that file; what runs goes on as it was",
                        "refused: %s", faults[i]);
}

void nr_doctor_status(GPtrArray *findings, GVariant *rows, GVariant *summary)
{
    look_at_summary(findings, summary);
    for (gsize i = 0; i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);

        const char *fault = nr_row_fault(row);

        if (fault)
            look_at_fault(findings, rows, row, fault);
        else if (nr_row_is(row, "kind", "listen") && nr_row_is(row, "state", "listening"))
            look_at_listener(findings, row);
    }
}

/* Frames for these NICs come from whoever reaches their address. */
static gboolean is_open_to_all(GVariant *row)
{
    return *nr_row_text(row, "guest") && nr_row_is(row, "guest_state", "running") &&
           ((nr_row_is(row, "kind", "udp") && !nr_row_is(row, "guarded", "yes")) ||
            nr_row_is(row, "kind", "mcast"));
}

void nr_doctor_open_nics(GPtrArray *findings, GVariant *rows, gboolean system)
{
    g_autofree char *first = NULL, *guest = NULL;
    gboolean udp = FALSE;
    guint count = 0;

    for (gsize i = 0; i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);

        if (!is_open_to_all(row))
            continue;
        udp |= nr_row_is(row, "kind", "udp");
        if (count++ == 0) {
            first = nr_row_whose(row);
            guest = g_strdup(nr_row_text(row, "guest"));
        }
    }
    if (count > 0)
        nr_findings_note(findings, "open", guest,
                         udp && system
                             ? "guard-udp=yes under [policy] in netrelayd.conf keeps other "
                               "users of this host from udp ports"
                             : NULL,
                         "%s%s: QEMU takes frames for a NIC of type udp or mcast from whoever "
                         "reaches its address; they do not pass netrelay, which cannot see them",
                         first, count > 1 ? ", and others" : "");
}
