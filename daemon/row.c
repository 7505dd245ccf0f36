/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/row.h"

#include <string.h>

const char *nr_row_text(GVariant *row, const char *key)
{
    const char *text = "";

    g_variant_lookup(row, key, "&s", &text);
    return text;
}

guint64 nr_row_number(GVariant *row, const char *key)
{
    guint64 large = 0;
    guint32 small = 0;

    if (g_variant_lookup(row, key, "u", &small))
        return small;
    g_variant_lookup(row, key, "t", &large);
    return large;
}

gboolean nr_row_is(GVariant *row, const char *key, const char *text)
{
    return g_str_equal(nr_row_text(row, key), text);
}

gboolean nr_row_is_from_elsewhere(GVariant *row)
{
    const char *ours = nr_row_text(row, "address"), *theirs = nr_row_text(row, "peer");
    const char *our_end = strrchr(ours, ':'), *their_end = strrchr(theirs, ':');

    return g_str_equal(nr_row_text(row, "kind"), "client") && our_end && their_end &&
           (our_end - ours != their_end - theirs ||
            strncmp(ours, theirs, (gsize)(our_end - ours)) != 0);
}

gboolean nr_row_is_unknown(GVariant *row)
{
    return nr_row_is(row, "guest", "") && nr_row_is(row, "kind", "client") &&
           nr_row_number(row, "port") != 0 && !nr_row_is_from_elsewhere(row);
}

char *nr_row_whose(GVariant *row)
{
    if (*nr_row_text(row, "guest"))
        return g_strdup_printf("guest %s, NIC %s", nr_row_text(row, "guest"),
                               nr_row_text(row, "nic"));
    return g_strdup_printf("network %s", nr_row_text(row, "network"));
}

/* What waits or is dialled is a fault only where it has had the time that it needs. */
static const char *fault_of_waiting(GVariant *row)
{
    if (nr_row_is(row, "kind", "host")) /* what only has to be made yet gives no reason */
        return *nr_row_text(row, "reason") ? "way-out" : NULL;
    return nr_row_is(row, "guest_state", "running") && nr_row_is(row, "kind", "client") ? "deaf"
                                                                                        : NULL;
}

static const char *fault_of_dialling(GVariant *row)
{
    if (!*nr_row_text(row, "reason")) /* it has only just begun */
        return NULL;
    if (!*nr_row_text(row, "guest"))
        return "tunnel";
    return nr_row_is(row, "guest_state", "running") ? "unreachable" : NULL;
}

const char *nr_row_fault(GVariant *row)
{
    static const struct {
        const char *state, *fault;
        gboolean needs_reason; /* without one it is in order */
        const char *(*judge)(GVariant *row);
    } states[] = {
        { .state = "waiting", .judge = fault_of_waiting },
        { .state = "dialling", .judge = fault_of_dialling },
        { .state = "foreign", .fault = "foreign" },
        { .state = "refused", .fault = "refused" },
        { .state = "faulty", .fault = "refused" },
        { .state = "failed", .fault = "failed" },
        { .state = "blocked", .fault = "loop" },
        { .state = "busy", .fault = "unreachable" },
        { .state = "connected", .fault = "moved", .needs_reason = TRUE },
    };

    for (guint i = 0; i < G_N_ELEMENTS(states); i++) {
        if (!nr_row_is(row, "state", states[i].state))
            continue;
        if (states[i].judge)
            return states[i].judge(row);
        return !states[i].needs_reason || *nr_row_text(row, "reason") ? states[i].fault : NULL;
    }
    return NULL;
}

void nr_row_put_text(GVariantBuilder *row, const char *key, const char *text)
{
    g_variant_builder_add(row, "{sv}", key,
                          g_variant_new_take_string(g_utf8_make_valid(text ? text : "", -1)));
}
