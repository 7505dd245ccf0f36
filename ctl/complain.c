/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdarg.h>
#include <stdio.h>
#include "ctl/command.h"
#include "xml/guest.h"

void nr_complain(const char *format, ...)
{
    g_autofree char *text = NULL;
    g_autofree char *printable = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    printable = nr_printable(text);
    fprintf(stderr, "netrelayctl: %s\n", printable);
}
