/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One relay that a capture reads from: its control connection, which tells of ports, and the socket
 * that its records come by. The relay never waits for us.
 */
#ifndef NR_CTL_CAPTURE_SOURCE_H
#define NR_CTL_CAPTURE_SOURCE_H

#include "ctl/capture-file.h"
#include "ctl/relay-rows.h"

typedef struct {
    char *place; /* what its relay is called in complaints */
    NrRelayClient *client;
    NrRelayRows *rows;
    GArray *ports, *endpoints; /* guint32: ids that are meant */
    char *label;               /* how the labels of meant ports begin; or NULL. Nothing: all */
    GHashTable *names;         /* label -> what a person calls that port; or NULL */
    NrCaptureStream stream;    /* what it gave so far; its number is the capture's to give */
    int reader;                /* our end of the records' socket; -1 before it is begun */
    gboolean changed;          /* ports have come or gone, and nobody has looked why */
    gboolean ports_gone;       /* the last one that was asked for by its id */
    gboolean relay_gone;
    gboolean ended; /* no record will come any more */
} NrCaptureSource;

/* Of this relay, whose client is the source's from here on. NULL after it has said why. */
NrCaptureSource *nr_capture_source_new(NrRelayClient *client, const char *place, NrExit *ret_code);
void nr_capture_source_free(NrCaptureSource *source);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NrCaptureSource, nr_capture_source_free)

/* Asks for what is noted in it. DONE, or after it has said why not. */
NrExit nr_capture_source_begin(NrCaptureSource *source, guint32 snaplen);
/* TRUE: a packet was taken. FALSE: there is none, or *ret_full: the file takes no more. */
gboolean nr_capture_source_take(NrCaptureSource *source, NrCaptureFile *file, gboolean *ret_full);
/* Reads what its control connection tells. */
void nr_capture_source_drain(NrCaptureSource *source);
/* NrCaptureNames; data is the source. */
void nr_capture_source_name(guint32 port_id, char **ret_name, char **ret_description,
                            gpointer data);

#endif
