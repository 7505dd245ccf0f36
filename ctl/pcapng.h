/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The blocks of a pcapng file, each appended whole to a buffer. Pure: no descriptor, no clock.
 * Times are nanoseconds since the epoch; numbers are in this machine's byte order, as the format
 * allows.
 */
#ifndef NR_CTL_PCAPNG_H
#define NR_CTL_PCAPNG_H

#include <glib.h>

#define NR_PCAPNG_STATISTICS_SIZE 76 /* of every such block */

typedef enum { NR_PCAPNG_INBOUND = 1, NR_PCAPNG_OUTBOUND = 2 } NrPcapngDirection;

typedef struct {
    guint32 interface; /* as counted from 0 in the order of nr_pcapng_interface() */
    guint64 time_ns;
    NrPcapngDirection direction;
    guint32 length; /* of the frame */
    guint32 captured;
    const guint8 *bytes; /* so many are captured */
} NrPcapngFrame;

/* What a file begins with; application is what wrote it. */
void nr_pcapng_begin(GByteArray *out, const char *application);
/* An Ethernet interface. */
void nr_pcapng_interface(GByteArray *out, const char *name, const char *description,
                         guint32 snaplen);
void nr_pcapng_frame(GByteArray *out, const NrPcapngFrame *frame);
/* At the end, for each interface: frames in the file, and those that should be and are not. */
void nr_pcapng_statistics(GByteArray *out, guint32 interface, guint64 begin_ns, guint64 end_ns,
                          guint64 received, guint64 missed);

#endif
