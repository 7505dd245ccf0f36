/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sandboxed process that moves frames. */
#ifndef NR_RELAY_FORWARDER_H
#define NR_RELAY_FORWARDER_H

/* On HANDOVER_FD and HANDOVER_MEMORY_FD, which are open. Returns an exit status. */
int forwarder_main(const char *network);

#endif
