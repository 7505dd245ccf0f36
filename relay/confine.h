/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Steps by which a process here gives up what it may do; sandbox.c and companions take them. */
#ifndef NR_RELAY_CONFINE_H
#define NR_RELAY_CONFINE_H

#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>

/* Drops all capabilities but these, for good, and sets no_new_privs. 0 or negative errno. */
int confine_capabilities(bool keep_net_admin, bool keep_bind);
/* Memory may be mapped, and never be executable. 0 or negative errno. */
int confine_memory(scmp_filter_ctx filter);
/* These calls may be made. 0 or negative errno. */
int confine_allow(scmp_filter_ctx filter, const int *calls, size_t n);

#endif
