/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024 /* below PIPE_BUF: a writable pipe takes it without waiting */
#define LIMIT_LINES    10
#define LIMIT_WINDOW_S 60

static char log_network[160];
static enum log_level log_max = LOG_LEVEL_NOTICE;
static bool log_prefix;

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

bool log_line(enum log_level level, const char *format, ...)
{
    int saved = errno;
    char line[LINE_MAX_BYTES];
    size_t at = 0;
    va_list args;
    bool taken;

    if (level > log_max)
        return true;
    if (log_prefix)
        at = (size_t)snprintf(line, sizeof(line), "<%d>", level);
    at += (size_t)snprintf(line + at, sizeof(line) - at, "netrelay: %s", log_network);
    va_start(args, format);
    at += (size_t)vsnprintf(line + at, sizeof(line) - at, format, args);
    va_end(args);
    if (at > sizeof(line) - 1)
        at = sizeof(line) - 1;
    line[at++] = '\n';
    taken = write_line(line, at);
    errno = saved;
    return taken;
}

bool log_limit_passes(struct log_limit *limit)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    if ((uint64_t)now.tv_sec >= limit->window_s + LIMIT_WINDOW_S) {
        if (limit->suppressed)
            log_notice("%u more lines like the next one were left out", limit->suppressed);
        limit->window_s = (uint64_t)now.tv_sec;
        limit->count = 0;
        limit->suppressed = 0;
    }
    if (limit->count < LIMIT_LINES) {
        ++limit->count;
        return true;
    }
    ++limit->suppressed;
    return false;
}
