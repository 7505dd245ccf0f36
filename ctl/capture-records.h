/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The records of a packet from a relay (common/capture-proto.h), one by one. Pure. */
#ifndef NR_CTL_CAPTURE_RECORDS_H
#define NR_CTL_CAPTURE_RECORDS_H

#include <glib.h>
#include "common/capture-proto.h"

/* bytes: record->captured of them. FALSE: no more of this packet. */
typedef gboolean (*NrCaptureRecord)(const struct capture_record *record, const guint8 *bytes,
                                    gpointer data);

/* FALSE: the packet is malformed, or on_record said so. */
gboolean nr_capture_records(const guint8 *packet, gsize length, NrCaptureRecord on_record,
                            gpointer data);

#endif
