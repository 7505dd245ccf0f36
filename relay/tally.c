/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/tally.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include "relay/keeper.h"

#define AGAIN_MS  20
#define STUCK_MAX 250 /* five seconds: nobody reads */
#define TEXT_MAX  512

#define container(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

/* In the words of netrelay(1). */
static const struct {
    const char *name;
    size_t offset;
} reasons[] = {
    { "queue", offsetof(struct port_counters, drop_queue) },
    { "runt", offsetof(struct port_counters, drop_runt) },
    { "size", offsetof(struct port_counters, drop_size) },
    { "stranger", offsetof(struct port_counters, drop_stranger) },
    { "error", offsetof(struct port_counters, drop_error) },
    { "filter", offsetof(struct port_counters, drop_filter) },
    { "loop", offsetof(struct port_counters, drop_loop) },
    { "storm", offsetof(struct port_counters, drop_storm) },
};

static const char *describe_drops(const struct port_counters *counters, char buf[TEXT_MAX])
{
    int at = 0;

    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); ++i) {
        uint64_t frames = *(const uint64_t *)((const char *)counters + reasons[i].offset);

        if (frames && at < TEXT_MAX)
            at += snprintf(buf + at, (size_t)(TEXT_MAX - at), "%s %s %" PRIu64,
                           at ? "," : "; dropped:", reasons[i].name, frames);
    }
    return at ? buf : "";
}

static bool tell_port(const struct holding *holding)
{
    const struct port_counters counters = holding_counters(holding), *c = &counters;
    char name[HOLDING_NAME_MAX], shown[HOLDING_NAME_MAX], label[TEXT_MAX], drops[TEXT_MAX];

    return log_line(LOG_LEVEL_NOTICE,
                    "%s%s%s: %s; rx %" PRIu64 " frames, %" PRIu64 " bytes; tx %" PRIu64
                    " frames, %" PRIu64 " bytes; queued %" PRIu64 " bytes%s",
                    log_printable(holding_name(holding, name), shown, sizeof(shown)),
                    *holding->label ? ", " : "",
                    log_printable(holding->label, label, sizeof(label)),
                    ctl_port_state_name(holding_state(holding)), c->rx_frames, c->rx_bytes,
                    c->tx_frames, c->tx_bytes, holding->queued, describe_drops(c, drops));
}

static bool tell_endpoint(const struct attachment *a)
{
    char shown[ENDPOINT_TEXT_MAX], detail[TEXT_MAX];

    log_printable(a->text, shown, sizeof(shown));
    return log_line(LOG_LEVEL_NOTICE, "endpoint %u, %.*s: %s%s%s", a->id,
                    holding_name_length(shown), shown, ctl_endpoint_state_name(a->state),
                    *a->detail ? ": " : "", log_printable(a->detail, detail, sizeof(detail)));
}

/* Ids only grow along the list, which may have changed since. False where a line was not taken. */
static bool tell_endpoints(struct tally *tally)
{
    for (struct attachment *a = tally->keeper->attachments; a; a = a->next) {
        if (a->id <= tally->endpoint_id)
            continue;
        if (!tell_endpoint(a))
            return false;
        tally->endpoint_id = a->id;
        tally->stuck = 0;
    }
    return true;
}

static bool tell_ports(struct tally *tally)
{
    for (; tally->slot < tally->keeper->n_slots; ++tally->slot) {
        const struct holding *holding = tally->keeper->holdings[tally->slot];

        if (holding && !tell_port(holding))
            return false;
        tally->stuck = 0;
    }
    return true;
}

/* A pipe holds some hundred lines; the rest comes once its reader has taken them. */
static void tell(struct tally *tally)
{
    if (!(tell_endpoints(tally) && tell_ports(tally)) && ++tally->stuck < STUCK_MAX)
        loop_timer_in(&tally->keeper->loop, &tally->timer, AGAIN_MS);
    else
        tally->telling = false;
}

static void on_again(struct loop_timer *timer)
{
    tell(container(timer, struct tally, timer));
}

void tally_init(struct tally *tally, struct keeper *keeper)
{
    *tally = (struct tally){ .keeper = keeper, .timer.on_timer = on_again };
}

void tally_ask(struct tally *tally)
{
    if (tally->asked || tally->telling)
        return;
    tally->asked = true;
    forwarder_proc_ask_stats(&tally->keeper->forwarder);
}

void tally_stats_ready(struct tally *tally)
{
    if (!tally->asked)
        return;
    tally->asked = false;
    tally->telling = true;
    tally->endpoint_id = 0;
    tally->slot = 0;
    tally->stuck = 0;
    log_notice("counters of %u ports:", tally->keeper->n_holdings);
    tell(tally);
}
