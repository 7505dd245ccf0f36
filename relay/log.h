/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines to standard error, one write each, which are dropped rather than waited for: a log that
 * nobody reads must not stop a frame. errno is kept.
 */
#ifndef NR_RELAY_LOG_H
#define NR_RELAY_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level {
    LOG_LEVEL_ERROR = 3, /* the numbers of syslog(3) */
    LOG_LEVEL_WARNING = 4,
    LOG_LEVEL_NOTICE = 5, /* the last one that is shown without -v */
    LOG_LEVEL_INFO = 6,
    LOG_LEVEL_DEBUG = 7,
};

/* network: what each line names; shown with everything unprintable escaped. May be "". */
void log_open(const char *network, enum log_level max_level);
/* False where nobody takes the line now: it is let go. */
bool log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)   log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...)  log_line(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...)    log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

/*
 * For what a peer, a guest or a device can cause again and again: a few lines of each kind a
 * minute, then one that says how many more there were, and shows the last. Everything below
 * "error" that is not said once in a life goes this way.
 */
#define LOG_WINDOW_S 60

struct log_limit {
    struct log_limit *next; /* those that have left lines out */
    uint64_t window_s;      /* when it began */
    unsigned count;
    unsigned left_out;
    enum log_level level;
    char last[160];
};

void log_limited_line(struct log_limit *limit, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_limited(level, ...)                                                                    \
    do {                                                                                           \
        static struct log_limit _limit;                                                            \
        log_limited_line(&_limit, level, __VA_ARGS__);                                             \
    } while (0)

/* Is there anything that log_summaries() has to say, soon or now? */
bool log_has_summaries(void);
/* Says how many lines were left out, of those kinds whose minute is over, or of all. */
void log_summaries(bool all);

/* text with everything but printable ASCII as \xNN, cut to size. Returns buf. */
const char *log_printable(const char *text, char *buf, unsigned size);

#endif
