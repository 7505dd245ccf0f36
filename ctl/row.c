/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/row.h"

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

gboolean nr_row_is_from_elsewhere(GVariant *row)
{
    const char *ours = nr_row_text(row, "address"), *theirs = nr_row_text(row, "peer");
    const char *our_end = strrchr(ours, ':'), *their_end = strrchr(theirs, ':');

    return g_str_equal(nr_row_text(row, "kind"), "client") && our_end && their_end &&
           (our_end - ours != their_end - theirs ||
            strncmp(ours, theirs, (gsize)(our_end - ours)) != 0);
}
