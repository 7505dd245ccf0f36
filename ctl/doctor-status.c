/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/doctor.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include "common/ctl-proto.h"
#include "ctl/row.h"

/* Where a row's own words say all: "what is wrong; what to do". */
static const struct {
    const char *state, *kind;
} told[] = {
    { "foreign", "foreign" },  { "refused", "refused" }, { "faulty", "refused" },
    { "failed", "failed" },    { "connected", "moved" }, { "blocked", "loop" },
    { "busy", "unreachable" },
};

static gboolean has(GVariant *row, const char *key, const char *value)
{
    return g_str_equal(nr_row_text(row, key), value);
}

/* "guest vm1, NIC 52:54:...", or "network lab". New string. */
static char *whose(GVariant *row)
{
    if (*nr_row_text(row, "guest"))
        return g_strdup_printf("guest %s, NIC %s", nr_row_text(row, "guest"),
                               nr_row_text(row, "nic"));
    return g_strdup_printf("network %s", nr_row_text(row, "network"));
}

static const char *about(GVariant *row)
{
    const char *guest = nr_row_text(row, "guest");

    return *guest ? guest : nr_row_text(row, "network");
}

/* A connection of this network that nobody is known to be behind yet: may be the guest's. */
static gboolean has_unknown(GVariant *rows, const char *network)
{
    for (gsize i = 0; i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);

        if (has(row, "network", network) && has(row, "guest", "") && has(row, "kind", "client") &&
            nr_row_number(row, "port") != 0 && !nr_row_is_from_elsewhere(row))
            return TRUE;
    }
    return FALSE;
}

static void look_at_waiting(GPtrArray *findings, GVariant *rows, GVariant *row)
{
    const char *guest = nr_row_text(row, "guest");
    g_autofree char *word = nr_shell_word(guest);
    g_autofree char *cure = NULL;

    if (!has(row, "guest_state", "running") || !has(row, "kind", "client") ||
        has_unknown(rows, nr_row_text(row, "network")))
        return;
    cure = g_strdup_printf("netrelayctl revive %s", word);
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

static void look_at_tunnel(GPtrArray *findings, GVariant *row)
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

static void look_at_dialling(GPtrArray *findings, GVariant *row)
{
    const char *address = nr_row_text(row, "address"), *reason = nr_row_text(row, "reason");
    const char *guest = nr_row_text(row, "guest");

    if (!*reason) /* it has only just begun */
        return;
    if (!*guest)
        look_at_tunnel(findings, row);
    else if (has(row, "guest_state", "running"))
        nr_findings_add(findings, "unreachable", guest,
                        "see who else has connected to that address: QEMU serves one",
                        "guest %s, NIC %s: it listens on %s, and cannot be reached: %s", guest,
                        nr_row_text(row, "nic"), address, reason);
}

static void look_at_loop(GPtrArray *findings, GVariant *row, const char *who)
{
    if (has(row, "kind", "peer"))
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

static void look_at_told(GPtrArray *findings, GVariant *row)
{
    const char *state = nr_row_text(row, "state"), *reason = nr_row_text(row, "reason");
    g_autofree char *who = whose(row);
    const char *cure = strstr(reason, "; ");
    gsize length = cure ? (gsize)(cure - reason) : strlen(reason);
    gboolean says_who = g_str_has_prefix(reason, who); /* as a refusal does, which virsh prints */

    for (guint i = 0; i < G_N_ELEMENTS(told); i++) {
        if (!g_str_equal(state, told[i].state))
            continue;
        if (*reason)
            nr_findings_add(findings, told[i].kind, about(row), cure ? cure + 2 : "", "%s%s%.*s",
                            says_who ? "" : who, says_who ? "" : ": ", (int)length, reason);
        else if (g_str_equal(told[i].kind, "loop"))
            look_at_loop(findings, row, who);
    }
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

        if (has(row, "state", "waiting"))
            look_at_waiting(findings, rows, row);
        else if (has(row, "state", "dialling"))
            look_at_dialling(findings, row);
        else if (has(row, "kind", "listen") && has(row, "state", "listening"))
            look_at_listener(findings, row);
        else
            look_at_told(findings, row);
    }
}

/* Frames for these NICs come from whoever reaches their address. */
static gboolean is_open_to_all(GVariant *row)
{
    return *nr_row_text(row, "guest") && has(row, "guest_state", "running") &&
           (has(row, "kind", "udp") || has(row, "kind", "mcast"));
}

void nr_doctor_open_nics(GPtrArray *findings, GVariant *rows)
{
    g_autofree char *first = NULL, *guest = NULL;
    guint count = 0;

    for (gsize i = 0; i < g_variant_n_children(rows); i++) {
        g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);

        if (is_open_to_all(row) && count++ == 0) {
            first = whose(row);
            guest = g_strdup(nr_row_text(row, "guest"));
        }
    }
    if (count > 0)
        nr_findings_note(findings, "open", guest, NULL,
                         "%s%s: QEMU takes frames for a NIC of type udp or mcast from whoever "
                         "reaches its address; they do not pass netrelay, which cannot see them",
                         first, count > 1 ? ", and others" : "");
}
