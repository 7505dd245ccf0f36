/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/udp-guard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "common/host-change.h"
#include "daemon/log.h"
#include "net/udp-guard.h"

struct NrUdpGuard {
    NrGround *ground;
    GArray *senders;   /* uid_t */
    GPtrArray *change; /* its one text of host-change.h */
    char *followed;    /* what was wanted when it was last done, or tried; NULL: do it anew */
    gboolean laid;     /* the table was made, and is to be there */
};

NrUdpGuard *nr_udp_guard_new(NrGround *ground, const uid_t *senders, guint n_senders)
{
    static const struct host_change change = { .kind = HOST_GUARD_UDP, .device = "lo" };
    NrUdpGuard *guard = g_new0(NrUdpGuard, 1);
    char text[HOST_CHANGE_TEXT_MAX];

    guard->ground = ground;
    guard->senders = g_array_new(FALSE, FALSE, sizeof(uid_t));
    g_array_append_vals(guard->senders, senders, n_senders);
    guard->change = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(guard->change, g_strdup(host_change_format(&change, text)));
    return guard;
}

void nr_udp_guard_free(NrUdpGuard *guard)
{
    if (!guard)
        return;
    g_array_unref(guard->senders);
    g_ptr_array_unref(guard->change);
    g_free(guard->followed);
    g_free(guard);
}

/* "127.0.0.1:5602", "0.0.0.0:5602"; the model has no others. */
static struct udp_guarded guarded_of(const char *text)
{
    const char *colon = strrchr(text, ':');
    g_autofree char *host = g_strndup(text, (gsize)(colon - text));
    struct udp_guarded guarded = { .l4_port = (uint16_t)atoi(colon + 1) };

    if (inet_pton(AF_INET, host, &guarded.addr) != 1)
        guarded.addr.s_addr = htonl(INADDR_ANY);
    return guarded;
}

static int keep(NrUdpGuard *guard, const GPtrArray *places, gboolean more, char **ret_text)
{
    g_autofree struct udp_guarded *guarded = g_new(struct udp_guarded, places->len);
    int r = nr_ground_lay(guard->ground, NR_UDP_GUARD_OWNER, guard->change, ret_text);

    guard->laid = r == 0;
    if (r < 0)
        return r;
    for (guint i = 0; i < places->len; i++)
        guarded[i] = guarded_of(g_ptr_array_index(places, i));
    r = udp_guard_fill(guarded, places->len, (const uid_t *)(const void *)guard->senders->data,
                       guard->senders->len, more);
    return r == -ENOENT ? 0 : r; /* somebody took the table away: the doctor tells */
}

static char *format(const GPtrArray *places, gboolean guests_known)
{
    GString *text = g_string_new(guests_known ? "" : "at least");

    for (guint i = 0; places && i < places->len; i++)
        g_string_append_printf(text, " %s", (const char *)g_ptr_array_index(places, i));
    return g_string_free(text, FALSE);
}

void nr_udp_guard_follow(NrUdpGuard *guard, const NrDesired *desired, gboolean guests_known)
{
    const GPtrArray *places = desired->guarded;
    g_autofree char *wanted = format(places, guests_known), *text = NULL;
    gboolean any = places && places->len > 0;
    int r;

    if (g_strcmp0(wanted, guard->followed) == 0 || (!any && !guests_known))
        return;
    r = any ? keep(guard, places, !guests_known, &text)
            : nr_ground_lift(guard->ground, guard->change, &text);
    if (r == 0 && any)
        nr_log(NR_LOG_INFO, "%s: other users of this host are kept from%s", NR_UDP_GUARD_OWNER,
               wanted + (guests_known ? 0 : strlen("at least")));
    if (r < 0)
        nr_log(NR_LOG_WARNING, "%s: %s: %s", NR_UDP_GUARD_OWNER,
               any ? "the udp ports of guests are open to other users of this host"
                   : "what it did cannot be taken back",
               text ? text : g_strerror(-r));
    g_free(guard->followed);
    guard->followed = g_steal_pointer(&wanted);
}

/* A record of what somebody has taken away would say that it is not to be made again. */
void nr_udp_guard_renew(NrUdpGuard *guard)
{
    g_autofree char *text = NULL;
    bool there = false;

    if (guard->laid && udp_guard_is_set(&there) == 0 && !there)
        (void)nr_ground_lift(guard->ground, guard->change, &text);
    g_clear_pointer(&guard->followed, g_free);
}
