/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What somebody is told whom the manager's control socket does not let in, and how to get in. */
#ifndef NR_CTL_REFUSED_H
#define NR_CTL_REFUSED_H

#include "ctl/manager.h"

/* Sets text and cure. It is said by the socket's owner, group and mode, which anybody may see. */
void nr_refused_explain(const char *runtime_dir, NrSilence *ret);

#endif
