/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a capture by way of the manager has its relays from, also while it runs: a guest that is
 * started again or goes to another network, a relay that another one follows. It asks the manager
 * in a thread of its own, for an answer may take time, and frames do not wait.
 */
#ifndef NR_CTL_CAPTURE_FINDER_H
#define NR_CTL_CAPTURE_FINDER_H

#include "ctl/capture.h"

typedef struct NrCaptureFinder NrCaptureFinder;

/* word: NETWORK, GUEST or GUEST/NIC. Asks for the first time. NULL after it has said why not. */
NrCaptureFinder *nr_capture_finder_new(const NrCall *call, const char *word, guint32 snaplen,
                                       NrExit *ret_code);
/* What it found goes to this capture from here on. Lasts as long as the process: only the process's
 * end can end a thread that waits for a manager. */
void nr_capture_finder_start(NrCaptureFinder *finder, NrCapture *capture);

#endif
