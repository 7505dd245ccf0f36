/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each of the two processes may still do; entered once, and never left. */
#ifndef NR_RELAY_SANDBOX_H
#define NR_RELAY_SANDBOX_H

#include <stdbool.h>

/* Nothing but moving frames: no capability, and the list of calls in sandbox.c. 0 or negative
 * errno. */
int sandbox_enter_forwarder(void);
/* Keeps CAP_NET_BIND_SERVICE where it is there, CAP_NET_ADMIN where a TAP has to be made again. */
int sandbox_enter_keeper(bool keep_net_admin);

#endif
