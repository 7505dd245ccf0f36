/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A port on its way to another relay, with its connection: the far end notices nothing. The other
 * relay is greeted, over a connection to its control socket that whoever asked for the move has
 * made; once it answers, the forwarder lets go of the port where that stands between two frames in
 * both directions, and then the other relay is offered the descriptor. Whether it has it is known
 * by its answer alone: until then nobody reads the port, and where that connection ends without an
 * answer, the port is ours again. So no death of anybody leaves it with both relays, or none.
 */
#ifndef NR_RELAY_MOVE_H
#define NR_RELAY_MOVE_H

#include "relay/holding.h"

struct keeper;

/* channel: becomes the move's on success. 0, -ENOTSUP: no connection that can move; -EBUSY: another
 * relay has been offered it already; or other negative errno. */
int move_begin(struct keeper *keeper, struct holding *holding, int channel);
/* Is the forwarder to let go of it? */
bool move_is_on(const struct holding *holding);
/* No forwarder has it any more, and it stands between frames. */
void move_released(struct keeper *keeper, struct holding *holding);
/* The port is gone. */
void move_forget(struct keeper *keeper, struct holding *holding);

#endif
