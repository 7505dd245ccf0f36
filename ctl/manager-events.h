/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The manager's events, as they come, in GLib's main loop. A manager that is gone is waited for. */
#ifndef NR_CTL_MANAGER_EVENTS_H
#define NR_CTL_MANAGER_EVENTS_H

#include <gio/gio.h>
#include "ctl/manager.h"

typedef struct NrManagerEvents NrManagerEvents;

typedef struct {
    /* aa{sv} as manager-dbus.xml has them; missed: so many before them are lost. */
    void (*events)(GVariant *events, guint64 missed, gpointer data);
    void (*lost)(gpointer data); /* it has ended, or does not answer */
    void (*back)(gpointer data); /* and there it is again, or its successor */
    /* It never will answer: it is older than we are, or does not let us in any more. */
    void (*failed)(const NrSilence *silence, gpointer data);
} NrManagerHandlers;

/* NULL where there is no manager now: *ret_silence says why. */
NrManagerEvents *nr_manager_events_new(const NrCall *call, const NrManagerHandlers *handlers,
                                       gpointer data, NrSilence *ret_silence);
void nr_manager_events_free(NrManagerEvents *manager);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NrManagerEvents, nr_manager_events_free)
/* Borrowed, for other questions; NULL while the manager is lost. */
GDBusConnection *nr_manager_events_connection(const NrManagerEvents *manager);

#endif
