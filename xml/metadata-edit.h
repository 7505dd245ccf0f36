/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a guest's metadata says that a NIC belongs: said, or taken back, in the text of our element
 * as virDomainGetMetadata() gives it and virDomainSetMetadata() takes it, without a namespace. What
 * is said of other NICs stays as it is, and so does all of this NIC's line but its place. Pure.
 */
#ifndef NR_XML_METADATA_EDIT_H
#define NR_XML_METADATA_EDIT_H

#include "xml/guest.h"

#define NR_METADATA_KEY "netrelay" /* the prefix of our namespace in libvirt's XML */

typedef struct {
    const char *by, *nic;   /* "mac", "alias" or "dev", and the NIC's */
    const char *to, *where; /* "network", "bridge" or "peer", and which; NULL, NULL: to none */
} NrMetadataEdit;

typedef struct {
    char *element;    /* the new text; NULL: nothing is left to be said */
    NrGuest *guest;   /* as it is with that */
    int nic;          /* the NIC's index; -1: taken back of one that the guest does not have */
    char *to, *where; /* what was said before; NULL, NULL: nothing, so nothing is taken back */
} NrMetadataEdited;

/* NULL where the text is no element of ours, the NIC is not to be had, or, in attaching it, where
 * the result could not be read. element: NULL is none yet. */
NrMetadataEdited *nr_metadata_edit(const NrGuest *guest, const char *element,
                                   const NrMetadataEdit *edit, GError **error);
void nr_metadata_edited_free(NrMetadataEdited *edited);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NrMetadataEdited, nr_metadata_edited_free)

/* The attributes that say where a NIC belongs; NULL-terminated. */
extern const char *const nr_metadata_places[];

#endif
