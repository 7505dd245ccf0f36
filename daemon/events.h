/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What has happened between two views, as manager-dbus.xml describes events. Pure. */
#ifndef NR_DAEMON_EVENTS_H
#define NR_DAEMON_EVENTS_H

#include "daemon/view.h"

/* GVariant a{sv}, without a time; in the order in which a person would tell it. */
GPtrArray *nr_events_between(const NrView *before, const NrView *after);

#endif
