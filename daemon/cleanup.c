/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/cleanup.h"

#include "daemon/log.h"

static void nobody_changed(gpointer data)
{
}

static void nobody_died(const char *network, gint64 age_ms, const char *text, gpointer data)
{
}

static void nothing_replaced(const char *network, const char *how, gpointer data)
{
}

const NrRelaysEvents nr_cleanup_events = { .changed = nobody_changed,
                                           .died = nobody_died,
                                           .replaced = nothing_replaced };

static void on_all_stopped(gpointer data)
{
    const NrCleanup *parts = data;
    g_autofree char *text = NULL;
    gboolean whole = nr_relays_count(parts->world->relays) == 0;

    if (nr_ground_lift_all(parts->world->ground, &text) < 0) {
        nr_log(NR_LOG_WARNING, "%s", text);
        whole = FALSE;
    }
    if (whole)
        nr_runtime_dir_remove(parts->runtime);
    parts->done(whole, parts->data);
}

static void on_adopted(gpointer data)
{
    const NrCleanup *parts = data;

    nr_relays_stop_all(parts->world->relays, on_all_stopped, data);
}

void nr_cleanup(const NrCleanup *parts)
{
    nr_relays_adopt(parts->world->relays, on_adopted, (gpointer)parts);
}
