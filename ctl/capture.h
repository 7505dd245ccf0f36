/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A capture under way: what its sources give goes into one file or pipe, until a bound is reached,
 * a signal says so, or nothing can come any more. It waits for whoever reads the pipe, and no relay
 * waits for it.
 */
#ifndef NR_CTL_CAPTURE_H
#define NR_CTL_CAPTURE_H

#include "ctl/capture-source.h"

typedef struct NrCapture NrCapture;

/* Where new sources come from while it runs. */
typedef struct {
    int fd;                                          /* readable: there is something */
    void (*take)(NrCapture *capture, gpointer data); /* takes it: nr_capture_add(), names */
    void (*lost)(const char *place, gpointer data);  /* this one's relay has ended */
    void (*changed)(gpointer data);                  /* ports have come, or gone */
    gpointer data;
} NrCaptureNews;

struct NrCapture {
    const NrCall *call;
    const NrCaptureNews *news; /* NULL: it is over once no source is left */
    NrCaptureFile *file;
    GPtrArray *sources; /* NrCaptureSource */
    guint32 streams;    /* how many sources there have been */
    NrCaptureBounds bounds;
    double seconds;     /* G_MAXDOUBLE: no bound */
    gint64 deadline_us; /* of the same, once it has begun; or of its beginning */
    const char *out_name;
    int out;
    gboolean out_is_file;
    int signals; /* readable: told to end */
    gboolean begun;
    gboolean over;        /* no more records: told to end, the time is up, no source is left */
    gboolean full;        /* the file takes no more */
    gboolean reader_gone; /* who read the pipe has seen enough */
};

/* Reads the bounds. FALSE after it has said what is wrong with them. */
gboolean nr_capture_init(NrCapture *capture, const NrCall *call);
void nr_capture_clear(NrCapture *capture);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(NrCapture, nr_capture_clear)

/* Opens what is written to. FALSE after it has said why not. */
gboolean nr_capture_open(NrCapture *capture);
/* A begun source, which is the capture's from here on. */
void nr_capture_add(NrCapture *capture, NrCaptureSource *source);
/* Until its end. */
NrExit nr_capture_run(NrCapture *capture);

#endif
