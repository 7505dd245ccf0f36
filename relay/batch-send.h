/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The half of a batch that comes after its commit; for batch.c. */
#ifndef NR_RELAY_BATCH_SEND_H
#define NR_RELAY_BATCH_SEND_H

#include "relay/batch.h"

/* Sorts the committed runs by whom they are for. */
void batch_index_runs(struct batch *batch);
/* SEND: to each member what it gets, into its socket or its queue; then the carry. */
void batch_send(struct batch *batch);
/* CONSUME: lets the input go; in may be NULL, gone. Ends IDLE. */
void batch_consume(struct batch *batch, struct port *in);
/* A successor's: a batch found in SEND or CONSUME. */
void batch_finish(struct batch *batch, bool crashed);

#endif
