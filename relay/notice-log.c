/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/notice-log.h"

#include <stdio.h>

#define NAME_MAX_BYTES (ENDPOINT_TEXT_MAX + INET_TEXT_MAX + 32)

/* "port 7, 127.0.0.1:12345 with 127.0.0.1:40000": what a person can find it by. */
static const char *name_of(const struct holding *holding, char buf[NAME_MAX_BYTES])
{
    const char *endpoint = holding->attachment ? holding->attachment->text : holding->local;

    snprintf(buf, NAME_MAX_BYTES, "port %u, %s%s%s", holding->id, endpoint,
             *holding->peer ? " with " : "", holding->peer);
    return buf;
}

static void say_filtered(struct keeper *keeper, struct holding *holding,
                         const struct handover *message)
{
    char name[NAME_MAX_BYTES], mac[MAC_TEXT_MAX];

    log_limited(LOG_LEVEL_WARNING, "%s: frames from %s may not come in there: dropped and counted",
                name_of(holding, name), mac_format(message->source, mac));
}

static void say_stormed(struct keeper *keeper, struct holding *holding,
                        const struct handover *message)
{
    const struct port_options *options = &holding->options;
    char name[NAME_MAX_BYTES];

    log_limited(LOG_LEVEL_WARNING,
                "%s: more than %u frames a second for everybody: the rest is dropped and counted",
                name_of(holding, name),
                options->limits_storm ? options->storm : keeper->config->storm);
}

static void say_too_long(struct keeper *keeper, struct holding *holding,
                         const struct handover *message)
{
    char name[NAME_MAX_BYTES];

    log_limited(LOG_LEVEL_WARNING, "%s: frames that are too long for it are dropped and counted",
                name_of(holding, name));
}

static void (*const handlers[])(struct keeper *keeper, struct holding *holding,
                                const struct handover *message) = {
    [NOTICE_FILTERED] = say_filtered,
    [NOTICE_STORMED] = say_stormed,
    [NOTICE_TOO_LONG] = say_too_long,
};

void notice_handle(struct keeper *keeper, struct holding *holding, const struct handover *message)
{
    if (message->notice < sizeof(handlers) / sizeof(handlers[0]))
        handlers[message->notice](keeper, holding, message);
}
