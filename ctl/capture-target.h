/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a person means by NETWORK, GUEST or GUEST/NIC, read off the rows of Status. Pure. */
#ifndef NR_CTL_CAPTURE_TARGET_H
#define NR_CTL_CAPTURE_TARGET_H

#include <glib.h>

typedef struct {
    char *label;         /* how the labels of the ports that are meant begin; NULL: all ports */
    GPtrArray *networks; /* names, of those that have a relay now */
    GHashTable *names;   /* label -> "GUEST/NIC", of every NIC there is */
} NrCaptureTarget;

/* NULL, and why not in *ret_fault: a sentence, the caller's. A name that a network and a guest have
 * is the network's. */
NrCaptureTarget *nr_capture_target_new(GVariant *rows, const char *word, char **ret_fault);
void nr_capture_target_free(NrCaptureTarget *target);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NrCaptureTarget, nr_capture_target_free)

/* Is the word this row's guest, with or without this NIC behind a slash? */
gboolean nr_row_is_nic(GVariant *row, const char *word);
/* How the port of this row's NIC is labelled. New string. */
char *nr_row_label(GVariant *row);

#endif
