/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/capture-records.h"

#include <string.h>

gboolean nr_capture_records(const guint8 *packet, gsize length, NrCaptureRecord on_record,
                            gpointer data)
{
    struct capture_record record;

    while (length >= sizeof(record)) {
        memcpy(&record, packet, sizeof(record));
        packet += sizeof(record);
        length -= sizeof(record);
        if (record.captured > CAPTURE_SNAPLEN_MAX || CAPTURE_PAD(record.captured) > length ||
            !on_record(&record, packet, data))
            return FALSE;
        packet += CAPTURE_PAD(record.captured);
        length -= CAPTURE_PAD(record.captured);
    }
    return TRUE;
}
