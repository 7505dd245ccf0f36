/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keeper's side of notices: puts what the forwarder has seen of a port into words. */
#ifndef NR_RELAY_NOTICE_LOG_H
#define NR_RELAY_NOTICE_LOG_H

#include "relay/handover.h"
#include "relay/keeper.h"

/* holding: the port that the notice is about. */
void notice_handle(struct keeper *keeper, struct holding *holding, const struct handover *message);
/* The port is closed; error: why, or 0. */
void notice_gone(const struct holding *holding, int error);
/* The forwarder is dead; what it had blocked is open, until its successor finds the loop itself. */
void notices_end(struct keeper *keeper);

#endif
