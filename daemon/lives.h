/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What devices of others lose by themselves of that which networks have changed there: an entry of
 * the neighbour table when the device is set down, a setting when the device is made anew. What a
 * person takes away stays away, for he may have meant it; nobody means this, so it is made again.
 */
#ifndef NR_DAEMON_LIVES_H
#define NR_DAEMON_LIVES_H

#include <glib.h>

#include "net/journal.h"

typedef struct NrLives NrLives;

NrLives *nr_lives_new(void);
void nr_lives_free(NrLives *lives);
/* Compares the devices with how they were at the last call, and marks what they have lost as not
 * done. journal may be NULL. */
void nr_lives_look(NrLives *lives, struct journal *journal);

#endif
