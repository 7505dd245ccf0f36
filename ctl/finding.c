/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/finding.h"

#include <stdarg.h>
#include <string.h>

static void finding_free(gpointer p)
{
    NrFinding *finding = p;

    g_free(finding->about);
    g_free(finding->text);
    g_free(finding->cure);
    g_free(finding);
}

GPtrArray *nr_findings_new(void)
{
    return g_ptr_array_new_with_free_func(finding_free);
}

/* Takes the text. */
static NrFinding *finding_new(const char *kind, const char *about, const char *cure, char *text)
{
    NrFinding *finding = g_new0(NrFinding, 1);

    finding->kind = kind;
    finding->about = g_strdup(about);
    finding->text = text;
    finding->cure = g_strdup(cure ? cure : "");
    return finding;
}

void nr_findings_add(GPtrArray *findings, const char *kind, const char *about, const char *cure,
                     const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_ptr_array_add(findings, finding_new(kind, about, cure, g_strdup_vprintf(format, args)));
    va_end(args);
}

void nr_findings_note(GPtrArray *findings, const char *kind, const char *about, const char *cure,
                      const char *format, ...)
{
    NrFinding *finding;
    va_list args;

    va_start(args, format);
    finding = finding_new(kind, about, cure, g_strdup_vprintf(format, args));
    va_end(args);
    finding->notice = TRUE;
    g_ptr_array_add(findings, finding);
}

char *nr_shell_word(const char *name)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    g_autofree char *quoted = NULL;

    if (*name && *name != '-' && name[strspn(name, plain)] == '\0')
        return g_strdup(name);
    quoted = g_shell_quote(name);
    return g_strdup_printf("%s%s", *name == '-' ? "-- " : "", quoted);
}
