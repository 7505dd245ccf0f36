/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a companion begins, speaks and ends; common/companion.h has what the relay knows of it. */
#ifndef NR_COMPANION_COMPANION_H
#define NR_COMPANION_COMPANION_H

#include "common/companion.h"

/* Takes what the relay gave: the argument; or NULL where it was not a relay that ran this. */
const char *companion_begin(int argc, char **argv);
/* From here on there are frames. */
void companion_is_up(void);
/* Says why and ends the process, without further ado: there is nobody to clean up for. */
_Noreturn void companion_fail(int r, const char *format, ...) __attribute__((format(printf, 2, 3)));
_Noreturn void companion_end(void);

#endif
