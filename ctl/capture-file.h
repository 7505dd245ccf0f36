/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A capture on its way into a file or pipe: a relay's records become pcapng, up to the bounds that
 * were asked for. It looks at no clock and waits for nothing; whoever owns it writes `pending`.
 */
#ifndef NR_CTL_CAPTURE_FILE_H
#define NR_CTL_CAPTURE_FILE_H

#include <glib.h>

typedef struct {
    guint64 size;    /* bytes, all counted */
    guint64 packets; /* frames */
    guint64 end_ns;  /* none that came later; since the epoch */
    guint32 snaplen;
} NrCaptureBounds;

/* The names of a port that is met for the first time: new strings. */
typedef void (*NrCaptureNames)(guint32 port_id, char **ret_name, char **ret_description,
                               gpointer data);

typedef struct {
    NrCaptureBounds bounds;
    GByteArray *pending; /* not yet written; its owner takes bytes off */
    guint64 begin_ns;    /* 0: it has not begun */
    guint64 size, frames, missed;
    GHashTable *interfaces; /* port id -> what is counted of it */
    NrCaptureNames names;
    gpointer names_data;
    guint64 last_ns;
} NrCaptureFile;

NrCaptureFile *nr_capture_file_new(const NrCaptureBounds *bounds, NrCaptureNames names,
                                   gpointer data);
void nr_capture_file_free(NrCaptureFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NrCaptureFile, nr_capture_file_free)

/* Takes a packet of records (capture-proto.h). FALSE: a bound is reached, or it is malformed. */
gboolean nr_capture_file_take(NrCaptureFile *file, const guint8 *packet, gsize length);
/* The last blocks. */
void nr_capture_file_end(NrCaptureFile *file);

#endif
