/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/row.h"

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
