/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guests that meet without us, one dialling the other: whether they have, by the connections that
 * the kernel knows. What was decided says only that they may. */
#ifndef NR_DAEMON_MEETINGS_H
#define NR_DAEMON_MEETINGS_H

#include "daemon/desired.h"

typedef enum {
    NR_MEETING_MADE,  /* or nobody may see that */
    NR_MEETING_WAITS, /* its connection waits behind somebody else's: QEMU serves one */
    NR_MEETING_NONE,
} NrMeeting;

typedef struct {
    NrMeeting kind;
    char *served; /* WAITS: who has QEMU's one place, as far as it can be seen; or NULL */
} NrMet;

/* NrBinding, borrowed -> NrMet, of running guests' NICs. resolved as in NrDesiredInput; system:
 * root's libvirt, else this user's. */
GHashTable *nr_meetings_look(const NrDesired *desired, GHashTable *resolved, gboolean system);

#endif
