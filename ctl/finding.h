/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the doctor found: one thing that is wrong or worth knowing, and what to do about it. */
#ifndef NR_CTL_FINDING_H
#define NR_CTL_FINDING_H

#include <glib.h>

typedef struct {
    const char *kind; /* one word of netrelayctl(1), for programs */
    char *about;      /* the guest, network, device or file it is about; or "" */
    char *text;       /* what is wrong, without full stop */
    char *cure;       /* what to do; "" where the text says it, or nobody can */
    gboolean notice;  /* nothing is wrong, but it is good to know */
} NrFinding;

/* NrFinding, in the order they were made. */
GPtrArray *nr_findings_new(void);
/* cure: NULL is "". The text is a format. */
void nr_findings_add(GPtrArray *findings, const char *kind, const char *about, const char *cure,
                     const char *format, ...) G_GNUC_PRINTF(5, 6);
void nr_findings_note(GPtrArray *findings, const char *kind, const char *about, const char *cure,
                      const char *format, ...) G_GNUC_PRINTF(5, 6);
/* A name as one word of a command line that may be copied into a shell, and is no option there.
 * New string. */
char *nr_shell_word(const char *name);

#endif
