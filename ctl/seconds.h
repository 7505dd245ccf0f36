/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A length of time on the command line. */
#ifndef NR_CTL_SECONDS_H
#define NR_CTL_SECONDS_H

#include <glib.h>

#define NR_SECONDS_EXPECTED "seconds, up to a year"

/* "0.5", at most a year. */
gboolean nr_seconds_read(const char *text, double *ret);

#endif
