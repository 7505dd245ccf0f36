/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a host_change is to a person. Pure. */
#ifndef NR_DAEMON_CHANGE_WORDS_H
#define NR_DAEMON_CHANGE_WORDS_H

#include <glib.h>
#include "common/host-change.h"

/* What the device has by it: "192.168.9.1/24", "IPv4 forwarding". New string; NULL: there is
 * nothing to show. */
char *nr_change_thing(const struct host_change *change);
/* "give 192.168.9.1/24 to virbr9", and how it is taken back. New strings. */
char *nr_change_to_lay(const struct host_change *change);
char *nr_change_to_lift(const struct host_change *change);

#endif
