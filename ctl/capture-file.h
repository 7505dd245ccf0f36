/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A capture on its way into a file or pipe: relays' records become pcapng, up to the bounds that
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

/* The names of a port that is met for the first time: new strings. What has the same name is one
 * interface of the file: a guest that comes back has another port. */
typedef void (*NrCaptureNames)(guint32 port_id, char **ret_name, char **ret_description,
                               gpointer data);

/* The records of one relay, whose owner clears it first. */
typedef struct {
    guint32 number;   /* no other stream of this file has it */
    gpointer data;    /* for the names of its ports */
    guint64 begin_ns; /* 0: it has not begun */
    guint64 frames, missed;
} NrCaptureStream;

typedef struct {
    NrCaptureBounds bounds;
    GByteArray *pending; /* not yet written; its owner takes bytes off */
    guint64 begin_ns;    /* of its first stream; 0: it has not begun */
    guint64 size, frames, missed;
    GHashTable *interfaces; /* name -> what is counted of it */
    GHashTable *ports;      /* number of the stream, and port id -> the same */
    NrCaptureNames names;
    guint64 last_ns;
} NrCaptureFile;

NrCaptureFile *nr_capture_file_new(const NrCaptureBounds *bounds, NrCaptureNames names);
void nr_capture_file_free(NrCaptureFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NrCaptureFile, nr_capture_file_free)

/* Takes a packet of records (capture-proto.h). FALSE: a bound is reached, or it is malformed. */
gboolean nr_capture_file_take(NrCaptureFile *file, NrCaptureStream *stream, const guint8 *packet,
                              gsize length);
/* The last blocks. */
void nr_capture_file_end(NrCaptureFile *file);

#endif
