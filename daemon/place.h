/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A place is a resolved address and layer-4 port; an index finds what overlaps one, wildcards
 * included, without walking through everything. Pure. */
#ifndef NR_DAEMON_PLACE_H
#define NR_DAEMON_PLACE_H

#include <arpa/inet.h>
#include "common/endpoint.h"
#include "xml/guest.h"

typedef struct {
    char host[INET6_ADDRSTRLEN]; /* inet_ntop() text; "" is any address */
    guint16 l4_port;             /* host byte order */
} NrPlace;

typedef enum {
    NR_PLACE_FOUND,
    NR_PLACE_RESOLVING, /* a host name that is not in the table yet */
    NR_PLACE_UNKNOWN,   /* a host name that does not resolve */
} NrPlaceResult;

/* TRUE where text is an address, or "" or "*" for any: nothing to resolve. */
gboolean nr_place_is_numeric(const char *host);
/* resolved as in NrDesiredInput; may be NULL. A host of NULL is any address. */
NrPlaceResult nr_place_find(NrPlace *ret, const char *host, guint16 l4_port, GHashTable *resolved);
gboolean nr_place_is_any(const NrPlace *place);
gboolean nr_place_is_loopback(const NrPlace *place);
gboolean nr_place_equal(const NrPlace *a, const NrPlace *b);
/* Could two sockets of one protocol not be bound to both? */
gboolean nr_place_overlaps(const NrPlace *a, const NrPlace *b);
/* "127.0.0.1:80", "[::1]:80", "*:80". New string. */
char *nr_place_format(const NrPlace *place);
void nr_place_to_endpoint(const NrPlace *place, struct endpoint_address *ret);

/* Everything that was added with one and the same place, in the order of adding. */
typedef struct {
    NrPlace place;
    GPtrArray *values; /* borrowed */
} NrPlaceGroup;

typedef struct NrPlaceIndex NrPlaceIndex;

NrPlaceIndex *nr_place_index_new(void);
void nr_place_index_free(NrPlaceIndex *index);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NrPlaceIndex, nr_place_index_free)
void nr_place_index_add(NrPlaceIndex *index, const NrPlace *place, gpointer value);
/* Exactly this place; borrowed, or NULL. */
const NrPlaceGroup *nr_place_index_find(const NrPlaceIndex *index, const NrPlace *place);

/* for (iter_init; (group = iter_next);): all groups that overlap a place, the equal one first. */
typedef struct {
    const NrPlaceIndex *index;
    const NrPlace *place;
    const NrPlaceGroup *exact;
    const GPtrArray *others;
    guint next;
} NrPlaceIter;

void nr_place_iter_init(NrPlaceIter *iter, const NrPlaceIndex *index, const NrPlace *place);
const NrPlaceGroup *nr_place_iter_next(NrPlaceIter *iter);

#endif
