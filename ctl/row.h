/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A row of what is there: a dictionary of texts and numbers, as a manager or a relay tells it. */
#ifndef NR_CTL_ROW_H
#define NR_CTL_ROW_H

#include <glib.h>

/* A missing value is an empty one: an older or newer far end is no reason to fail. */
const char *nr_row_text(GVariant *row, const char *key);
guint64 nr_row_number(GVariant *row, const char *key);
/* An accepted connection that was made on another host: who dials an address of its own host comes
 * from that very address. */
gboolean nr_row_is_from_elsewhere(GVariant *row);

#endif
