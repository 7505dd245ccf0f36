/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What relays have deposited (see ctl-proto.h): held until each thing is let go, so that a relay
 * that is killed is followed by one that goes on with it. Where systemd has a descriptor store for
 * us it holds the same, so that this is true also where the manager is killed with its relays.
 * Relays are known by the names of their control sockets. Nothing here is read but the register's
 * first page.
 */
#ifndef NR_DAEMON_STORE_H
#define NR_DAEMON_STORE_H

#include "daemon/actual.h"

typedef struct NrStore NrStore;

NrStore *nr_store_new(void);
void nr_store_free(NrStore *store);
/* Something that a manager before us had stored with systemd, by its name there; takes fd. */
void nr_store_take_back(const char *name, int fd, gpointer store);

/* Takes fd. A register that is another one than before is another relay's: what it had goes. */
void nr_store_keep(NrStore *store, const char *relay, enum ctl_deposit what, guint32 port_id,
                   int fd);
void nr_store_let_go(NrStore *store, const char *relay, guint32 port_id);
/* Ports that the relay does not have any more went when nobody could be told. */
void nr_store_compare(NrStore *store, const char *relay, const NrActualNetwork *have);
/* Guarded, it has what it has, whatever the relay says that goes on with it: a register that is
 * another one is refused, and what comes behind it; nothing is let go. Said anew, it is as if
 * nothing had been refused. Where no connection is deposited there is nothing to guard. */
void nr_store_set_guarded(NrStore *store, const char *relay, gboolean guarded);
gboolean nr_store_was_refused(const NrStore *store, const char *relay);
gboolean nr_store_has(const NrStore *store, const char *relay, guint32 port_id);
/* Neither end of that port's connection has ended it. */
gboolean nr_store_is_alive(const NrStore *store, const char *relay, guint32 port_id);
/* guint32: ids of the ports whose connections it has; the caller's. */
GArray *nr_store_ports(const NrStore *store, const char *relay);
/* All of it: nobody is to go on. */
void nr_store_forget(NrStore *store, const char *relay);

/* Of which there is something; the caller's, as are the names in it. */
GPtrArray *nr_store_relays(const NrStore *store);
/* Whose connections they are; NULL where that is not to be known, or there are none. */
char *nr_store_network(const NrStore *store, const char *relay);
/* For another relay to go on with: the register, the memory and the connections, borrowed; NULL
 * where there is nothing to go on with. */
GArray *nr_store_descriptors(const NrStore *store, const char *relay);

#endif
