/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/seconds.h"

#define SECONDS_MAX (366.0 * 24 * 3600)

gboolean nr_seconds_read(const char *text, double *ret)
{
    char *end;

    if (!g_ascii_isdigit(*text))
        return FALSE;
    *ret = g_ascii_strtod(text, &end);
    return !*end && *ret <= SECONDS_MAX;
}
