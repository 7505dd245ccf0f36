/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who listens to the manager's events: looks for them after each pass, and sends each listener what
 * is new to it whenever it asks for more. While nobody listens nothing is looked for. */
#ifndef NR_DAEMON_CONTROL_EVENTS_H
#define NR_DAEMON_CONTROL_EVENTS_H

#include <gio/gio.h>
#include "daemon/view.h"

typedef struct NrControlEvents NrControlEvents;

typedef struct {
    /* The view now, or NULL while there is nothing to see yet. */
    NrView *(*look)(const NrView *before, gpointer data);
    void (*send)(GDBusConnection *connection, GVariant *events, guint64 missed, gpointer data);
    gpointer data;
} NrControlEventsParts;

struct NrNews;

/* Both are borrowed. */
NrControlEvents *nr_control_events_new(struct NrNews *news, const NrControlEventsParts *parts);
void nr_control_events_free(NrControlEvents *events);
/* A connection asks for what has happened since it was last told, or, the first time, for what
 * happens from here on. It is told once. */
void nr_control_events_ask(NrControlEvents *events, GDBusConnection *connection);
void nr_control_events_forget(NrControlEvents *events, GDBusConnection *connection);
/* Something may have changed. */
void nr_control_events_look(NrControlEvents *events);
void nr_control_events_relay_died(NrControlEvents *events, const char *network, const char *text);

#endif
