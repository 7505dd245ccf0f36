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

static gboolean is_same(const NrFinding *one, const NrFinding *other)
{
    return g_str_equal(one->kind, other->kind) && g_str_equal(one->text, other->text) &&
           g_str_equal(one->cure, other->cure);
}

/* Takes the finding. Two rows of one network may lack the same thing, which is said once. */
static void add(GPtrArray *findings, NrFinding *finding)
{
    for (guint i = 0; i < findings->len; i++) {
        if (is_same(findings->pdata[i], finding)) {
            finding_free(finding);
            return;
        }
    }
    g_ptr_array_add(findings, finding);
}

void nr_findings_add(GPtrArray *findings, const char *kind, const char *about, const char *cure,
                     const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(findings, finding_new(kind, about, cure, g_strdup_vprintf(format, args)));
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
    add(findings, finding);
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
