/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A TAP of ours in a bridge of somebody else, so that the bridge stays as it was: the TAP has the
 * bridge's MTU and an address starting fe: before it is enslaved (a bridge takes the smallest MTU
 * and, unless set, the lowest address of its members), and no IPv6 of its own. A bridge without
 * members gets set the address it has: else it would take the TAP's, and lose it with the TAP.
 *
 * And bridges of ours: this host takes no address and no route from what guests say there.
 */
#ifndef NR_NET_BRIDGE_H
#define NR_NET_BRIDGE_H

#include "common/mac.h"
#include "net/tap.h"

/* Makes a TAP, in the bridge and up. Descriptor as from tap_create(), or negative errno: -ENODEV no
 * such device, -ENOTSUP not a bridge, -EPERM. Nothing is left behind on an error. */
int bridge_tap_create(const char *bridge, char ret_name[TAP_NAME_MAX]);
/* Puts an existing TAP of ours (back) into the bridge, by the same rules; where it is a
 * member already it is only set up, if it is down. */
int bridge_enslave(const char *bridge, const char *tap);
/* Takes it out of this bridge and sets it down. -ENOENT: it is not in there; and as above. */
int bridge_release(const char *bridge, const char *tap);

/* Makes a bridge, and sets it up; one with this address is taken to be half made. -EEXIST: there is
 * another device of that name. */
int bridge_create(const char *name, struct mac mac);
/* -EBUSY: it has members. None of that name is 0. */
int bridge_remove(const char *name);

#endif
