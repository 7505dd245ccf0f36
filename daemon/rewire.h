/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where one NIC of a guest belongs, said in the guest's metadata through libvirt: as it runs, in
 * its definition, or in both.
 */
#ifndef NR_DAEMON_REWIRE_H
#define NR_DAEMON_REWIRE_H

#include <glib.h>

struct _virConnect;

typedef struct {
    /* What is asked for. */
    char *uuid;                  /* the guest's */
    char *by, *nic, *to, *where; /* as in NrMetadataEdit */
    gboolean live, config;       /* neither: as it runs, or, where it does not, its definition */
    /* What has become of it. */
    char *fault; /* why not, one sentence; NULL: it is done */
    gboolean running, persistent;
    gboolean live_done, config_done;
    char *was_to, *was; /* where it belonged before, by the metadata; or NULL, NULL */
    /* The same of its definition, where both were changed. */
    char *config_was_to, *config_was;
} NrRewire;

void nr_rewire_free(NrRewire *rewire);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NrRewire, nr_rewire_free)

/* In guest-source's worker; NULL: there is no connection. Both texts are made before one is
 * written. */
void nr_rewire_write(struct _virConnect *connection, NrRewire *rewire);

#endif
