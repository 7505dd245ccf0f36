/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The manager's log: one line to standard error for each change. A sentence that repeats within a
 * minute is written once and counted. Every line is made printable here, so names may be given raw.
 * May be called from any thread. */
#ifndef NR_DAEMON_LOG_H
#define NR_DAEMON_LOG_H

#include <glib.h>

typedef enum { /* the numbers of syslog(3), which journald reads from <N> */
               NR_LOG_ERROR = 3,
               NR_LOG_WARNING = 4,
               NR_LOG_NOTICE = 5,
               NR_LOG_INFO = 6,
               NR_LOG_DEBUG = 7,
} NrLogLevel;

void nr_log_open(gboolean debug);
void nr_log(NrLogLevel level, const char *format, ...) G_GNUC_PRINTF(2, 3);

#endif
