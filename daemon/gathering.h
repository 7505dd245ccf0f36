/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Several answers that become one. Whoever makes it is in it, and leaves when all have joined. */
#ifndef NR_DAEMON_GATHERING_H
#define NR_DAEMON_GATHERING_H

#include <glib.h>

typedef struct NrGathering NrGathering;

/* done is called, once, when the last one has left; then it is freed. */
NrGathering *nr_gathering_new(void (*done)(gpointer data), gpointer data);
void nr_gathering_join(NrGathering *gathering);
void nr_gathering_leave(NrGathering *gathering);
/* An NrReply: leaves. After -ECANCELED, which is the end of who makes it, done is not called. */
void nr_gathering_reply(int error, const char *text, gpointer gathering);

#endif
