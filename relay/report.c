/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/report.h"

#include <errno.h>
#include "relay/handover.h"

#define MESSAGES_TURN 64

void report_gone(struct report *report, uint32_t slot, uint32_t id, int error, bool released)
{
    report->gone[report->n_gone++] =
        (struct report_gone){ .slot = slot, .id = id, .error = error, .released = released };
}

void report_stats(struct report *report, uint64_t serial)
{
    report->stats_serial = serial;
    report->stats_slot = 0;
}

static struct mac first_source(const struct report *report, const struct port *port)
{
    const struct filter_pin *first = &report->batch->shared->extra->first[port->slot];

    return first->id == port->id ? first->mac : (struct mac){ 0 };
}

static int tell_counters(const struct report *report, int sock)
{
    const struct port *port = report->batch->ports[report->stats_slot];
    struct handover message = { .type = HANDOVER_COUNTERS, .slot = report->stats_slot };

    if (!port)
        return 0;
    message.id = port->id;
    message.counters = *port->counters;
    message.queued = port_queued(port);
    message.source = first_source(report, port);
    return handover_send(sock, &message, NULL, 0);
}

static int tell_stats(struct report *report, int sock)
{
    struct handover end = { .type = HANDOVER_STATS_END, .serial = report->stats_serial };
    int r;

    for (int n = 0; report->stats_slot < report->batch->n_slots; ++n, ++report->stats_slot) {
        r = n < MESSAGES_TURN ? tell_counters(report, sock) : -EAGAIN;
        if (r < 0)
            return r;
    }
    r = handover_send(sock, &end, NULL, 0);
    if (r == 0)
        report->stats_serial = 0;
    return r;
}

static int tell_gone(struct report *report, int sock)
{
    while (report->n_gone > 0) {
        const struct report_gone *gone = &report->gone[report->n_gone - 1];
        struct handover message = {
            .type = HANDOVER_GONE,
            .slot = gone->slot,
            .id = gone->id,
            .error = gone->error,
            .leaving = gone->released,
            .counters = report->batch->shared->extra->counters[gone->slot],
        };
        int r = handover_send(sock, &message, NULL, 0);

        if (r < 0)
            return r;
        --report->n_gone;
    }
    return 0;
}

int report_tell(struct report *report, int sock)
{
    int r = tell_gone(report, sock);

    return r == 0 && report->stats_serial ? tell_stats(report, sock) : r;
}
