/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/log.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>
#include "xml/guest.h"

#define REPEAT_US  (60 * G_USEC_PER_SEC)
#define REMEMBERED 512 /* sentences; then all are forgotten, which costs a few repeats */

typedef struct {
    gint64 written_us;
    guint held_back;
} Sentence;

static GMutex lock;
static GHashTable *sentences; /* text -> Sentence; under lock */
static gboolean debugging;
static gboolean to_journal, to_terminal;

void nr_log_open(gboolean debug)
{
    debugging = debug;
    to_terminal = isatty(STDERR_FILENO);
    to_journal = g_getenv("JOURNAL_STREAM") != NULL;
    sentences = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

/*
 * Whether the sentence is due; then *ret_before is how often it was held back since the last time.
 */
static gboolean sentence_due(const char *text, guint *ret_before)
{
    Sentence *known = g_hash_table_lookup(sentences, text);
    gint64 now_us = g_get_monotonic_time();

    *ret_before = 0;
    if (known && now_us - known->written_us < REPEAT_US) {
        known->held_back++;
        return FALSE;
    }
    if (!known) {
        if (g_hash_table_size(sentences) >= REMEMBERED)
            g_hash_table_remove_all(sentences);
        known = g_new0(Sentence, 1);
        g_hash_table_insert(sentences, g_strdup(text), known);
    }
    *ret_before = known->held_back;
    known->held_back = 0;
    known->written_us = now_us;
    return TRUE;
}

/* The journal has a time and our name of its own, and reads the level; a file has neither. */
static void write_prefix(NrLogLevel level)
{
    g_autoptr(GDateTime) now = NULL;
    g_autofree char *time = NULL;

    if (to_journal) {
        fprintf(stderr, "<%d>", (int)level);
        return;
    }
    if (!to_terminal) {
        now = g_date_time_new_now_local();
        time = g_date_time_format(now, "%F %T");
        fprintf(stderr, "%s ", time);
    }
    fputs("netrelayd: ", stderr);
}

static void write_line(NrLogLevel level, const char *text, guint before)
{
    g_autofree char *printable = nr_printable(text);

    write_prefix(level);
    if (before > 0)
        fprintf(stderr, "%s (and %u times in the minute before)\n", printable, before);
    else
        fprintf(stderr, "%s\n", printable);
}

void nr_log(NrLogLevel level, const char *format, ...)
{
    g_autofree char *text = NULL;
    int keep = errno;
    guint before = 0;
    va_list args;

    if (level == NR_LOG_DEBUG && !debugging)
        return;
    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);

    g_mutex_lock(&lock);
    if (debugging || sentence_due(text, &before))
        write_line(level, text, before);
    g_mutex_unlock(&lock);
    errno = keep;
}
