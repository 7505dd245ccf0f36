/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The D-Bus interface of manager-dbus.xml on a socket of our own: for whom callers.h says. */
#ifndef NR_DAEMON_CONTROL_API_H
#define NR_DAEMON_CONTROL_API_H

#include "daemon/guest-source.h"
#include "daemon/reconcile.h"
#include "daemon/stopped.h"

typedef struct NrControlApi NrControlApi;

/* Borrowed for the life of the API. */
typedef struct {
    const NrWorld *world;
    NrReconcile *reconcile;
    const char *uri;
    const char *networks_dir;
    NrStopped *stopped;
    NrGuestSource *const *source; /* there before the first request */
    char *const *libvirt;         /* the connection's state, which changes */
    void (*reload)(gpointer data);
    gpointer data;
} NrControlParts;

/* dir_fd: the runtime directory. */
NrControlApi *nr_control_api_new(int dir_fd, const NrControlParts *parts);
/* Makes its socket, for its owner only until admit() is called: at first, and where somebody has
 * removed it. Who is connected stays. */
gboolean nr_control_api_open(NrControlApi *api, GError **error);
/* The group whose members may ask as well; NR_NO_GROUP: none. Counts for who is connected, too. */
void nr_control_api_admit(NrControlApi *api, gid_t group);
void nr_control_api_free(NrControlApi *api);
/* For those who listen to events; api: NULL where nobody can. */
void nr_control_api_passed(NrControlApi *api);
void nr_control_api_relay_died(NrControlApi *api, const char *network, const char *text);

#endif
