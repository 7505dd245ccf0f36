/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Takes connections off a listening socket. Where descriptors are used up it asks for one back, and
 * where none comes it pauses: a main loop that is told again and again of what it cannot take
 * spins.
 */
#ifndef NR_DAEMON_ACCEPTOR_H
#define NR_DAEMON_ACCEPTOR_H

#include <glib.h>

typedef struct NrAcceptor NrAcceptor;

typedef struct {
    void (*connected)(int sock, gpointer data); /* non-blocking, and the callee's to close */
    gboolean (*make_room)(gpointer data);       /* closes a connection; FALSE: has none to spare */
} NrAcceptorEvents;

/* `events` is borrowed. Nothing is taken before listen(). */
NrAcceptor *nr_acceptor_new(const NrAcceptorEvents *events, gpointer data);
/* Takes the bound socket, in place of the one before; it is the acceptor's in any case. */
void nr_acceptor_listen(NrAcceptor *acceptor, int sock);
/* Who comes meanwhile waits in the backlog. */
void nr_acceptor_pause(NrAcceptor *acceptor, gboolean pause);
void nr_acceptor_free(NrAcceptor *acceptor);

#endif
