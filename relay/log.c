/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES      1024 /* below PIPE_BUF: a writable pipe takes it without waiting */
#define LIMIT_LINES         10   /* a minute, of a kind */
#define LIMIT_LINES_VERBOSE 600  /* of those that were asked for, by -v */

static char log_network[160];
static enum log_level log_max = LOG_LEVEL_NOTICE;
static bool log_prefix;
static struct log_limit *log_leaving_out;

const char *log_printable(const char *text, char *buf, unsigned size)
{
    unsigned at = 0;

    for (; *text && at + 5 < size; ++text) {
        unsigned char c = (unsigned char)*text;

        if (c >= ' ' && c < 0x7f)
            buf[at++] = (char)c;
        else
            at += (unsigned)snprintf(buf + at, size - at, "\\x%02x", c);
    }
    buf[at] = '\0';
    return buf;
}

void log_open(const char *network, enum log_level max_level)
{
    char shown[140];

    log_printable(network, shown, sizeof(shown));
    snprintf(log_network, sizeof(log_network), "%s%s", shown, *shown ? ": " : "");
    log_max = max_level;
    log_prefix = !isatty(STDERR_FILENO);
}

static bool write_line(const char *line, size_t len)
{
    struct pollfd fd = { .fd = STDERR_FILENO, .events = POLLOUT };

    return poll(&fd, 1, 0) == 1 && (fd.revents & POLLOUT) && write(STDERR_FILENO, line, len) >= 0;
}

static bool write_format(enum log_level level, const char *format, va_list args)
{
    int saved = errno;
    char text[LINE_MAX_BYTES], line[LINE_MAX_BYTES];
    size_t at = 0;
    bool taken;

    if (log_prefix)
        at = (size_t)snprintf(line, sizeof(line), "<%d>", level);
    at += (size_t)snprintf(line + at, sizeof(line) - at, "netrelay: %s", log_network);
    vsnprintf(text, sizeof(text), format, args);
    /* A path that somebody else has named is one line, and none of a terminal's orders. */
    log_printable(text, line + at, (unsigned)(sizeof(line) - 1 - at));
    at += strlen(line + at);
    line[at++] = '\n';
    taken = write_line(line, at);
    errno = saved;
    return taken;
}

bool log_line(enum log_level level, const char *format, ...)
{
    va_list args;
    bool taken;

    if (level > log_max)
        return true;
    va_start(args, format);
    taken = write_format(level, format, args);
    va_end(args);
    return taken;
}

static uint64_t clock_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec;
}

static void summarise(struct log_limit *limit)
{
    struct log_limit **at = &log_leaving_out;

    if (!limit->left_out)
        return;
    log_line(limit->level, "%u more lines like this were left out: %s", limit->left_out,
             limit->last);
    limit->left_out = 0;
    while (*at != limit)
        at = &(*at)->next;
    *at = limit->next;
}

static void leave_out(struct log_limit *limit, enum log_level level, const char *format,
                      va_list args)
{
    if (!limit->left_out++) {
        limit->next = log_leaving_out;
        log_leaving_out = limit;
    }
    limit->level = level;
    vsnprintf(limit->last, sizeof(limit->last), format, args);
}

void log_limited_line(struct log_limit *limit, enum log_level level, const char *format, ...)
{
    unsigned lines = level > LOG_LEVEL_NOTICE ? LIMIT_LINES_VERBOSE : LIMIT_LINES;
    uint64_t now_s = clock_s();
    va_list args;

    if (level > log_max)
        return;
    if (now_s >= limit->window_s + LOG_WINDOW_S) {
        summarise(limit);
        limit->window_s = now_s;
        limit->count = 0;
    }
    va_start(args, format);
    if (limit->count++ < lines)
        write_format(level, format, args);
    else
        leave_out(limit, level, format, args);
    va_end(args);
}

bool log_has_summaries(void)
{
    return log_leaving_out != NULL;
}

void log_summaries(bool all)
{
    struct log_limit *limit, *next;
    uint64_t now_s = clock_s();

    for (limit = log_leaving_out; limit; limit = next) {
        next = limit->next;
        if (all || now_s >= limit->window_s + LOG_WINDOW_S)
            summarise(limit);
    }
}
