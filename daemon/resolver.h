/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host names to addresses, off the main loop; what was resolved is looked up again every minute,
 * and an address that was found stays until another is.
 */
#ifndef NR_DAEMON_RESOLVER_H
#define NR_DAEMON_RESOLVER_H

#include <glib.h>

typedef struct NrResolver NrResolver;

NrResolver *nr_resolver_new(void (*changed)(gpointer data), gpointer data);
void nr_resolver_free(NrResolver *resolver);
/* These names and no others, NULL-terminated. */
void nr_resolver_want(NrResolver *resolver, char **names);
/* Name -> address text, "" where it does not resolve; still being resolved where it is absent.
 * Borrowed. */
GHashTable *nr_resolver_table(NrResolver *resolver);

#endif
