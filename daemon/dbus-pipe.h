/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Moves bytes between a client and GDBus, which takes messages of 128 MB and spends thrice as much
 * on one. From the client's side only messages up to a bound come through, looked at before they
 * are kept; from GDBus's side all does, descriptors too. Neither side is read ahead of the other.
 */
#ifndef NR_DAEMON_DBUS_PIPE_H
#define NR_DAEMON_DBUS_PIPE_H

#include <glib.h>

#define NR_DBUS_MESSAGE_MAX (64 * 1024) /* what anybody asks for is a few names */

typedef struct NrDbusPipe NrDbusPipe;

/*
 * Both sockets are the pipe's from here on. `waiting`, copied, came from the client already.
 * `ended` is called once, from the main loop: then it is to be freed.
 */
NrDbusPipe *nr_dbus_pipe_new(int client, int gdbus, const GByteArray *waiting,
                             void (*ended)(gpointer data), gpointer data);
void nr_dbus_pipe_free(NrDbusPipe *pipe);

#endif
