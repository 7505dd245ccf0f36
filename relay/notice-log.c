/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/notice-log.h"

#include <errno.h>
#include <string.h>

static void say_filtered(struct keeper *keeper, struct holding *holding,
                         const struct handover *message)
{
    char name[HOLDING_NAME_MAX], mac[MAC_TEXT_MAX];

    log_limited(LOG_LEVEL_WARNING, "%s: frames from %s may not come in there: dropped and counted",
                holding_name(holding, name), mac_format(message->source, mac));
}

static void say_stormed(struct keeper *keeper, struct holding *holding,
                        const struct handover *message)
{
    const struct port_options *options = &holding->options;
    char name[HOLDING_NAME_MAX];

    log_limited(LOG_LEVEL_WARNING,
                "%s: more than %u frames a second for everybody: the rest is dropped and counted",
                holding_name(holding, name),
                options->limits_storm ? options->storm : keeper->config->storm);
}

static void say_too_long(struct keeper *keeper, struct holding *holding,
                         const struct handover *message)
{
    char name[HOLDING_NAME_MAX];

    log_limited(LOG_LEVEL_WARNING, "%s: frames that are too long for it are dropped and counted",
                holding_name(holding, name));
}

static void say_slow(struct keeper *keeper, struct holding *holding, const struct handover *message)
{
    char name[HOLDING_NAME_MAX];

    log_limited(LOG_LEVEL_WARNING,
                "%s: more comes for it than it takes: what its queue has no room for is dropped "
                "and counted",
                holding_name(holding, name));
}

/* What a port was closed for that people should know of; all else is an ordinary end. */
static struct {
    int error;
    enum log_level level;
    const char *what;
    struct log_limit limit;
} ends[] = {
    { .error = -EMSGSIZE,
      .level = LOG_LEVEL_WARNING,
      .what = "a length longer than any frame came" },
    { .error = -EBADMSG, .level = LOG_LEVEL_ERROR, .what = "its frames ended the forwarder twice" },
    { .error = -ENOMEM,
      .level = LOG_LEVEL_ERROR,
      .what = "there is no memory for what waits for it" },
    { .error = -EPROTO, .level = LOG_LEVEL_ERROR, .what = "its positions cannot be" },
};

void notice_gone(const struct holding *holding, int error)
{
    char name[HOLDING_NAME_MAX];

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); ++i)
        if (ends[i].error == error) {
            log_limited_line(&ends[i].limit, ends[i].level, "%s: %s: closed",
                             holding_name(holding, name), ends[i].what);
            return;
        }
    log_limited(LOG_LEVEL_INFO, "%s: gone%s%s", holding_name(holding, name), error ? ": " : "",
                error ? strerror(-error) : "");
}

static void set_blocked(struct keeper *keeper, struct holding *holding, bool blocked)
{
    if (holding->blocked == blocked)
        return;
    holding->blocked = blocked;
    holding->since_s = keeper_clock_s();
    control_port_changed(&keeper->control, holding);
}

static void say_blocked(struct keeper *keeper, struct holding *holding,
                        const struct handover *message)
{
    char name[HOLDING_NAME_MAX];

    set_blocked(keeper, holding, true);
    log_limited(LOG_LEVEL_WARNING, "%s: closes a loop with port %u: blocked until it is gone",
                holding_name(holding, name), message->other);
}

static void say_opened(struct keeper *keeper, struct holding *holding,
                       const struct handover *message)
{
    char name[HOLDING_NAME_MAX];

    set_blocked(keeper, holding, false);
    log_limited(LOG_LEVEL_NOTICE, "%s: the loop is gone: open again", holding_name(holding, name));
}

static void say_looped(struct keeper *keeper, struct holding *holding,
                       const struct handover *message)
{
    char name[HOLDING_NAME_MAX];

    log_limited(LOG_LEVEL_WARNING,
                "%s: there is a loop behind it: what comes back is dropped and counted",
                holding_name(holding, name));
}

void notices_end(struct keeper *keeper)
{
    for (uint32_t slot = 0; slot < keeper->n_slots; ++slot)
        if (keeper->holdings[slot])
            set_blocked(keeper, keeper->holdings[slot], false);
}

static void (*const handlers[])(struct keeper *keeper, struct holding *holding,
                                const struct handover *message) = {
    [NOTICE_FILTERED] = say_filtered, [NOTICE_STORMED] = say_stormed,
    [NOTICE_TOO_LONG] = say_too_long, [NOTICE_BLOCKED] = say_blocked,
    [NOTICE_OPENED] = say_opened,     [NOTICE_LOOPED] = say_looped,
    [NOTICE_SLOW] = say_slow,
};

void notice_handle(struct keeper *keeper, struct holding *holding, const struct handover *message)
{
    if (message->notice < sizeof(handlers) / sizeof(handlers[0]))
        handlers[message->notice](keeper, holding, message);
}
