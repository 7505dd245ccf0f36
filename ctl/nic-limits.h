/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a NIC's port may, in words: port-options.h has the text that programs get. */
#ifndef NR_CTL_NIC_LIMITS_H
#define NR_CTL_NIC_LIMITS_H

#include <glib.h>

/* options: without a comma before the first one, as a status row has them; or NULL. NULL where
 * nothing is limited. New string. */
char *nr_limits_text(const char *options);

#endif
