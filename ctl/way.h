/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The way from one guest's NIC to another's, hop by hop: what is on it, and where it ends. Pure. */
#ifndef NR_CTL_WAY_H
#define NR_CTL_WAY_H

#include "ctl/host-links.h"

typedef struct {
    char *name; /* "vm1/eth0", "network lab", "TAP nrtap0" */
    gboolean whole;
    char *text; /* what it is like, or why no frame passes */
    char *cure; /* "" where it is whole, or nobody knows one */
} NrHop;

typedef struct {
    GPtrArray *hops;     /* NrHop */
    const NrHop *broken; /* the first that is; NULL: the way is whole */
    gboolean seen;       /* both NICs have a port of a relay, so frames can be watched */
    char *name[2];       /* of the NICs: "vm1/eth0" */
    char *network[2];
    char *label[2]; /* of their ports */
} NrWay;

/* From one NIC to the other, each GUEST/NIC, or GUEST where it has one. NULL, and why not in
 * *ret_fault: a sentence, the caller's. */
NrWay *nr_way_new(GVariant *rows, const GPtrArray *links, const char *from, const char *to,
                  char **ret_fault);
void nr_way_free(NrWay *way);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NrWay, nr_way_free)

/* One that is found broken later. The strings are the way's from here on. */
void nr_way_break(NrWay *way, char *name, char *text, char *cure);

#endif
