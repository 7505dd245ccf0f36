/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A row of what is there: a dictionary of texts and numbers, as the manager tells it and who asks
 * reads it. Pure. */
#ifndef NR_DAEMON_ROW_H
#define NR_DAEMON_ROW_H

#include <glib.h>

/* A missing value is an empty one: an older or newer far end is no reason to fail. */
const char *nr_row_text(GVariant *row, const char *key);
guint64 nr_row_number(GVariant *row, const char *key);
gboolean nr_row_is(GVariant *row, const char *key, const char *text);
/* An accepted connection that was made on another host: who dials an address of its own host comes
 * from that very address. */
gboolean nr_row_is_from_elsewhere(GVariant *row);
/* A connection of this host that nobody is known to be behind: it may be any guest's. */
gboolean nr_row_is_unknown(GVariant *row);
/* Whose it is, for the beginning of a sentence: "guest vm1, NIC net0", or "network lab". New
 * string. */
char *nr_row_whose(GVariant *row);
/* The doctor's word for what is wrong with it, "deaf" for a guest that nobody hears, or NULL where
 * it is in order. */
const char *nr_row_fault(GVariant *row);

/* NULL is "". What is no UTF-8 becomes so, for D-Bus and JSON take nothing else. */
void nr_row_put_text(GVariantBuilder *row, const char *key, const char *text);

#endif
