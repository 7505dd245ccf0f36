/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames of two ports, followed from the one to the other: what guests say anyway shows where their
 * way ends, and nothing need be sent. Knows no clock. A frame is known again by its bytes. To be
 * expected is what is for everybody; of other frames a bridge or a switch may know better, or cut
 * them, so that their arrival proves something and their absence nothing.
 */
#ifndef NR_CTL_FOLLOW_H
#define NR_CTL_FOLLOW_H

#include <glib.h>
#include "common/capture-proto.h"

#define NR_FOLLOW_MAX   1024 /* frames that are kept of each direction; of later ones none is */
#define NR_FOLLOW_BYTES 256  /* of each frame, that it is known by */

typedef struct NrFollow NrFollow;

typedef struct {
    guint sent;    /* frames that came in by the one port and were kept */
    guint arrived; /* those of them that left by the other */
    guint lost;    /* those for everybody that had time to, and did not */
} NrFollowed;

NrFollow *nr_follow_new(void);
void nr_follow_free(NrFollow *follow);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NrFollow, nr_follow_free)

/* A record of the one port (0) or the other (1). */
void nr_follow_take(NrFollow *follow, guint port, const struct capture_record *record,
                    const guint8 *bytes);
/* From port `from` to the other one. What came in after until_ns is not lost yet. */
NrFollowed nr_follow_result(const NrFollow *follow, guint from, guint64 until_ns);

#endif
