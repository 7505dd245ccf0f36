/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What networks need of the host's kernel, made and taken back, with a journal in the runtime
 * directory: it outlives the manager, and not the boot. ground-rules.h says what is to be done.
 */
#ifndef NR_DAEMON_GROUND_H
#define NR_DAEMON_GROUND_H

#include "daemon/actual.h"
#include "daemon/uplinks.h"

typedef struct NrGround NrGround;

/* dir_fd is borrowed. */
NrGround *nr_ground_new(int dir_fd);
void nr_ground_free(NrGround *ground);

/* Borrowed: those of its changes that are moves of this host's addresses. */
NrUplinks *nr_ground_uplinks(const NrGround *ground);

/* Adds what was made to the snapshot. */
void nr_ground_show(const NrGround *ground, NrActual *actual);
/* All of the texts, or none. 0, or negative errno and one sentence without full stop (new string),
 * or NULL where the errno says it. */
int nr_ground_lay(NrGround *ground, const char *network, const GPtrArray *texts, char **ret_text);
/* Takes back what can be; the rest is `kept`, and the sentence says why. */
int nr_ground_lift(NrGround *ground, const GPtrArray *texts, char **ret_text);
/* The same with all there is, the last one first. */
int nr_ground_lift_all(NrGround *ground, char **ret_text);
/* Nothing is left but what others use. */
gboolean nr_ground_is_lifted(const NrGround *ground);
/* Devices have changed: what is kept can perhaps go now, and what others' devices have lost by
 * being set down, or made anew, is to be made again. */
void nr_ground_look_again(NrGround *ground);
/* One change that is not as it is to be. */
typedef struct {
    char *network; /* whose it is, or was */
    char *change;  /* its text */
    gboolean kept; /* it is to go, and others use it; else somebody has undone it */
} NrGroundFault;
/* As the kernel has it now. What goes with a lost bridge is not told of by itself. New list. */
GPtrArray *nr_ground_faults(const NrGround *ground);
/* The directory was made anew, and the journal is to be in it. */
void nr_ground_note(const NrGround *ground);

#endif
